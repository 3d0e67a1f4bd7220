"""Ways to kill a server, and waiting for what must hold afterwards."""

import asyncio
from collections.abc import Callable
from typing import Any, Literal

import httpx
import pytest
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.errors import NotFoundError

from tests.support.database_file import DatabaseFile
from tests.support.step_server import StepServer
from tests.support.waiting import until
from tools.local_server import Server

#: From a kill to the end of a run of a few steps, restart of the server included.
RECOVERY_SECONDS = 60

Action = Literal["interrupt", "rollback"]
STOP_ERRORS = {"interrupt": "UserInterrupt", "rollback": "UserRollback"}

Crash = Callable[[Server], None]


def kill_workerd(server: Server) -> None:
    """The process that runs the Worker is gone; wrangler starts another."""
    server.kill_workerd()
    server.wait_until_ready()


def power_cut(server: Server) -> None:
    """Everything is gone at once; somebody starts it again on the same state."""
    server.restart()


any_crash = pytest.mark.parametrize("crash", [kill_workerd, power_cut], ids=["workerd killed", "power cut"])


async def break_things(http: httpx.AsyncClient, **rates: float) -> None:
    """How often each fault of the campaign's entry happens from now on."""
    (await http.post("/chaos", json={"seed": 0, "rates": rates})).raise_for_status()


def gated(steps: StepServer, run: str, count: int) -> dict[str, Any]:
    """A run whose every super-step has a side effect that the test counts."""
    return {"assistant_id": "gated", "input": {"url": steps.url, "run": run, "steps": count, "log": []}}


async def wait_for_commit(client: LangGraphClient, thread_id: str, log: list[int]) -> None:
    """Return when the thread's state says that exactly these steps are committed."""

    async def committed() -> bool:
        state = await client.threads.get_state(thread_id)
        return isinstance(state["values"], dict) and state["values"].get("log") == log

    await until(f"steps {log} are committed", committed)


async def wait_for_end(client: LangGraphClient, thread_id: str, run_id: str) -> str:
    """The status in which the run ends."""

    async def ended() -> str | None:
        status = (await client.runs.get(thread_id, run_id))["status"]
        return status if status not in ("pending", "running") else None

    return await until(f"run {run_id} ends", ended, seconds=RECOVERY_SECONDS)


async def stopped(client: LangGraphClient, thread_id: str, run_id: str) -> str:
    """How the run ended: a status, or `gone`."""

    async def probe() -> str | None:
        try:
            status = (await client.runs.get(thread_id, run_id))["status"]
        except NotFoundError:
            return "gone"
        return status if status not in ("pending", "running") else None

    return await until(f"run {run_id} ends", probe, seconds=RECOVERY_SECONDS)


async def assert_stopped(
    client: LangGraphClient, database: DatabaseFile, thread_id: str, run_id: str, action: Action
) -> None:
    """The run stopped after its first step, or left nothing behind; the thread can be used."""
    assert await stopped(client, thread_id, run_id) == ("interrupted" if action == "interrupt" else "gone")
    thread, state = await client.threads.get(thread_id), await client.threads.get_state(thread_id)
    assert (thread["error"] or {})["error"] == STOP_ERRORS[action]
    left = database.run("SELECT COUNT(*) FROM checkpoints WHERE json_extract(metadata, '$.run_id') = ?", run_id)
    if action == "interrupt":
        assert (thread["status"], state["values"]["log"], state["next"]) == ("interrupted", [0], ["step"])
    else:
        assert (thread["status"], thread["values"], state["values"], left) == ("idle", None, {}, [(0,)])
    after = await client.runs.wait(thread_id, "sequence", input={"topic": "after"}, multitask_strategy="reject")
    assert isinstance(after, dict)


async def assert_ran_once(client: LangGraphClient, thread_id: str, count: int) -> None:
    """The thread's state is that of an uninterrupted run, and it has each step's checkpoint once."""
    state = await client.threads.get_state(thread_id)
    assert state["values"]["log"] == list(range(count))
    assert state["next"] == []
    history = await client.threads.get_history(thread_id, limit=100)
    assert [checkpoint["metadata"]["step"] for checkpoint in history] == list(range(count, -2, -1))


async def reached(steps: StepServer, run: str, step: int, *, times: int = 1) -> None:
    """Return when a node is in this step."""
    await asyncio.to_thread(steps.wait_for_arrival, run, step, times=times, seconds=RECOVERY_SECONDS)


#: Before any time that the sweeper calls recent.
LONG_AGO = "2026-01-01T00:00:00.000000+00:00"


async def sweep(server: Server) -> None:
    """What the cron trigger does each minute."""
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as http:
        (await http.get("/cdn-cgi/handler/scheduled?cron=*+*+*+*+*")).raise_for_status()
