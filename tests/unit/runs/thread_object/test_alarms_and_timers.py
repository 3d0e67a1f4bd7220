"""What keeps a thread's object working, and that nothing keeps it awake once it rests."""

import asyncio

import pytest

from runs.thread_object import thread_runner
from tests.support.held_thread import Thread


def timers() -> list[asyncio.TimerHandle]:
    """Those that are still to ring; of JavaScript's the same ones (`bindings/timers.py`)."""
    scheduled: list[asyncio.TimerHandle] = asyncio.get_running_loop()._scheduled  # type: ignore[attr-defined]
    return [timer for timer in scheduled if not timer.cancelled()]


async def ringing(thread: Thread) -> "asyncio.Task[None]":
    """The alarm was due."""
    thread.alarm.at_ms = None
    alarm = asyncio.ensure_future(thread.runner.ring())
    await asyncio.sleep(0)
    return alarm


@pytest.mark.parametrize("how", ["success", "interrupted"])
async def test_an_object_whose_run_has_ended_has_no_alarm_no_timer_and_no_task(how: str) -> None:
    thread = await Thread.new()
    run_id = await thread.create("held", input={"topic": "t"})
    alarm = await ringing(thread)
    await asyncio.wait_for(thread.is_in_node.wait(), 5)
    if how == "interrupted":
        await thread.cancel(run_id)
        thread.alarm.at_ms = None
    thread.release.set()
    await asyncio.wait_for(alarm, 5)
    assert await thread.status(run_id) == how
    await asyncio.sleep(0)
    assert (thread.alarm.at_ms, timers(), asyncio.all_tasks()) == (None, [], {asyncio.current_task()})


async def test_work_that_takes_longer_than_an_alarm_may_is_waited_for_by_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(thread_runner, "SHIFT_SECONDS", 0.05)
    thread = await Thread.new()
    run_id = await thread.create("held", input={"topic": "t"})
    for _ in range(3):
        await asyncio.wait_for(await ringing(thread), 5)
        assert thread.alarm.at_ms is not None
        assert (await thread.status(run_id), thread.is_in_node.is_set()) == ("running", True)
    monkeypatch.setattr(thread_runner, "SHIFT_SECONDS", 60)
    alarm = await ringing(thread)
    thread.release.set()
    await asyncio.wait_for(alarm, 5)
    assert await thread.status(run_id) == "success"
    [(attempt,)] = thread.api.db.connection.execute("SELECT attempt FROM runs").fetchall()
    assert attempt == 1
    assert (thread.alarm.at_ms, timers()) == (None, [])
