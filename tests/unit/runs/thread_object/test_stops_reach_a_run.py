"""A stop reaches a run wherever it is, and no node of it begins after that."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from tests.support.held_thread import Thread

#: Brings a run to its place; the work that goes on meanwhile, if any.
Place = Callable[[Thread], Awaitable[tuple[str, list["asyncio.Future[object]"]]]]


async def behind_another(thread: Thread) -> tuple[str, list["asyncio.Future[object]"]]:
    await thread.start_held()
    waiting = await thread.create("held", input={"topic": "t"})
    thread.is_in_node.clear()
    return waiting, []


async def waiting_for_its_time(thread: Thread) -> tuple[str, list["asyncio.Future[object]"]]:
    return await thread.create("held", input={"topic": "t"}, after_seconds=3600), []


async def executing(thread: Thread) -> tuple[str, list["asyncio.Future[object]"]]:
    run_id, work = await thread.start_held()
    return run_id, [work]


async def between_slices(thread: Thread) -> tuple[str, list["asyncio.Future[object]"]]:
    """A Workflow is about to ask for the next one."""
    run_id = await thread.create("held", input={"topic": "t"}, durability="sync")
    await thread.runner.work()
    assert thread.workflows.started == [(thread.thread_id, run_id, 1)]
    return run_id, []


async def inside_a_slice(thread: Thread) -> tuple[str, list["asyncio.Future[object]"]]:
    """That a Workflow has asked for."""
    run_id, _ = await between_slices(thread)
    working: list[asyncio.Future[object]] = []
    while not thread.is_in_node.is_set():
        if not working or working[-1].done():
            working.append(asyncio.ensure_future(thread.runner.run_slice(run_id, 1)))
        await asyncio.sleep(0)
    return run_id, working


async def cut_off(thread: Thread) -> tuple[str, list["asyncio.Future[object]"]]:
    """Nobody executes it: the object died."""
    run_id, work = await thread.start_held()
    await thread.crash(work)
    return run_id, []


async def cut_off_between_slices(thread: Thread) -> tuple[str, list["asyncio.Future[object]"]]:
    run_id, _ = await between_slices(thread)
    thread.incarnate()
    return run_id, []


SLICED = (between_slices, inside_a_slice, cut_off_between_slices)


@pytest.mark.parametrize("action", ["interrupt", "rollback"])
@pytest.mark.parametrize(
    "place", [behind_another, waiting_for_its_time, executing, *SLICED, cut_off], ids=lambda place: place.__name__
)
async def test_a_stop_reaches_a_run_wherever_it_is(place: Place, action: str) -> None:
    thread = await Thread.new(slice_supersteps=1 if place in SLICED else 1000)
    run_id, at_work = await place(thread)
    was_in_node = thread.is_in_node.is_set()
    await thread.cancel(run_id, f"?action={action}")
    if place is not behind_another:  # the alarm rings
        await asyncio.wait_for(thread.runner.work(), 5)
    await asyncio.wait_for(asyncio.gather(*at_work), 5)
    assert (await thread.runs()).get(run_id) == {"interrupt": "interrupted", "rollback": None}[action]
    assert thread.is_in_node.is_set() == was_in_node, "a node began although the run was to stop"
    checkpoints = thread.api.db.connection.execute(
        "SELECT COUNT(*) FROM checkpoints WHERE json_extract(metadata, '$.run_id') = ?", (run_id,)
    ).fetchone()[0]
    has_begun = place not in (behind_another, waiting_for_its_time)
    assert bool(checkpoints) == (has_begun and action == "interrupt")
    assert not await thread.runner.run_slice(run_id, 1), "its Workflow is sent away"
    shown = "interrupted" if has_begun and action == "interrupt" else "idle"
    assert (await thread.thread())["status"] == ("busy" if place is behind_another else shown)
