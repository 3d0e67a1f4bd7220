"""Runs that outlive a slice: a Workflow drives them on, nobody sees the seams, a crash costs no more than otherwise."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from langgraph_sdk import get_client
from langgraph_sdk.client import LangGraphClient

from tests.chaos.crashes import (
    LONG_AGO,
    assert_ran_once,
    gated,
    kill_workerd,
    power_cut,
    reached,
    sweep,
    wait_for_commit,
    wait_for_end,
)
from tests.support import sse_frames
from tests.support.database_file import DatabaseFile
from tests.support.project_server import serving
from tests.support.step_server import StepServer
from tools.local_server import Server

STEPS = 10
LIMIT = 9


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server whose slices are three super-steps long."""
    with serving(SLICE_SUPERSTEPS="3") as server:
        yield server


@pytest.fixture
async def client(server: Server) -> AsyncIterator[LangGraphClient]:
    """The official client of that server."""
    async with get_client(url=server.url) as client:
        yield client


async def test_a_long_run_looks_like_a_short_one(
    server: Server, client: LangGraphClient, thread_id: str, steps: StepServer
) -> None:
    body = {**gated(steps, "long", STEPS), "stream_mode": ["values", "updates"]}
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as http:
        response = await http.post(f"/threads/{thread_id}/runs/stream", json=body)
    frames = sse_frames.parse(response.content)
    sse_frames.assert_strictly_increasing(frames)
    assert [frame.event for frame in frames] == ["metadata", "values"] + ["updates", "values"] * STEPS
    assert [values["log"] for values in sse_frames.named(frames, "values")] == [
        list(range(n)) for n in range(STEPS + 1)
    ]
    assert steps.arrivals("long") == dict.fromkeys(range(STEPS), 1)
    await assert_ran_once(client, thread_id, STEPS)


async def test_the_recursion_limit_counts_the_whole_run(
    client: LangGraphClient, thread_id: str, steps: StepServer
) -> None:
    values = await client.runs.wait(
        thread_id, **gated(steps, "limited", STEPS), config={"recursion_limit": LIMIT}, raise_error=False
    )
    assert isinstance(values, dict)
    assert values["__error__"]["error"] == "GraphRecursionError"
    assert steps.arrivals("limited") == dict.fromkeys(range(LIMIT), 1)


async def test_the_sweeper_rescues_a_long_run_whose_workflow_died_with_the_server(
    server: Server, client: LangGraphClient, thread_id: str, steps: StepServer
) -> None:
    steps.hold("killed", 7)
    run = await client.runs.create(thread_id, **gated(steps, "killed", STEPS))
    await reached(steps, "killed", 7)
    await wait_for_commit(client, thread_id, list(range(7)))
    await asyncio.to_thread(kill_workerd, server)
    steps.release("killed", 7)
    DatabaseFile(server.persist_to).run("UPDATE runs SET updated_at = ? WHERE run_id = ?", LONG_AGO, run["run_id"])
    await sweep(server)
    assert await wait_for_end(client, thread_id, run["run_id"]) == "success"
    await assert_ran_once(client, thread_id, STEPS)
    assert steps.arrivals("killed") == {**dict.fromkeys(range(STEPS), 1), 7: 2}


async def test_a_long_run_survives_a_power_cut(
    server: Server, client: LangGraphClient, thread_id: str, steps: StepServer
) -> None:
    steps.hold("cut", 4)
    run = await client.runs.create(thread_id, **gated(steps, "cut", STEPS))
    await reached(steps, "cut", 4)
    await asyncio.to_thread(power_cut, server)
    steps.release("cut", 4)
    assert await wait_for_end(client, thread_id, run["run_id"]) == "success"
    await assert_ran_once(client, thread_id, STEPS)
