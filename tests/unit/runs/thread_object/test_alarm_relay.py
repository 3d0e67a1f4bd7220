"""Alarms that wait for work which may take longer than one of them."""

import asyncio
from collections.abc import Callable

import pytest

import clock
from runs.thread_object.alarm_relay import SHIFT_SECONDS, AlarmRelay


@pytest.fixture
def pass_time(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    now_ms = 1_000_000

    def pass_seconds(seconds: int) -> None:
        nonlocal now_ms
        now_ms += seconds * 1000

    monkeypatch.setattr(clock, "now_ms", lambda: now_ms)
    return pass_seconds


async def test_an_alarm_waits_for_its_work_and_is_relieved_when_it_is_old(pass_time: Callable[[int], None]) -> None:
    relay, release, lock = AlarmRelay(), asyncio.Event(), asyncio.Lock()
    done: list[int] = []

    async def work(number: int) -> None:
        async with lock:
            await release.wait()
            done.append(number)

    alarms: list[asyncio.Task[None]] = []
    for number in range(3):
        alarms.append(asyncio.ensure_future(relay.wait_for(work(number))))
        await asyncio.sleep(0)
        pass_time(SHIFT_SECONDS - 1)
        relay.look()
        await asyncio.wait(alarms, timeout=0)
        assert [alarm.done() for alarm in alarms] == [True] * number + [False]
        pass_time(1)
        if number < 2:
            relay.look()
            await asyncio.wait_for(alarms[-1], 5)
    assert done == []
    release.set()
    await asyncio.wait_for(alarms[-1], 5)
    assert done == [0, 1, 2]
    relay.look()


async def test_what_the_work_raises_is_the_alarms() -> None:
    async def work() -> None:
        raise ValueError("boom")

    with pytest.raises(ValueError, match="boom"):
        await AlarmRelay().wait_for(work())
