"""`GET /metrics` about ended runs, parsed by Prometheus' own parser."""

import json
from typing import Any

import pytest
from prometheus_client import parser

import clock
import d1_usage
import each_minute
from d1_usage import D1Usage
from http_messages import HttpResponse
from runs import completion, tallying
from runs.outcome import RunEnd
from settings import Settings
from tables import circuits, dead_letters, run_claims, run_metrics, runs
from tables.run_history import Stamp
from tables.runs import Run
from tests.support.endings import ending
from tests.support.http_api import Api
from tests.support.thread_object_in_memory import ThreadObjectInMemory

NOW = "2026-11-21T12:00:00.000000+00:00"


def at(seconds: float) -> str:
    return clock.shifted(NOW, seconds)


async def scraped(api: Api) -> dict[str, dict[tuple[str, ...], float]]:
    """The samples of each metric, by the values of their labels."""
    before = api.db.round_trips
    answer = await api.ask("GET", "/metrics")
    assert isinstance(answer, HttpResponse)
    assert api.db.round_trips - before == 1
    samples: dict[str, dict[tuple[str, ...], float]] = {}
    for family in parser.text_string_to_metric_families(answer.body):
        assert family.documentation
        assert family.type in ("gauge", "counter", "histogram")
        for sample in family.samples:
            values = samples.setdefault(sample.name, {})
            assert tuple(sample.labels.values()) not in values
            values[tuple(sample.labels.values())] = sample.value
    return samples


async def created(api: Api, thread_id: str | None = None, **body: Any) -> Run:
    """A run that waits since 12:00."""
    url = f"/threads/{thread_id}/runs" if thread_id else "/runs"
    made = await api.json("POST", url, {"assistant_id": "sequence", **body}, status=202)
    api.db.connection.execute("UPDATE runs SET created_at = ? WHERE run_id = ?", (NOW, made["run_id"]))
    run = await runs.get(api.db, made["thread_id"], made["run_id"])
    assert run
    return run


async def started(api: Api, run: Run, *, after: float = 0) -> Run:
    claim = await run_claims.claim_oldest_pending(api.db, run.thread_id, Stamp(at(after), "v1"))
    assert claim.claimed
    return claim.claimed


@pytest.mark.parametrize("status", ["success", "error", "timeout", "interrupted", "rollback"])
@pytest.mark.parametrize("is_stateless", [False, True])
async def test_each_end_counts_once(status: RunEnd, is_stateless: bool) -> None:
    api = Api()
    run = await started(api, await created(api, None if is_stateless else await api.new_thread()), after=0.2)
    for _ in range(2):  # as after a lost answer
        assert await completion.finish(api.db, run, ending(status, values="{}"), Stamp(at(3), "v2"))
    samples, labels = await scraped(api), ("sequence", "v2", status)
    assert samples["superstep_runs_total"] == {labels: 1}
    assert samples["superstep_run_queue_wait_seconds_sum"] == {labels: 0.2}
    assert samples["superstep_run_execution_seconds_sum"] == {labels: 2.8}
    assert samples["superstep_run_retries_total"] == {labels: 0}


async def test_an_attempt_that_was_replaced_counts_nothing() -> None:
    api = Api()
    run = await started(api, await created(api, await api.new_thread()))
    assert await run_claims.resume_running(api.db, run, Stamp(at(1), "v1"))
    assert not await completion.finish(api.db, run, ending("success"), Stamp(at(2), "v1"))
    assert "superstep_runs_total" not in await scraped(api)


async def test_a_temporary_thread_that_is_kept_counts_its_runs_once_each() -> None:
    api = Api()
    first = await started(api, await created(api))
    second = await created(api, first.thread_id)
    ended = await completion.finish(api.db, first, ending("success"), Stamp(at(1), "v1"))
    assert ended
    assert ended.claim
    assert ended.claim.claimed
    assert ended.claim.claimed.run_id == second.run_id
    assert await completion.finish(api.db, ended.claim.claimed, ending("success"), Stamp(at(2), "v1"))
    assert (await scraped(api))["superstep_runs_total"] == {("sequence", "v1", "success"): 2}


async def test_a_run_that_never_began_waited_for_nothing() -> None:
    api = Api()
    thread = ThreadObjectInMemory(api, await api.new_thread())
    run_id = await thread.create(after_seconds=3600)
    await thread.runner.stop(run_id, "nobody wants it")
    await thread.runner.work()
    samples = await scraped(api)
    labels = ("sequence", "test", "interrupted")
    assert samples["superstep_runs_total"] == {labels: 1}
    assert samples["superstep_run_queue_wait_seconds_count"] == {labels: 0}
    assert samples["superstep_run_execution_seconds_count"] == {labels: 0}


async def test_histograms_add_up() -> None:
    api, seconds = Api(), (0.01, 0.05, 0.051, 4, 4000)
    for waited in seconds:
        run = await started(api, await created(api, await api.new_thread()), after=waited)
        assert await completion.finish(api.db, run, ending("success"), Stamp(at(waited + 1), "v1"))
    samples, labels = await scraped(api), ("sequence", "v1", "success")
    buckets = samples["superstep_run_queue_wait_seconds_bucket"]
    assert list(buckets) == [(*labels, bound) for bound in [*map(str, run_metrics.BUCKETS), "+Inf"]]
    assert list(buckets.values()) == [2, 3, 3, 3, 3, 3, 4, 4, 4, 4, 4, 4, 4, 5]
    assert samples["superstep_run_queue_wait_seconds_count"] == {labels: 5}
    assert samples["superstep_run_queue_wait_seconds_sum"] == {labels: pytest.approx(sum(seconds))}
    assert samples["superstep_run_execution_seconds_sum"] == {labels: 5}


async def test_a_run_waits_from_when_it_is_due() -> None:
    api = Api()
    run = await created(api, await api.new_thread())
    api.db.connection.execute("UPDATE runs SET due_at = ?", (at(10),))
    run = await started(api, run, after=12)
    assert await completion.finish(api.db, run, ending("success"), Stamp(at(13), "v1"))
    assert list((await scraped(api))["superstep_run_queue_wait_seconds_sum"].values()) == [2]


async def test_recovery_is_from_the_last_sign_of_an_attempt_to_the_next() -> None:
    api = Api()
    thread = ThreadObjectInMemory(api, await api.new_thread())
    run = await started(api, await created(api, thread.thread_id, input={"topic": "t"}))
    for after in (5, 9):
        resumed = await run_claims.resume_running(api.db, run, Stamp(at(after), "v1"))
        assert resumed
        run = resumed
    asked = await runs.get(api.db, run.thread_id, run.run_id)
    assert asked
    assert await completion.finish(api.db, asked, ending("success"), Stamp(at(10), "v1"))
    samples, labels = await scraped(api), ("sequence", "v1", "success")
    assert samples["superstep_run_retries_total"] == {labels: 2}
    assert samples["superstep_run_recovery_seconds_total"] == {labels: 9}


async def test_what_an_attempt_committed_is_a_sign_of_it() -> None:
    api = Api()
    run = await started(api, await created(api, await api.new_thread()))
    api.db.connection.execute(
        "INSERT INTO checkpoints (thread_id, checkpoint_ns, checkpoint_id, format, checkpoint, metadata)"
        " VALUES (?, '', '1', 1, json_object('ts', ?), '{}')",
        (run.thread_id, at(7)),
    )
    resumed = await run_claims.resume_running(api.db, run, Stamp(at(9), "v1"))
    assert resumed
    assert await completion.finish(api.db, resumed, ending("success"), Stamp(at(10), "v1"))
    assert list((await scraped(api))["superstep_run_recovery_seconds_total"].values()) == [2]


async def test_what_a_run_asked_of_d1_counts_with_its_super_steps() -> None:
    api = Api()
    thread = ThreadObjectInMemory(api, await api.new_thread())
    await thread.create(input={"topic": "t"})
    await thread.runner.work()
    first = await scraped(api)
    # LangGraph's own `__start__` is one.
    assert list(first["superstep_run_supersteps_total"].values()) == [3]
    stored = ("checkpoints", "checkpoint_blobs", "checkpoint_writes")
    assert list(first["superstep_run_d1_rows_written_total"].values()) == [sum(map(api.rows, stored))]
    assert 0 < next(iter(first["superstep_run_d1_batches_total"].values())) <= 5
    await thread.create(input={"topic": "t"})
    await thread.runner.work()
    assert list((await scraped(api))["superstep_run_supersteps_total"].values()) == [6]


async def test_each_figure_of_d1_is_summed_up() -> None:
    api = Api()
    for _ in range(2):
        run = await started(api, await created(api, await api.new_thread()))
        with d1_usage.counting_on(D1Usage()):
            d1_usage.count(rows_read=3, rows_written=5, seconds=0.25)
            d1_usage.count(rows_read=4, rows_written=6, seconds=0.5)
            assert await completion.finish(api.db, run, ending("success"), Stamp(at(1), "v1"))
    samples, labels = await scraped(api), ("sequence", "v1", "success")
    figures = {"batches": 4, "rows_read": 14, "rows_written": 22, "seconds": 1.5}
    assert {name: samples[f"superstep_run_d1_{name}_total"] for name in figures} == {
        name: {labels: value} for name, value in figures.items()
    }


async def test_all_slices_of_a_run_count() -> None:
    api = Api()
    thread = ThreadObjectInMemory(api, await api.new_thread(), Settings(slice_supersteps=1))
    await thread.create(input={"topic": "t"}, durability="sync")
    await thread.runner.work()
    slices = 1
    while await thread.runner.run_slice(*thread.workflows.started[0][1:]):
        slices += 1
    samples = await scraped(api)
    assert slices > 1
    assert list(samples["superstep_run_supersteps_total"].values()) == [3]
    # One row says that a Workflow drives it.
    stored = sum(map(api.rows, ("checkpoints", "checkpoint_blobs", "checkpoint_writes")))
    assert list(samples["superstep_run_d1_rows_written_total"].values()) == [stored + 1]


async def test_a_run_from_before_there_was_a_history_is_counted_by_its_row() -> None:
    api = Api()
    run = await created(api, await api.new_thread())
    api.db.connection.execute("UPDATE runs SET status = 'running', attempt = 1, started_at = ?", (at(1),))
    asked = await runs.get(api.db, run.thread_id, run.run_id)
    assert asked
    resumed = await run_claims.resume_running(api.db, asked, Stamp(at(4), "v1"))
    assert resumed
    tally = tallying.of(resumed, ending("success"), Stamp(at(5), "v1"))
    assert (tally.wait, tally.execution, tally.retries, tally.recovery) == (1, 4, 1, 3)


async def test_a_run_that_is_driven_again_ends_again() -> None:
    api = Api()
    run = await started(api, await created(api, await api.new_thread()), after=1)
    assert await completion.finish(api.db, run, ending("error", error='{"error":"E"}'), Stamp(at(5), "v1"))
    history = json.loads(api.db.connection.execute("SELECT history FROM runs").fetchone()[0])
    history.append({"at": at(60), "event": "redriven", "attempt": 1})
    api.db.connection.execute("UPDATE runs SET status = 'pending', history = ?", (json.dumps(history),))
    again = await started(api, run, after=62)
    assert await completion.finish(api.db, again, ending("success"), Stamp(at(66), "v2"))
    samples = await scraped(api)
    failed, succeeded = ("sequence", "v1", "error"), ("sequence", "v2", "success")
    assert samples["superstep_runs_total"] == {failed: 1, succeeded: 1}
    assert samples["superstep_run_queue_wait_seconds_sum"] == {failed: 1, succeeded: 2}
    assert samples["superstep_run_execution_seconds_sum"] == {failed: 4, succeeded: 4}


async def test_webhooks_that_are_not_delivered_are_counted() -> None:
    api = Api()
    for _ in range(3):
        run = await started(api, await created(api, webhook="https://hooks.example.com/"))
        assert await completion.finish(api.db, run, ending("success"), Stamp(at(1), "v1"))
    api.db.connection.execute("UPDATE webhooks SET due_at = NULL WHERE run_id = ?", (run.run_id,))
    assert (await scraped(api))["superstep_webhooks"] == {("pending",): 2, ("dead",): 1}


async def test_what_waits_for_an_operator_is_counted() -> None:
    api = Api()
    run = await started(api, await created(api, await api.new_thread()))
    now = clock.now_iso()
    await api.db.batch(
        [
            dead_letters.insert(run, "{}", now=now),
            dead_letters.insert_nameless("m", "{}", "?", now=now),
            circuits.count(run, Stamp(now, "v1"), cut_off_since=now, opens_at=1),
            circuits.count(run, Stamp(now, "v2"), cut_off_since=now, opens_at=2),
        ]
    )
    samples = await scraped(api)
    assert samples["superstep_dead_letters"] == {("sequence",): 1, ("",): 1}
    assert samples["superstep_circuit_open"] == {("sequence", "v1"): 1}


async def test_labels_may_be_anything() -> None:
    api, name = Api(), 'a"b\\n\n{c="d"} é 🚀'
    run = await started(api, await created(api, await api.new_thread()))
    assert await completion.finish(api.db, run, ending("success"), Stamp(at(1), name))
    assert list((await scraped(api))["superstep_runs_total"]) == [("sequence", name, "success")]


async def test_versions_that_nobody_uses_any_more_are_forgotten() -> None:
    api = Api()
    for version, ended in (("old", clock.shifted(clock.now_iso(), -31 * 86400)), ("new", clock.now_iso())):
        run = await started(api, await created(api, await api.new_thread()))
        assert await completion.finish(api.db, run, ending("success"), Stamp(ended, version))
    hour = 3_600_000
    await each_minute.tick(api.services, scheduled_ms=(clock.now_ms() // hour + 1) * hour)
    assert [labels[1] for labels in (await scraped(api))["superstep_runs_total"]] == ["new"]
