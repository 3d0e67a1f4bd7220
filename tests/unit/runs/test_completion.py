"""The end of a run, and what its thread looks like afterwards."""

from typing import Any

import pytest

import clock
from errors import IllegalTransition
from runs import completion
from runs.outcome import Outcome
from tables import run_claims, runs, threads
from tables.access import EVERYTHING
from tables.run_history import Stamp
from tables.runs import Run
from tables.threads import Thread
from tests.support.endings import ending
from tests.support.http_api import Api

SUCCESS = ending("success", values="{}")


@pytest.fixture
def api() -> Api:
    return Api()


async def start(api: Api, thread_id: str) -> Run:
    """A run that is being executed."""
    await api.json("POST", f"/threads/{thread_id}/runs", {"assistant_id": "sequence"}, status=202)
    claim = await run_claims.claim_oldest_pending(api.db, thread_id, Stamp(clock.now_iso(), "test"))
    assert claim.claimed
    return claim.claimed


async def thread_of(api: Api, thread_id: str) -> Thread:
    thread = await threads.get(api.db, thread_id, EVERYTHING)
    assert thread
    return thread


@pytest.mark.parametrize(
    ("ended", "expected"),
    [
        (
            ending("success", has_next=False, values='{"a":1}', interrupts="{}"),
            {"status": "idle", "values": {"a": 1}, "error": None, "interrupts": {}},
        ),
        (
            ending("success", has_next=True, values='{"a":1}', interrupts='{"t":[{"id":"i","value":1}]}'),
            {"status": "interrupted", "values": {"a": 1}, "interrupts": {"t": [{"id": "i", "value": 1}]}},
        ),
        (
            ending("error", has_next=True, values='{"a":1}', error='{"error":"E","message":"m"}'),
            {"status": "error", "values": {"a": 1}, "error": {"error": "E", "message": "m"}},
        ),
        (
            ending("timeout", has_next=True, error='{"error":"TimeoutError","message":""}'),
            {"status": "error", "values": None, "error": {"error": "TimeoutError", "message": ""}},
        ),
        (ending("interrupted", has_next=True), {"status": "interrupted", "values": None}),
    ],
)
async def test_a_thread_shows_how_its_run_ended(api: Api, ended: Outcome, expected: dict[str, Any]) -> None:
    thread_id = await api.new_thread()
    run = await start(api, thread_id)
    now = clock.now_iso()
    assert await completion.finish(api.db, run, ended, Stamp(now, "test"))
    thread = await api.json("GET", f"/threads/{thread_id}")
    assert thread | expected == thread
    assert thread["updated_at"] == now
    assert (thread["state_updated_at"] == now) == (ended.values is not None)
    stored = await api.json("GET", f"/threads/{thread_id}/runs/{run.run_id}")
    assert (stored["status"], stored["updated_at"]) == (ended.status, now)


async def test_the_whole_life_of_a_run_writes_few_rows(api: Api) -> None:
    await api.json("POST", "/assistants/search", {})
    rows = api.db.rows_written
    thread_id = await api.new_thread()
    run = await start(api, thread_id)
    assert await completion.finish(
        api.db, run, ending("success", has_next=False, values="{}"), Stamp(clock.now_iso(), "test")
    )
    # Rows of tables; D1 also bills those of indexes: runs_unfinished in and out, threads_by_updated_at each time.
    assert api.db.rows_written - rows == 7


async def test_a_thread_stays_busy_while_another_run_waits(api: Api) -> None:
    thread_id = await api.new_thread()
    first = await start(api, thread_id)
    await api.json("POST", f"/threads/{thread_id}/runs", {"assistant_id": "sequence"}, status=202)
    ended = ending(status="error", has_next=True, values='{"a":1}', error='{"error":"E","message":"m"}')
    finished = await completion.finish(api.db, first, ended, Stamp(clock.now_iso(), "test"))
    thread = await thread_of(api, thread_id)
    assert (thread.status, thread.values_json) == ("busy", '{"a":1}')
    assert finished.claim
    second = finished.claim.claimed
    assert second
    end = await completion.finish(api.db, second, ending("success", has_next=False), Stamp(clock.now_iso(), "test"))
    assert end
    assert end.claim
    assert end.claim.claimed is None
    thread = await thread_of(api, thread_id)
    assert (thread.status, thread.error, thread.values_json) == ("idle", None, '{"a":1}')


async def test_a_pending_run_cannot_succeed(api: Api) -> None:
    thread_id = await api.new_thread()
    created = await api.json("POST", f"/threads/{thread_id}/runs", {"assistant_id": "sequence"}, status=202)
    pending = await runs.get(api.db, thread_id, created["run_id"])
    assert pending
    with pytest.raises(IllegalTransition):
        await completion.finish(api.db, pending, ending("success", has_next=False), Stamp(clock.now_iso(), "test"))
    assert await runs.get(api.db, thread_id, created["run_id"]) == pending


async def test_a_stateless_run_leaves_nothing_behind(api: Api) -> None:
    body = {"assistant_id": "sequence", "input": {"topic": "x" * 2_000_000}}
    created = await api.json("POST", "/runs", body, status=202)
    thread_id = created["thread_id"]
    claim = await run_claims.claim_oldest_pending(api.db, thread_id, Stamp(clock.now_iso(), "test"))
    assert claim.claimed
    assert await completion.finish(api.db, claim.claimed, SUCCESS, Stamp(clock.now_iso(), "test"))
    assert [api.rows(table) for table in ("threads", "runs", "large_texts")] == [0, 0, 0]


async def test_an_attempt_that_was_replaced_deletes_no_temporary_thread(api: Api) -> None:
    created = await api.json("POST", "/runs", {"assistant_id": "sequence"}, status=202)
    claim = await run_claims.claim_oldest_pending(api.db, created["thread_id"], Stamp(clock.now_iso(), "test"))
    assert claim.claimed
    assert await run_claims.resume_running(api.db, claim.claimed, Stamp(clock.now_iso(), "test"))
    assert not await completion.finish(api.db, claim.claimed, SUCCESS, Stamp(clock.now_iso(), "test"))
    assert (api.rows("threads"), api.rows("runs")) == (1, 1)


async def test_a_temporary_thread_on_which_somebody_puts_another_run_is_kept(api: Api) -> None:
    created = await api.json("POST", "/runs", {"assistant_id": "sequence"}, status=202)
    thread_id = created["thread_id"]
    claim = await run_claims.claim_oldest_pending(api.db, thread_id, Stamp(clock.now_iso(), "test"))
    await api.json("POST", f"/threads/{thread_id}/runs", {"assistant_id": "sequence"}, status=202)
    assert claim.claimed
    finished = await completion.finish(api.db, claim.claimed, SUCCESS, Stamp(clock.now_iso(), "test"))
    assert finished
    assert finished.claim
    second = finished.claim.claimed
    assert second
    assert await completion.finish(api.db, second, SUCCESS, Stamp(clock.now_iso(), "test"))
    listed = await api.json("GET", f"/threads/{thread_id}/runs")
    assert [run["status"] for run in listed] == ["success", "success"]
    assert (await api.json("GET", f"/threads/{thread_id}"))["status"] == "idle"
