"""Whoever follows a thread hears how each of its runs ended, though the object died when D1 had stored the end.

These runs have shown nothing before, or are deleted at their end: D1 and the log by themselves do not tell of them.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import pytest

import clock
from streaming.events import START
from streaming.protocol_view import ProtocolView, Wanted
from streaming.views import thread_view
from tables import run_claims
from tables.run_history import Stamp
from tests.support.ending_thread import EndingThread

Work: TypeAlias = "asyncio.Task[Any]"

#: Creates a run; returns its id, and what is at work when its end will be stored soon.
Ending: TypeAlias = Callable[[EndingThread], Awaitable[tuple[str, list[Work]]]]

EVERYTHING = Wanted(channels=("values", "updates", "messages", "tools", "custom", "lifecycle", "input"))


async def stopped_while_it_waits(thread: EndingThread, query: str = "") -> tuple[str, list[Work]]:
    _, executing = await thread.start_held()
    run_id = await thread.create(input={"topic": "x"})
    stopping = asyncio.ensure_future(thread.cancel(run_id, query))
    return run_id, [stopping, executing]


async def rolled_back_while_it_waits(thread: EndingThread) -> tuple[str, list[Work]]:
    return await stopped_while_it_waits(thread, "?action=rollback")


async def stopped_when_it_was_next(thread: EndingThread, query: str = "") -> tuple[str, list[Work]]:
    await thread.create(input={"topic": "before"})
    await thread.runner.work()
    run_id = await thread.create(input={"topic": "x"})
    await thread.cancel(run_id, query)
    work = asyncio.ensure_future(thread.runner.work())
    return run_id, [work]


async def rolled_back_when_it_was_next(thread: EndingThread) -> tuple[str, list[Work]]:
    return await stopped_when_it_was_next(thread, "?action=rollback")


async def rolled_back_in_the_middle(thread: EndingThread) -> tuple[str, list[Work]]:
    run_id, work = await thread.start_held()
    stopping = asyncio.ensure_future(thread.cancel(run_id, "?action=rollback"))
    return run_id, [work, stopping]


async def without_a_graph(thread: EndingThread) -> tuple[str, list[Work]]:
    run_id = await thread.create("held", input={"topic": "x"})
    del thread.api.registry.graphs["held"]
    work = asyncio.ensure_future(thread.runner.work())
    return run_id, [work]


async def given_up(thread: EndingThread) -> tuple[str, list[Work]]:
    """An executor died before it had shown anything."""
    run_id = await thread.create(input={"topic": "x"})
    stamp = Stamp(clock.moment(), "test")
    assert (await run_claims.claim_oldest_pending(thread.api.db, thread.thread_id, stamp)).claimed
    work = asyncio.ensure_future(thread.runner.work())
    return run_id, [work]


async def create_stateless(thread: EndingThread) -> str:
    """A run that its creator waits for, on a thread that goes with it."""
    body = {"assistant_id": "held", "input": {"topic": "x"}, "on_completion": "delete"}
    run = await thread.api.json("POST", "/runs", body, status=202)
    thread.thread_id = run["thread_id"]
    thread.incarnate()
    thread.streams.open(run["run_id"])
    return run["run_id"]


async def stateless(thread: EndingThread) -> tuple[str, list[Work]]:
    thread.release.set()
    run_id = await create_stateless(thread)
    return run_id, [asyncio.ensure_future(thread.runner.work())]


async def stateless_and_failed(thread: EndingThread) -> tuple[str, list[Work]]:
    run_id = await create_stateless(thread)
    del thread.api.registry.graphs["held"]
    return run_id, [asyncio.ensure_future(thread.runner.work())]


async def stateless_and_cancelled(thread: EndingThread, query: str = "") -> tuple[str, list[Work]]:
    run_id = await create_stateless(thread)
    work = asyncio.ensure_future(thread.runner.work())
    await asyncio.wait_for(thread.is_in_node.wait(), 5)
    return run_id, [work, asyncio.ensure_future(thread.cancel(run_id, query))]


async def stateless_and_rolled_back(thread: EndingThread) -> tuple[str, list[Work]]:
    return await stateless_and_cancelled(thread, "?action=rollback")


async def stateless_and_stopped_before_it_began(thread: EndingThread) -> tuple[str, list[Work]]:
    run_id = await create_stateless(thread)
    await thread.cancel(run_id)
    return run_id, [asyncio.ensure_future(thread.runner.work())]


def told(thread: EndingThread, run_id: str) -> list[Any]:
    """What the thread stream and the streaming protocol tell of a run, without numbers and times."""
    as_stream, as_protocol = thread_view(["run_modes"]), ProtocolView(thread.streams.log)
    found: list[Any] = []
    position = START
    while frames := thread.streams.log.read(position):
        for frame in (frame for frame in frames if frame.run_id == run_id):
            lines = as_stream(frame).replace(run_id, "the run").splitlines()
            found += [line for line in lines if line and not line.startswith("id:")]
            found += [(event.method, event.data) for event in as_protocol.wanted(frame, EVERYTHING)]
        position = frames[-1].id
    return found


async def end_of(ending: Ending, *, dies: bool) -> list[Any]:
    """What followers of the thread are told, and what `/wait` answers."""
    thread = await EndingThread.new(max_attempts=1)
    assert isinstance(thread, EndingThread)
    run_id, at_work = await ending(thread)
    connection = thread.connection
    connection.has_ended_run.clear()
    if dies:
        connection.answers.clear()
    await asyncio.wait_for(connection.has_ended_run.wait(), 5)
    if dies:
        for work in at_work:
            work.cancel()
        await asyncio.wait(at_work)
        thread.incarnate()
        thread.streams.open(run_id)  # who followed it asks again
        at_work = [asyncio.ensure_future(thread.runner.work())]
    thread.release.set()
    await asyncio.wait_for(asyncio.gather(*at_work), 5)
    return [*told(thread, run_id), thread.streams.stored_result(run_id)]


@pytest.mark.parametrize(
    "ending",
    [
        stopped_while_it_waits,
        rolled_back_while_it_waits,
        stopped_when_it_was_next,
        rolled_back_when_it_was_next,
        rolled_back_in_the_middle,
        without_a_graph,
        given_up,
        stateless,
        stateless_and_failed,
        stateless_and_cancelled,
        stateless_and_rolled_back,
        stateless_and_stopped_before_it_began,
    ],
)
async def test_they_hear_of_it(ending: Ending) -> None:
    calm = await end_of(ending, dies=False)
    assert any("run_done" in line for line in calm[:-1])
    assert any(line[0] == "lifecycle" for line in calm[:-1])
    dead = await end_of(ending, dies=True)
    assert dead == calm


def noted(thread: EndingThread) -> list[Any]:
    return [row["run_id"] for row in thread.storage.execute("SELECT run_id FROM stream_notes WHERE kind = 'ending'")]


@pytest.mark.parametrize("durability", ["sync", "async", "exit"])
async def test_the_end_of_a_run_that_has_shown_something_costs_no_note(durability: str) -> None:
    thread = await EndingThread.new()
    assert isinstance(thread, EndingThread)
    await thread.create(input={"topic": "x"}, durability=durability)
    await thread.runner.work()
    assert not noted(thread)


@pytest.mark.parametrize("is_followed", [True, False])
async def test_the_end_of_a_stateless_run_costs_a_note_if_somebody_follows_it(*, is_followed: bool) -> None:
    thread = await EndingThread.new()
    assert isinstance(thread, EndingThread)
    run_id = await create_stateless(thread)
    if not is_followed:
        thread.streams.close(run_id)
    thread.release.set()
    thread.connection.answers.clear()
    work = asyncio.ensure_future(thread.runner.work())
    await asyncio.wait_for(thread.connection.has_ended_run.wait(), 5)
    assert noted(thread) == [run_id] * is_followed
    thread.connection.answers.set()
    await asyncio.wait_for(work, 5)


async def test_a_note_is_forgotten_with_its_run() -> None:
    thread = await EndingThread.new()
    assert isinstance(thread, EndingThread)
    run_id, [work] = await stopped_when_it_was_next(thread)
    await work
    assert noted(thread) == [run_id]
    thread.streams.retire(clock.now_ms() + 1)
    assert not noted(thread)
