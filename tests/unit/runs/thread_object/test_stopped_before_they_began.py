"""Runs that are stopped before they begin: those who follow them are told, though the object dies meanwhile."""

import asyncio
import json

import pytest

import clock
from runs import cancellation
from streaming.fanout import From
from tables.access import EVERYTHING
from tables.run_history import Stamp
from tests.support.ending_thread import EndingThread
from tests.support.waiting import until


async def ask(thread: EndingThread, run_id: str) -> "asyncio.Task[None]":
    """What the object does first for whoever has just created a run; the work that it starts."""
    thread.streams.open(run_id)
    await thread.runner.wake()
    return asyncio.ensure_future(thread.runner.work())


async def stopped_without_a_trace() -> tuple[EndingThread, str, str]:
    """A new incarnation, in whose thread a run executed while another was stopped; their ids."""
    thread = await EndingThread.new()
    assert isinstance(thread, EndingThread)
    held, work = await thread.start_held()
    stopped = await thread.create("sequence", input={"topic": "x"})
    thread.connection.answers.clear()
    cancelling = asyncio.ensure_future(thread.cancel(stopped))

    async def is_stored() -> bool:
        return await thread.status(stopped) == "interrupted"

    await until("the stop is stored", is_stored)
    cancelling.cancel()
    await thread.crash(work)
    return thread, held, stopped


async def assert_told(thread: EndingThread, run_id: str) -> None:
    """Followers of the run hear that it is over, whatever executes."""
    shown = (await thread.thread())["values"]
    assert json.loads(await asyncio.wait_for(thread.streams.result(run_id), 1)) == shown
    subscription = thread.streams.subscribe(run_id, From.START)
    assert await asyncio.wait_for(subscription.next_chunk(), 1) is None


@pytest.mark.parametrize("is_first", [True, False], ids=["asks first", "asks later"])
async def test_its_creator_does_not_wait_for_the_run_that_goes_on(*, is_first: bool) -> None:
    thread, held, stopped = await stopped_without_a_trace()
    thread.is_in_node.clear()
    asking = await ask(thread, stopped) if is_first else None
    work = asking or asyncio.ensure_future(thread.runner.work())
    await asyncio.wait_for(thread.is_in_node.wait(), 5)
    if not is_first:
        asking = await ask(thread, stopped)
    await assert_told(thread, stopped)
    assert await thread.status(held) == "running"
    thread.release.set()
    await asyncio.wait_for(asyncio.gather(work, asking or work), 5)
    assert await thread.status(held) == "success"


async def test_its_creator_does_not_wait_for_the_run_that_begins() -> None:
    thread, held, stopped = await stopped_without_a_trace()
    thread.api.db.connection.execute("UPDATE runs SET status = 'success' WHERE run_id = ?", (held,))
    await thread.create("held", input={"topic": "t"})
    thread.is_in_node.clear()
    work = await ask(thread, stopped)
    await asyncio.wait_for(thread.is_in_node.wait(), 5)
    await assert_told(thread, stopped)
    thread.release.set()
    await asyncio.wait_for(work, 5)


async def test_its_followers_do_not_wait_for_the_run_that_goes_on_if_d1s_answer_was_lost() -> None:
    thread = await EndingThread.new()
    assert isinstance(thread, EndingThread)
    held, work = await thread.start_held()
    stopped = await thread.create("sequence", input={"topic": "x"})
    thread.streams.open(stopped)
    thread.connection.loses_answers = True
    await thread.cancel(stopped)
    thread.connection.loses_answers = False
    assert (await thread.status(stopped), thread.streams.stored_result(stopped)) == ("interrupted", None)
    await thread.runner.wake()
    await assert_told(thread, stopped)
    assert await thread.status(held) == "running"
    thread.release.set()
    await asyncio.wait_for(work, 5)


async def test_looks_at_the_same_time_tell_of_its_end_once() -> None:
    """A rollback deletes the row: whoever then finds that nothing is left to do might take it for its own doing."""
    thread = await EndingThread.new()
    assert isinstance(thread, EndingThread)
    _, work = await thread.start_held()
    stopped = await thread.create("sequence", input={"topic": "x"}, webhook="https://hooks.example.com/")
    thread.streams.open(stopped)
    wish, stamp = cancellation.cancelled_by_caller("rollback"), Stamp(clock.moment(), "test")
    await cancellation.ask(thread.api.db, thread.thread_id, [stopped], wish, EVERYTHING, stamp)
    await asyncio.gather(*(thread.runner.wake() for _ in range(3)))
    assert stopped not in await thread.runs()
    await assert_told(thread, stopped)
    assert thread.webhook_queue.sent == [stopped]
    thread.release.set()
    await asyncio.wait_for(work, 5)
