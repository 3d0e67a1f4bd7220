"""`GET /metrics`: how much work is waiting, as Prometheus scrapes it or as JSON.

Requests are not counted: a Worker runs in many isolates that know nothing of each other, and Cloudflare counts them.
"""

from collections.abc import Iterator
from typing import Final

from pydantic import BaseModel, Field

import clock
from api.context import Call
from compact_json import compact_json
from http_messages import HttpResponse, Reply, json_response
from tables import run_figures
from tables.run_figures import RunFigures
from wire.queries import Query

_PROMETHEUS: Final = "text/plain; version=1.0.0; charset=utf-8"


class MetricsQuery(Query):
    """The query of GET /metrics."""

    format: str = Field("prometheus", description="`json`, or anything else for Prometheus' text format.")


class QueueFigures(BaseModel):
    """Runs that are not finished; times are null when none waits."""

    n_pending: int
    pending_runs_wait_time_max_secs: float | None
    pending_runs_wait_time_med_secs: float | None
    pending_unblocked_runs_wait_time_max_secs: float | None
    n_running: int


class ApiFigures(BaseModel):
    """Always empty: see Cloudflare's own metrics."""

    http_requests_total: list[dict[str, object]]


class WorkerFigures(BaseModel):
    """Every thread executes in an object of its own, so there is no limit that could be reached."""

    max: int | None
    active: int
    available: int | None


class MetricsObject(BaseModel):
    """The metrics as JSON."""

    queue: QueueFigures
    api: ApiFigures
    workers: WorkerFigures


async def metrics(call: Call[None, MetricsQuery]) -> Reply:
    """How many runs wait, for how long, and how many execute."""
    now = clock.now_iso()
    queue = _queue(await run_figures.get(call.services.db, now=now), now)
    if call.query.format != "json":
        return HttpResponse(200, {"content-type": _PROMETHEUS}, "\n".join(_lines(queue)) + "\n")
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


def _lines(queue: QueueFigures) -> Iterator[str]:
    """A gauge for each figure; a time of nothing is 0."""
    for name, value, meaning in (
        ("num_pending_runs", queue.n_pending, "Runs that wait."),
        ("num_running_runs", queue.n_running, "Runs that execute."),
        (
            "pending_runs_wait_time_max",
            queue.pending_runs_wait_time_max_secs,
            "How long the oldest waiting run waits, in seconds.",
        ),
        (
            "pending_runs_wait_time_med",
            queue.pending_runs_wait_time_med_secs,
            "The median of how long runs wait, in seconds.",
        ),
        (
            "pending_unblocked_runs_wait_time_max",
            queue.pending_unblocked_runs_wait_time_max_secs,
            "How long the oldest run waits that no other run of its thread keeps waiting, in seconds.",
        ),
        ("workers_active", queue.n_running, "Threads that execute a run."),
    ):
        yield f"# HELP lg_api_{name} {meaning}"
        yield f"# TYPE lg_api_{name} gauge"
        yield f"lg_api_{name} {value or 0}"
