"""SIGKILL around a request to stop a run: a stop that was accepted is carried out."""

import asyncio
import json
from typing import Any

import pytest
from langgraph_sdk.client import LangGraphClient

from tests.chaos.crashes import (
    STOP_ERRORS,
    Action,
    Crash,
    any_crash,
    assert_stopped,
    gated,
    kill_workerd,
    reached,
    stopped,
    wait_for_commit,
)
from tests.support.database_file import DatabaseFile
from tests.support.step_server import StepServer
from tools.local_server import Server


@any_crash
@pytest.mark.parametrize("action", ["interrupt", "rollback"])
async def test_a_wish_that_was_stored_before_the_crash_is_carried_out_after_it(
    server: Server,
    client: LangGraphClient,
    thread_id: str,
    steps: StepServer,
    database: DatabaseFile,
    action: Action,
    crash: Crash,
) -> None:
    """The Worker died between storing the wish and telling the thread's object, and the object with it."""
    name = f"wish-{action}-{crash.__name__}"
    steps.hold(name, 1)
    run = await client.runs.create(thread_id, **gated(steps, name, 3))
    await reached(steps, name, 1)
    await wait_for_commit(client, thread_id, [0])
    reason = json.dumps({"error": STOP_ERRORS[action], "message": "stop"})
    database.run("UPDATE runs SET cancel_action = ?, error = ? WHERE run_id = ?", action, reason, run["run_id"])
    await asyncio.to_thread(crash, server)
    steps.release(name, 1)
    await assert_stopped(client, database, thread_id, run["run_id"], action)
    assert steps.arrivals(name) == {0: 1, 1: 1}


@pytest.mark.parametrize("action", ["interrupt", "rollback"])
async def test_killed_while_it_carries_out_a_stop(
    server: Server, client: LangGraphClient, thread_id: str, steps: StepServer, database: DatabaseFile, action: Action
) -> None:
    name = f"stop-{action}"
    steps.hold(name, 1)
    run = await client.runs.create(thread_id, **gated(steps, name, 3))
    await reached(steps, name, 1)
    await wait_for_commit(client, thread_id, [0])
    await client.runs.cancel(thread_id, run["run_id"], action=action)
    await asyncio.to_thread(kill_workerd, server)
    steps.release(name, 1)
    await assert_stopped(client, database, thread_id, run["run_id"], action)
    assert steps.arrivals(name) == {0: 1, 1: 1}


async def test_killed_while_a_newer_run_replaces_it(
    server: Server, client: LangGraphClient, thread_id: str, steps: StepServer
) -> None:
    steps.hold("replaced", 1)
    old = await client.runs.create(thread_id, **gated(steps, "replaced", 3))
    await reached(steps, "replaced", 1)
    newer = await client.runs.create(thread_id, "sequence", input={"topic": "new"}, multitask_strategy="rollback")
    await asyncio.to_thread(kill_workerd, server)
    steps.release("replaced", 1)
    assert await stopped(client, thread_id, newer["run_id"]) == "success"
    assert await stopped(client, thread_id, old["run_id"]) == "gone"
    values: Any = (await client.threads.get_state(thread_id))["values"]
    assert values == {
        "topic": "new",
        "messages": [f"{node}:new" for node in ("planner", "researcher", "writer", "editor")],
    }
