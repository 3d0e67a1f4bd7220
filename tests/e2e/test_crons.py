"""Crons fire, and their runs are like any others."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx
from langgraph_sdk.client import LangGraphClient

from tests.support.waiting import until

ZONE = "America/New_York"


async def tick(http: httpx.AsyncClient) -> None:
    (await http.get("/cdn-cgi/handler/scheduled?cron=*+*+*+*+*")).raise_for_status()


def in_two_seconds(zone: str = "UTC") -> str:
    """A schedule whose next time is so soon."""
    soon = datetime.now(UTC).astimezone(ZoneInfo(zone)) + timedelta(seconds=2)
    return f"{soon.minute} {soon.hour} {soon.day} {soon.month} * {soon.second}"


def changed(cron: Any) -> dict[str, Any]:
    """What every change of a cron changes."""
    return {name: cron[name] for name in ("payload", "updated_at")}


async def test_a_cron_of_a_thread_runs_there_at_its_time(
    client: LangGraphClient, http: httpx.AsyncClient, thread_id: str
) -> None:
    cron: Any = await client.crons.create_for_thread(
        thread_id, "sequence", schedule=in_two_seconds(ZONE), input={"topic": "cron"}, timezone=ZONE
    )

    async def ran() -> Any:
        await asyncio.gather(*(tick(http) for _ in range(4)))
        return [run for run in await client.runs.list(thread_id) if run["status"] == "success"]

    [run] = await until("the run of the cron", ran)
    assert run["kwargs"]["config"]["configurable"]["cron_id"] == cron["cron_id"]
    assert (await client.threads.get(thread_id))["values"]["topic"] == "cron"
    [fire] = (await http.get(f"/runs/crons/{cron['cron_id']}/fires")).json()
    assert (fire["outcome"], fire["run_id"], fire["scheduled_at"]) == ("created", run["run_id"], cron["next_run_date"])
    later = (await client.crons.search(thread_id=thread_id))[0]
    assert str(later["next_run_date"]) > str(cron["next_run_date"])
    await client.threads.delete(thread_id)
    assert await client.crons.count(thread_id=thread_id) == 0


async def test_a_cron_that_keeps_its_threads(client: LangGraphClient, http: httpx.AsyncClient) -> None:
    cron: Any = await client.crons.create(
        "memory", schedule=in_two_seconds(), on_run_completed="keep", metadata={"made_by": "the clock"},
        input={"user": "clock", "facts": ["time flies"], "query": "flies"},
    )  # fmt: skip

    patched: Any = await client.http.patch(f"/runs/crons/{cron['cron_id']}", json={"on_missed": "all"})
    assert (cron["on_missed"], patched) == ("latest", {**cron, "on_missed": "all", **changed(patched)})

    async def kept() -> Any:
        await tick(http)
        return await client.threads.search(metadata={"made_by": "the clock"}, status="idle")

    [thread] = await until("the thread of the cron", kept)
    assert thread["values"]["recalled"] == ["time flies"]
    await client.crons.delete(cron["cron_id"])
