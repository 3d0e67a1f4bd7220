"""Stops and time limits reach a run wherever it is: in a slice, between two, far from its end, behind a slow D1."""

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

import pytest

from ports import Database, Row, Statement
from tests.support.held_thread import Thread

T = TypeVar("T")

ENDS = {"interrupt": "interrupted", "rollback": None, "timeout": "timeout"}
LEFT = {"interrupt": ["first"], "rollback": None, "timeout": ["first"]}


class StallingDatabase:
    """The way to a database that answers nobody until it `flows`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.flows = asyncio.Event()
        self.flows.set()

    async def batch(self, statements: Sequence[Statement]) -> list[list[Row]]:
        """See `ports.Database.batch`."""
        await self.flows.wait()
        return await self._database.batch(statements)

    def wait(self, call: Coroutine[Any, Any, T]) -> T:
        """See `ports.Database.wait`."""
        return self._database.wait(call)


async def ended(thread: Thread, run_id: str, how: str) -> None:
    assert (await thread.runs()).get(run_id) == ENDS[how]
    assert await thread.log() == LEFT[how]
    after = await thread.create(input={"topic": "u"})
    await asyncio.wait_for(thread.runner.work(), 5)
    while await thread.runner.run_slice(after, 1):
        pass
    assert await thread.status(after) == "success"


async def handed_over(how: str) -> tuple[Thread, str]:
    """A thread whose run waits for the Workflow's next step."""
    thread = await Thread.new(slice_supersteps=1, bg_job_timeout_secs=1 if how == "timeout" else 3600)
    run_id = await thread.create("held", input={"topic": "t"})
    await thread.runner.work()
    while await thread.log() != ["first"]:
        assert await thread.runner.run_slice(run_id, 1)
    return thread, run_id


@pytest.mark.parametrize("how", ["interrupt", "rollback"])
async def test_a_run_is_stopped_between_its_slices(how: str) -> None:
    thread, run_id = await handed_over(how)
    thread.alarm.at_ms = None
    await thread.cancel(run_id, f"?action={how}")
    assert thread.alarm.at_ms is not None
    await asyncio.wait_for(thread.runner.work(), 5)
    assert not await thread.runner.run_slice(run_id, 1)
    assert not thread.is_in_node.is_set()
    await ended(thread, run_id, how)


@pytest.mark.parametrize("how", ["interrupt", "rollback"])
async def test_a_run_that_waits_is_stopped_between_the_slices_of_another(how: str) -> None:
    thread, run_id = await handed_over(how)
    waits = await thread.create("sequence", input={"topic": "x"})
    await thread.cancel(waits, f"?action={how}")
    await asyncio.wait_for(thread.runner.work(), 5)
    assert (await thread.runs()).get(waits) == ENDS[how]
    assert await thread.status(run_id) == "running"
    await asyncio.wait_for(thread.streams.result(waits), 1)


@pytest.mark.parametrize("how", ["interrupt", "rollback", "timeout"])
async def test_a_run_is_stopped_in_the_slice_of_a_workflow(how: str) -> None:
    thread, run_id = await handed_over(how)
    slice_ = asyncio.ensure_future(thread.runner.run_slice(run_id, 1))
    await asyncio.wait_for(thread.is_in_node.wait(), 5)
    if how != "timeout":
        await thread.cancel(run_id, f"?action={how}")
    assert not await asyncio.wait_for(slice_, 5)
    await ended(thread, run_id, how)


async def test_a_run_times_out_while_d1_does_not_answer() -> None:
    thread = await Thread.new(bg_job_timeout_secs=1)
    database = StallingDatabase(thread.api.db)
    thread.open_database = lambda: database  # type: ignore[method-assign]
    thread.incarnate()
    run_id, work = await thread.start_held()
    database.flows.clear()
    await asyncio.wait({work}, timeout=1.5)
    assert not work.done()
    thread.release.set()
    database.flows.set()
    await asyncio.wait_for(work, 5)
    await ended(thread, run_id, "timeout")
