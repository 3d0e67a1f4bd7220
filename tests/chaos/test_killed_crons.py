"""Simultaneous ticks, killed midway: each time of a cron has one run, and that run ends."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from langgraph_sdk.client import LangGraphClient

from tests.chaos.crashes import RECOVERY_SECONDS, kill_workerd, sweep
from tests.support.database_file import DatabaseFile
from tests.support.waiting import until
from tools.local_server import Server

CRONS, HOURS, TICKS = 4, 4, 4


async def ticks(server: Server) -> None:
    """Those that are cut off are as good as never come."""
    await asyncio.gather(*(sweep(server) for _ in range(TICKS)), return_exceptions=True)


@pytest.mark.parametrize("seconds", [0.1, 0.4])
async def test_ticks_that_are_killed_lose_no_time_and_double_none(
    client: LangGraphClient, http: httpx.AsyncClient, server: Server, database: DatabaseFile, seconds: float
) -> None:
    crons: list[Any] = []
    for _ in range(CRONS):
        thread = await client.threads.create()
        body = {"assistant_id": "sequence", "schedule": "@hourly", "input": {"topic": "t"}, "on_missed": "all"}
        crons.append((await http.post(f"/threads/{thread['thread_id']}/runs/crons", json=body)).json())
    # As if nothing had ticked for hours, and then they ended.
    next_hour = datetime.fromisoformat(crons[0]["next_run_date"])
    times = [(next_hour - timedelta(hours=hour)).isoformat() for hour in range(HOURS, 0, -1)]
    for cron_id in [cron["cron_id"] for cron in crons]:
        database.run("UPDATE crons SET next_run_date = ?, end_time = ? WHERE cron_id = ?", times[0], times[-1], cron_id)
    ticking = asyncio.create_task(ticks(server))
    await asyncio.sleep(seconds)
    await asyncio.to_thread(kill_workerd, server)
    await ticking

    async def all_ended() -> bool:
        await sweep(server)
        return all([len(await ended(client, cron["thread_id"])) >= HOURS for cron in crons])

    await until("all runs of the crons have ended", all_ended, seconds=RECOVERY_SECONDS)
    for cron in crons:
        runs = await ended(client, cron["thread_id"])
        created_for = [run["kwargs"]["config"]["configurable"]["cron_scheduled_at"] for run in runs]
        assert created_for == times
        fires = (await http.get(f"/runs/crons/{cron['cron_id']}/fires")).json()[::-1]
        assert [(fire["scheduled_at"], fire["run_id"]) for fire in fires] == [
            (time, run["run_id"]) for time, run in zip(times, runs, strict=True)
        ]
        await client.threads.delete(cron["thread_id"])
    assert database.run("SELECT COUNT(*) FROM deleted_threads UNION ALL SELECT COUNT(*) FROM cron_fires") == [
        (0,),
        (0,),
    ]


async def ended(client: LangGraphClient, thread_id: str) -> list[Any]:
    """The thread's runs that succeeded, the first first."""
    return [run for run in await client.runs.list(thread_id, limit=100) if run["status"] == "success"][::-1]
