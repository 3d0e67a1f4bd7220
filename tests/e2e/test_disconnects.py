"""A client disconnects: with `on_disconnect: cancel` its run stops, otherwise the run goes on."""

import asyncio
from typing import Any
from uuid import uuid4

import httpx
import pytest
from langgraph_sdk.client import LangGraphClient

from tests.support.step_server import StepServer
from tests.support.waiting import until


async def leave_in_the_middle(
    http: httpx.AsyncClient, steps: StepServer, thread_id: str, kind: str, on_disconnect: str
) -> tuple[str, str]:
    """Start a run of two steps, hang up while it is held in the second; the run's id and its name at the steps."""
    name = uuid4().hex
    steps.hold(name, 1)
    body = {
        "assistant_id": "gated",
        "input": {"url": steps.url, "run": name, "steps": 2},
        "on_disconnect": on_disconnect,
    }
    async with http.stream("POST", f"/threads/{thread_id}/runs/{kind}", json=body) as response:
        location = response.headers["content-location"]
        await asyncio.to_thread(steps.wait_for_arrival, name, 1)
    return location.rpartition("/")[2], name


@pytest.mark.parametrize("kind", ["stream", "wait"])
async def test_a_run_that_is_cancelled_on_disconnect_stops_at_its_last_super_step(
    http: httpx.AsyncClient, client: LangGraphClient, steps: StepServer, thread_id: str, kind: str
) -> None:
    run_id, name = await leave_in_the_middle(http, steps, thread_id, kind, "cancel")

    async def interrupted() -> Any:
        run = await client.runs.get(thread_id, run_id)
        return run if run["status"] == "interrupted" else None

    await until("the run is interrupted", interrupted)
    state, thread = await client.threads.get_state(thread_id), await client.threads.get(thread_id)
    assert (state["values"]["log"], state["next"]) == ([0], ["step"])
    assert thread["status"] == "interrupted"
    assert (thread["error"] or {})["error"] == "UserInterrupt"
    steps.release(name, 1)
    resumed = await client.runs.wait(thread_id, "gated", input=None)
    assert resumed["log"] == [0, 1]


async def test_a_run_goes_on_without_its_client_by_default(
    http: httpx.AsyncClient, client: LangGraphClient, steps: StepServer, thread_id: str
) -> None:
    run_id, name = await leave_in_the_middle(http, steps, thread_id, "stream", "continue")
    steps.release(name, 1)
    assert (await client.runs.join(thread_id, run_id))["log"] == [0, 1]
    assert (await client.runs.get(thread_id, run_id))["status"] == "success"


@pytest.mark.parametrize("kind", ["stream", "join"])
async def test_whoever_joins_a_run_may_take_it_along(
    http: httpx.AsyncClient, client: LangGraphClient, steps: StepServer, thread_id: str, kind: str
) -> None:
    name = uuid4().hex
    steps.hold(name, 1)
    run = await client.runs.create(thread_id, "gated", input={"url": steps.url, "run": name, "steps": 2})
    path = f"/threads/{thread_id}/runs/{run['run_id']}"
    async with http.stream("GET", f"{path}/{kind}?cancel_on_disconnect=1") as response:
        assert response.status_code == 200
        await asyncio.to_thread(steps.wait_for_arrival, name, 1)

    async def interrupted() -> bool:
        return (await client.runs.get(thread_id, run["run_id"]))["status"] == "interrupted"

    await until("the run is interrupted", interrupted)
    assert ((await client.threads.get(thread_id))["error"] or {})["message"].startswith("client disconnected")
    steps.release(name, 1)
