"""A run that was cut off and is ended before it goes on: its stream shows what it committed, as if it had not been."""

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

import pytest
from langgraph.graph import START, StateGraph

from ports import Database, Row, Statement
from streaming import sse
from streaming.fanout import From
from tests.support.held_thread import Thread
from tests.support.http_api import State
from tests.support.run_driver import named
from tests.support.waiting import until

T = TypeVar("T")

MODES = ["values", "updates", "checkpoints"]


class FallingSilent:
    """The way to a database that answers nothing any more once the log of the committed state ends with `last`."""

    def __init__(self, thread: Thread, database: Database, last: str) -> None:
        self._thread, self._database, self._last = thread, database, last
        self.is_silent = asyncio.Event()

    async def batch(self, statements: Sequence[Statement]) -> list[list[Row]]:
        """See `ports.Database.batch`."""
        results = await self._database.batch(statements)
        if (await self._thread.log() or [])[-1:] == [self._last]:
            self.is_silent.set()
            await asyncio.Event().wait()
        return results

    def wait(self, call: Coroutine[Any, Any, T]) -> T:
        """See `ports.Database.wait`."""
        return self._database.wait(call)


async def thread_of(how: str) -> Thread:
    return await Thread.new(bg_job_timeout_secs=1 if how == "timeout" else 3600)


async def stop(thread: Thread, run_id: str, how: str) -> None:
    if how == "interrupt":
        await thread.cancel(run_id)
    else:
        thread.api.db.connection.execute("UPDATE runs SET started_at = '2020-01-01T00:00:00+00:00'")


async def shown(thread: Thread, run_id: str) -> list[tuple[str, str]]:
    """What a client reads that comes when the run is over; of checkpoints, which have ids, how many there are."""
    followed, text = thread.streams.subscribe(run_id, From.START), ""
    while chunk := await followed.next_chunk():
        text += chunk
    return [(name, "" if name == "checkpoints" else data) for name, data in named(sse.split(text), *MODES)]


async def undisturbed(how: str) -> list[tuple[str, str]]:
    thread = await thread_of(how)
    run_id, work = await thread.start_held(stream_mode=MODES)
    await stop(thread, run_id, how)
    await asyncio.wait_for(work, 5)
    return await shown(thread, run_id)


async def cut_off_after_a_commit(thread: Thread) -> str:
    """A run whose object died before it heard that its first node was committed."""
    silent = FallingSilent(thread, thread.api.db, "first")
    thread.open_database = lambda: silent  # type: ignore[method-assign]
    thread.incarnate()
    run_id = await thread.create("held", input={"topic": "t"}, stream_mode=MODES)
    work = asyncio.ensure_future(thread.runner.work())
    await asyncio.wait_for(silent.is_silent.wait(), 5)
    del thread.open_database
    await thread.crash(work)
    return run_id


@pytest.mark.parametrize("how", ["interrupt", "timeout"])
async def test_the_stream_ends_with_what_was_committed_before_the_crash(how: str) -> None:
    thread = await thread_of(how)
    run_id = await cut_off_after_a_commit(thread)
    await stop(thread, run_id, how)
    await asyncio.wait_for(thread.runner.work(), 5)
    assert await shown(thread, run_id) == await undisturbed(how)


async def test_it_does_so_although_the_object_dies_again_at_the_end_of_the_run() -> None:
    thread = await thread_of("interrupt")
    run_id = await cut_off_after_a_commit(thread)
    await thread.cancel(run_id)
    silent = asyncio.Event()
    batch = thread.api.db.batch

    async def unanswered(statements: Sequence[Statement]) -> list[list[Row]]:
        results = await batch(statements)
        if any("INSERT INTO run_metrics" in statement.sql for statement in statements):
            silent.set()
            await asyncio.Event().wait()
        return results

    thread.api.db.batch = unanswered  # type: ignore[method-assign]
    work = asyncio.ensure_future(thread.runner.work())
    await asyncio.wait_for(silent.wait(), 5)
    del thread.api.db.batch
    await thread.crash(work)
    await asyncio.wait_for(thread.runner.work(), 5)
    assert await shown(thread, run_id) == await undisturbed("interrupt")


def side_by_side(thread: Thread) -> Any:
    """`held`, beside whose second node another one finishes at once."""

    async def second(_state: State) -> State:
        thread.is_in_node.set()
        await thread.release.wait()
        return {"log": ["second"]}

    graph = StateGraph(State)
    graph.add_node("first", lambda _state: {"log": ["first"]})
    graph.add_node("second", second)
    graph.add_node("beside", lambda _state: {"log": ["beside"]})
    graph.add_edge(START, "first")
    graph.add_edge("first", "second")
    graph.add_edge("first", "beside")
    return graph.compile()


async def test_it_shows_no_super_step_that_was_not_over() -> None:
    thread = await thread_of("interrupt")
    thread.api.registry.graphs["held"] = side_by_side(thread)
    run_id = await thread.create("held", input={"topic": "t"}, stream_mode=MODES)
    work = asyncio.ensure_future(thread.runner.work())

    async def is_beside() -> bool:
        return await thread.log() == ["first", "beside"]

    await until("one of the nodes is stored", is_beside)
    await thread.crash(work)
    await thread.cancel(run_id)
    await asyncio.wait_for(thread.runner.work(), 5)
    values = [event for event in await shown(thread, run_id) if event[0] == "values"]
    assert values == [
        ("values", '{"topic":"t","log":[]}'),
        ("values", '{"topic":"t","log":["first"]}'),
    ]
