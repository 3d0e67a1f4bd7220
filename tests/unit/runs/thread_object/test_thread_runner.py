"""The executor of one thread, with everything real but the platform."""

import asyncio
import json

import pytest

import clock
from settings import Settings
from streaming.event_log import ENDED_STEP
from streaming.fanout import From
from tables import run_claims
from tables.run_history import Stamp
from tests.support.ending_thread import EndingThread
from tests.support.http_api import Api
from tests.support.thread_object_in_memory import ThreadObjectInMemory


@pytest.fixture
async def thread() -> ThreadObjectInMemory:
    api = Api()
    return ThreadObjectInMemory(api, await api.new_thread(), Settings(max_attempts=2))


async def test_all_runs_of_a_thread_are_executed_in_order(thread: ThreadObjectInMemory) -> None:
    ids = [await thread.create(input={"topic": str(n)}) for n in range(3)]
    await thread.runner.work()
    assert [await thread.status(run_id) for run_id in ids] == ["success"] * 3
    assert (await thread.thread())["values"] == {"topic": "2", "log": ["plan", "write"] * 3}


async def test_a_run_whose_end_d1_never_confirmed_keeps_its_own_result() -> None:
    """The same incarnation goes on, with another run: that one's values are not the first one's result."""
    thread = await EndingThread.new()
    assert isinstance(thread, EndingThread)
    first = await thread.create("sequence", input={"topic": "1"})
    await thread.create("held", input={"topic": "2"})
    thread.connection.loses_answers = True
    await thread.runner.work()
    thread.connection.loses_answers = False
    assert (await thread.status(first), thread.streams.stored_result(first)) == ("success", None)
    work = asyncio.ensure_future(thread.runner.work())
    await asyncio.wait_for(thread.is_in_node.wait(), 5)
    result = thread.streams.stored_result(first)
    assert result
    assert json.loads(result) == {"topic": "1", "log": ["plan", "write"]}
    thread.release.set()
    await asyncio.wait_for(work, 5)


async def test_a_run_whose_end_was_not_noted_before_a_crash_keeps_its_own_result(thread: ThreadObjectInMemory) -> None:
    first = await thread.create(input={"topic": "1"})
    await thread.runner.work()
    thread.storage.execute("DELETE FROM stream_blocks WHERE run_id = ? AND root_step = ?", first, ENDED_STEP)
    await thread.create(input={"topic": "2"})
    thread.incarnate()
    await thread.runner.work()
    await thread.runner.recall(first)
    assert json.loads(await thread.streams.result(first)) == {"topic": "1", "log": ["plan", "write"]}


async def test_a_run_whose_failure_was_not_noted_before_a_crash_shows_its_error(thread: ThreadObjectInMemory) -> None:
    failed = await thread.create("failure", input={"topic": "t"})
    await thread.runner.work()
    thread.storage.execute("DELETE FROM stream_blocks WHERE run_id = ? AND root_step = ?", failed, ENDED_STEP)
    thread.incarnate()
    await thread.runner.recall(failed)
    subscription, text = thread.streams.subscribe(failed, From.START), ""
    while chunk := await subscription.next_chunk():
        text += chunk
    assert 'event: error\r\ndata: {"error":"ValueError","message":"boom"}' in text


async def test_a_run_that_is_given_up_leaves_what_the_thread_shows(thread: ThreadObjectInMemory) -> None:
    await thread.create("approval", input={"topic": "t"})
    await thread.runner.work()
    before = await thread.thread()
    assert before["interrupts"]
    await thread.create("approval", input={"topic": "t"})
    claim = await run_claims.claim_oldest_pending(thread.api.db, thread.thread_id, Stamp(clock.moment(), "test"))
    assert claim.claimed
    assert await run_claims.resume_running(thread.api.db, claim.claimed, Stamp(clock.moment(), "test"))
    await thread.runner.work()
    after = await thread.thread()
    assert (after["status"], after["error"]["error"]) == ("error", "AttemptsExhausted")
    assert (after["values"], after["interrupts"]) == (before["values"], before["interrupts"])


@pytest.mark.parametrize("field", ["metadata", "configurable"])
async def test_no_run_can_spoil_its_thread_for_the_next(thread: ThreadObjectInMemory, field: str) -> None:
    """LangGraph reads this key back out of checkpoints, into which it copies what callers configure."""
    spoilt = {field: {"counters_since_delta_snapshot": "x"}}
    ids = [await thread.create(input={"topic": "a"}, config=config) for config in (spoilt, {})]
    await thread.runner.work()
    assert [await thread.status(run_id) for run_id in ids] == ["success"] * 2


@pytest.mark.parametrize(
    ("assistant", "rests"), [("sequence", "idle"), ("approval", "interrupted"), ("failure", "error")]
)
async def test_a_run_that_is_cancelled_before_it_begins_leaves_its_thread_as_it_was(
    thread: ThreadObjectInMemory, assistant: str, rests: str
) -> None:
    await thread.create(assistant, input={"topic": "t"})
    await thread.runner.work()
    before = await thread.thread()
    assert before["status"] == rests
    pending = await thread.create(assistant, after_seconds=3600)
    assert (await thread.thread())["status"] == "busy"
    await thread.runner.stop(pending, "the client left")
    await thread.runner.work()
    after = await thread.thread()
    assert await thread.status(pending) == "interrupted"
    assert {name: after[name] for name in ("status", "values", "error", "interrupts")} == {
        name: before[name] for name in ("status", "values", "error", "interrupts")
    }
