"""`GET /metrics`: unfinished and ended runs for Prometheus; as JSON only the unfinished ones.

Everything comes from D1, in one batch, because a Worker runs in many isolates that know nothing of each other. For the
same reason requests are not counted here; Cloudflare counts them.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Final

from pydantic import BaseModel, Field

import clock
from api import prometheus
from api.context import Call
from api.prometheus import Family, Sample
from compact_json import compact_json
from http_messages import HttpResponse, Reply, json_response
from ports import Row
from tables import circuits, dead_letters, run_figures, run_metrics, webhooks
from tables.run_figures import RunFigures
from wire.queries import Query


class MetricsQuery(Query):
    """The query of GET /metrics."""

    format: str = Field("prometheus", description="`json`, or anything else for Prometheus' text format.")


class QueueFigures(BaseModel):
    """Unfinished runs; times are null if none waits."""

    n_pending: int
    pending_runs_wait_time_max_secs: float | None
    pending_runs_wait_time_med_secs: float | None
    pending_unblocked_runs_wait_time_max_secs: float | None
    n_running: int


class ApiFigures(BaseModel):
    """Always empty: see Cloudflare's own metrics."""

    http_requests_total: list[dict[str, object]]


class WorkerFigures(BaseModel):
    """Every thread executes in an object of its own, so no maximum can be reached."""

    max: int | None
    active: int
    available: int | None


class MetricsObject(BaseModel):
    """The metrics as JSON."""

    queue: QueueFigures
    api: ApiFigures
    workers: WorkerFigures


async def metrics(call: Call[None, MetricsQuery]) -> Reply:
    """How many runs wait and for how long, and how many execute; for Prometheus also how ended runs did."""
    now = clock.now_iso()
    [unfinished], *found = await call.services.db.batch(
        [
            run_figures.select(now=now),
            webhooks.count(),
            dead_letters.count(),
            circuits.select_open(),
            run_metrics.select(),
        ]
    )
    queue = _queue(RunFigures(**unfinished), now)
    if call.query.format != "json":
        text = prometheus.exposition(families(queue, *found))
        return HttpResponse(200, {"content-type": prometheus.CONTENT_TYPE}, text)
    return json_response(
        compact_json(
            {
                "queue": queue.model_dump(),
                "api": {"http_requests_total": []},
                "workers": {"max": None, "active": queue.n_running, "available": None},
            }
        )
    )


def _queue(figures: RunFigures, now: str) -> QueueFigures:
    def seconds(since: str | None) -> float | None:
        return None if since is None else (clock.epoch_ms(now) - clock.epoch_ms(since)) / 1000

    return QueueFigures(
        n_pending=figures.pending,
        pending_runs_wait_time_max_secs=seconds(figures.oldest_since),
        pending_runs_wait_time_med_secs=seconds(figures.median_since),
        pending_unblocked_runs_wait_time_max_secs=seconds(figures.oldest_unblocked_since),
        n_running=figures.running,
    )


def families(
    queue: QueueFigures, undelivered: Sequence[Row], letters: Sequence[Row], opened: Sequence[Row], ended: Sequence[Row]
) -> Iterator[Family]:
    """All metrics, from rows about webhooks, dead letters, open circuits and ended runs."""
    yield from _of_queue(queue)
    yield Family(
        "superstep_webhooks",
        "gauge",
        "Webhooks that are still being tried, or were given up.",
        [Sample(number, {"status": status}) for row in undelivered for status, number in row.items()],
    )
    yield Family(
        "superstep_dead_letters",
        "gauge",
        "Runs that gave up and can be redriven, and messages that could not be delivered.",
        [Sample(row["number"], {"graph": row["graph_id"]}) for row in letters],
    )
    yield Family(
        "superstep_circuit_open",
        "gauge",
        "1 for a graph whose runs give up as soon as they are cut off, because too many before them gave up.",
        [Sample(1, {"graph": row["graph_id"], "version": row["version"]}) for row in opened],
    )
    yield from _of_ended(ended)


def _of_queue(queue: QueueFigures) -> Iterator[Family]:
    """A gauge for each figure, named as on other LangGraph servers; a time is 0 if no run waits."""
    for name, value, meaning in (
        ("num_pending_runs", queue.n_pending, "Runs that are waiting."),
        ("num_running_runs", queue.n_running, "Runs that are executing."),
        (
            "pending_runs_wait_time_max",
            queue.pending_runs_wait_time_max_secs,
            "How long the oldest waiting run has waited, in seconds.",
        ),
        (
            "pending_runs_wait_time_med",
            queue.pending_runs_wait_time_med_secs,
            "The median of how long runs have waited, in seconds.",
        ),
        (
            "pending_unblocked_runs_wait_time_max",
            queue.pending_unblocked_runs_wait_time_max_secs,
            "How long the oldest run has waited of those that no other run of their thread holds up, in seconds.",
        ),
        ("workers_active", queue.n_running, "Threads that are executing a run."),
    ):
        yield Family(f"lg_api_{name}", "gauge", meaning, [Sample(value or 0, {})])


#: Column of `run_metrics`, name and meaning of each counter. The use of D1 by an attempt that was cut off is not
#: counted.
_COUNTERS: Final = (
    ("runs", "runs_total", "Runs that have ended."),
    ("supersteps", "run_supersteps_total", "Super-steps whose checkpoint was stored when their run ended."),
    ("retries", "run_retries_total", "Attempts that followed a cut-off one."),
    (
        "recovery_seconds",
        "run_recovery_seconds_total",
        "The time from the last thing that a cut-off attempt has stored to the next attempt.",
    ),
    ("d1_batches", "run_d1_batches_total", "Round trips to D1, without those of cut-off attempts."),
    (
        "d1_rows_read",
        "run_d1_rows_read_total",
        "Rows that D1 read, as billed, without those of cut-off attempts.",
    ),
    (
        "d1_rows_written",
        "run_d1_rows_written_total",
        "Rows that D1 wrote, as billed, without those of cut-off attempts.",
    ),
    ("d1_seconds", "run_d1_seconds_total", "The time that D1 took to answer, without that of cut-off attempts."),
)

#: Columns of `run_metrics` for counts and sum, name and meaning of each histogram.
_HISTOGRAMS: Final = (
    (
        "waits",
        "wait_seconds",
        "run_queue_wait_seconds",
        "The time from a run's creation, or from when it was due, to its beginning.",
    ),
    ("executions", "execution_seconds", "run_execution_seconds", "The time from the beginning of a run to its end."),
)


def _of_ended(rows: Sequence[Row]) -> Iterator[Family]:
    labelled = [({"graph": row["graph_id"], "version": row["version"], "status": row["status"]}, row) for row in rows]
    for column, name, meaning in _COUNTERS:
        samples = [Sample(row[column], labels) for labels, row in labelled]
        yield Family(f"superstep_{name}", "counter", meaning, samples)
    for counts, total, name, meaning in _HISTOGRAMS:
        samples = [
            sample
            for labels, row in labelled
            for sample in prometheus.histogram(labels, run_metrics.BUCKETS, json.loads(row[counts]), row[total])
        ]
        yield Family(f"superstep_{name}", "histogram", meaning, samples)
