"""Any number of ticks, changes and crashes: each time of a cron is handled once, with its outcome recorded."""

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import clock
from errors import DatabaseUnavailable
from ports import Row, Statement
from runs.crons.schedule import next_run
from tests.support.cron_server import CREATED, CronServer

#: How often a call to the database fails: before it does anything, or after it has done everything.
LOST, UNANSWERED = 0.05, 0.05

SCHEDULES = ("* * * * *", "*/5 * * * *", "* * * * * */20", "7 * * * *")


class Unreliable:
    """A database whose calls fail, and which lets other tasks go first."""

    def __init__(self, server: CronServer, seed: int) -> None:
        self._batch, self._random = server.api.db.batch, random.Random(seed)
        self.fails = True

    async def batch(self, statements: Sequence[Statement]) -> list[list[Row]]:
        """See `ports.Database.batch`."""
        for _ in range(self._random.randrange(4)):
            await asyncio.sleep(0)
        chance = self._random.random() if self.fails else 1
        if chance < LOST:
            raise DatabaseUnavailable("Network connection lost")
        results = await self._batch(statements)
        if chance < LOST + UNANSWERED:
            raise DatabaseUnavailable("Network connection lost")
        return results


async def ticks(server: CronServer, number: int) -> None:
    """That many at once; those that fail are as good as killed."""
    failures = await asyncio.gather(*(server.tick(server.now) for _ in range(number)), return_exceptions=True)
    assert {type(failure) for failure in failures} <= {int, DatabaseUnavailable}


STEP = st.one_of(
    st.tuples(st.just("wait"), st.sampled_from([3, 20, 61, 130, 600, 4000])),
    st.tuples(st.just("ticks"), st.integers(1, 4)),
    st.tuples(st.just("change"), st.sampled_from([{"timezone": "Asia/Tokyo"}, {"enabled": False}, {"enabled": True}])),
)


@pytest.mark.parametrize("on_missed", ["skip", "latest", "all"])
@given(schedule=st.sampled_from(SCHEDULES), steps=st.lists(STEP, min_size=3, max_size=10), seed=st.integers(0, 2**32))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_every_time_is_dealt_with_once(
    on_missed: str, schedule: str, steps: list[tuple[str, Any]], seed: int
) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        server = CronServer(monkeypatch)
        cron = await server.cron(schedule=schedule, on_missed=on_missed)
        database = Unreliable(server, seed)
        monkeypatch.setattr(server.api.db, "batch", database.batch)
        since, off = None, list[tuple[str, str]]()

        async def change(**what: Any) -> None:
            nonlocal since
            database.fails = False
            await server.patch(cron, server.now, **what)
            if "enabled" in what and what["enabled"] != (since is None):
                if since:
                    off.append((since, server.now))
                since = None if what["enabled"] else server.now
            database.fails = True

        for step, what in steps:
            match step:
                case "wait":
                    server.now = clock.shifted(server.now, what)
                case "ticks":
                    await ticks(server, what)
                case _:
                    await change(**what)
        await change(enabled=True)
        database.fails = False
        await ticks(server, 3)
        await check(server, cron, schedule, off)


async def check(server: CronServer, cron: dict[str, Any], schedule: str, off: list[tuple[str, str]]) -> None:
    """Each time has a run, or stands in a row of those without; or it came while the cron was not enabled."""
    ran = Counter(run["kwargs"]["config"]["configurable"]["cron_scheduled_at"] for run in server.runs())
    assert set(ran.values()) <= {1}
    fires = await server.fires(cron)
    assert {fire["scheduled_at"] for fire in fires if fire["run_id"]} <= set(ran)
    assert {fire["run_id"] for fire in fires if fire["run_id"]} <= {run["run_id"] for run in server.runs()}
    skipped = [
        (fire["scheduled_at"], fire["scheduled_until"] or fire["scheduled_at"]) for fire in fires if fire["reason"]
    ]
    time = next_run(schedule, None, after=CREATED)
    while time < min(server.now, await server.next_run(cron)) and len(fires) < 100:
        dealt_with = ran[time] + sum(first <= time <= last for first, last in skipped)
        is_off = any(begin < time <= end for begin, end in off)
        assert dealt_with == 1 or (is_off and dealt_with == 0), time
        time = next_run(schedule, None, after=time)
