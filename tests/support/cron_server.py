"""A server whose clock the test sets, and its crons."""

import json
from typing import Any

import pytest

import clock
from api import cron_fires
from auth.gatekeeper import Gatekeeper
from tests.support.http_api import Api

CREATED = "2026-11-21T04:05:37.411997+00:00"
#: The tick of the minute after, and what it looks ahead to.
TICK = "2026-11-21T04:06:00.300000+00:00"
NEXT_MINUTE = "2026-11-21T04:07:00+00:00"


class CronServer:
    """A server with the API of `http_api` and a clock that stands."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, gatekeeper: Gatekeeper | None = None) -> None:
        self.now = CREATED
        monkeypatch.setattr(clock, "now_iso", lambda: self.now)
        self.api = Api(gatekeeper=gatekeeper) if gatekeeper else Api()
        #: The headers of who creates crons.
        self.caller: dict[str, str] = {}

    async def cron(self, thread_id: str | None = None, **more: Any) -> dict[str, Any]:
        path = "/runs/crons" if thread_id is None else f"/threads/{thread_id}/runs/crons"
        body = {"assistant_id": "sequence", "schedule": "* * * * *", "input": {"topic": "t"}, **more}
        return await self.api.json("POST", path, body, **self.caller)

    async def tick(self, now: str = TICK, before: str | None = None) -> int:
        """What a tick at a time does; it looks ahead to the end of its minute unless told otherwise."""
        self.now = now
        return await cron_fires.fire_due(self.api.services, before=before or next_minute(now))

    async def patch(self, cron: dict[str, Any], now: str, **change: Any) -> dict[str, Any]:
        """Change a cron at a time."""
        self.now = now
        return await self.api.json("PATCH", f"/runs/crons/{cron['cron_id']}", change, **self.caller)

    def runs(self) -> list[dict[str, Any]]:
        found = self.api.db.connection.execute("SELECT * FROM runs ORDER BY COALESCE(due_at, created_at), run_id")
        return [{**row, "kwargs": json.loads(row["kwargs"])} for row in map(dict, found)]

    async def next_run(self, cron: dict[str, Any]) -> str:
        return (await self.api.json("GET", f"/runs/crons/{cron['cron_id']}"))["next_run_date"]

    async def fires(self, cron: dict[str, Any]) -> list[dict[str, Any]]:
        """What came of a cron's times, oldest first."""
        found = await self.api.json("GET", f"/runs/crons/{cron['cron_id']}/fires?limit=1000", **self.caller)
        return found[::-1]

    async def history(self, cron: dict[str, Any]) -> list[str]:
        """The same in short, without the day: `05:00 created`, `05:00-09:00 missed`."""
        return [in_short(fire) for fire in await self.fires(cron)]


def next_minute(now: str) -> str:
    """The end of the minute that a time is in."""
    minute_ms = cron_fires.MINUTE_MS
    return clock.iso_of_ms((clock.epoch_ms(now) // minute_ms + 1) * minute_ms)


def in_short(fire: dict[str, Any]) -> str:
    """A fire in two words."""
    times = [time[11:16] for time in (fire["scheduled_at"], fire["scheduled_until"]) if time]
    return f"{'-'.join(times)} {fire['reason'] or fire['outcome']}"
