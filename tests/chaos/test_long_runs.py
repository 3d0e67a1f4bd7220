"""Runs longer than a slice: a Workflow continues them, clients notice nothing, and a crash costs no more than usual."""

import asyncio
import json
import os
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from typing import Literal

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
    stopped,
    sweep,
    wait_for_commit,
    wait_for_end,
)
from tests.support import sse_frames
from tests.support.database_file import DatabaseFile
from tests.support.project_server import serving
from tests.support.step_server import StepServer
from tools import local_server, node_runtime
from tools.local_server import Server

STEPS = 10
LIMIT = 9

#: From the end of a Workflow to that of its run: the watchdog's minute, and the slices that are left.
WATCHDOG_SECONDS = 180

#: How long the longest run takes; `LONG_RUN_SECONDS=1800` is half an hour.
LONG_RUN_SECONDS = int(os.environ.get("LONG_RUN_SECONDS", "20"))
#: How long the longest super-step takes; with `LONG_STEP_SECONDS=1000`, longer than an alarm may.
LONG_STEP_SECONDS = float(os.environ.get("LONG_STEP_SECONDS", "1"))
#: The slices of the longest run and their super-steps.
SLICES = 20
STEPS_OF_A_SLICE = 6
HEARTBEAT_SECONDS = 5


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


@pytest.mark.parametrize("action", ["interrupt", "rollback"])
async def test_a_stop_reaches_a_run_that_a_workflow_drives(
    client: LangGraphClient, thread_id: str, steps: StepServer, action: Literal["interrupt", "rollback"]
) -> None:
    name = f"stopped-{action}"
    steps.hold(name, 7)
    run = await client.runs.create(thread_id, **gated(steps, name, STEPS))
    await reached(steps, name, 7)
    await wait_for_commit(client, thread_id, list(range(7)))
    await client.runs.cancel(thread_id, run["run_id"], action=action)
    ended = await stopped(client, thread_id, run["run_id"])
    state = await client.threads.get_state(thread_id)
    steps.release(name, 7)
    assert steps.arrivals(name) == dict.fromkeys(range(8), 1)
    if action == "interrupt":
        assert (ended, state["values"]["log"], state["next"]) == ("interrupted", list(range(7)), ["step"])
    else:
        assert (ended, state["values"]) == ("gone", {})
    after = await client.runs.wait(thread_id, "sequence", input={"topic": "after"}, multitask_strategy="reject")
    assert isinstance(after, dict)


async def watched(server: Server, thread_id: str, run_id: str) -> tuple[list[sse_frames.Frame], list[float]]:
    """A run's stream from beginning to end over one connection, and when its heartbeats came."""
    content, heartbeats = b"", list[float]()
    timeout = httpx.Timeout(3 * HEARTBEAT_SECONDS)
    path = f"/threads/{thread_id}/runs/{run_id}/stream"
    async with (
        httpx.AsyncClient(base_url=server.url, timeout=timeout) as http,
        http.stream("GET", path, headers={"last-event-id": "-1"}) as response,
    ):
        async for chunk in response.aiter_bytes():
            content += chunk
            if b": heartbeat" in chunk:
                heartbeats.append(time.monotonic())
    return sse_frames.parse(content), heartbeats


async def test_a_run_of_many_slices_is_one_run_to_whoever_watches() -> None:
    slice_seconds = max(1, LONG_RUN_SECONDS // SLICES)
    pause = slice_seconds / STEPS_OF_A_SLICE
    count = round(LONG_RUN_SECONDS / pause)
    with serving(SLICE_SECONDS=str(slice_seconds)) as server, StepServer(lambda: pause).serving() as steps:
        async with get_client(url=server.url) as client:
            thread_id = (await client.threads.create())["thread_id"]
            run = await client.runs.create(
                thread_id,
                **gated(steps, "longest", count),
                stream_mode=["custom", "updates"],
                config={"recursion_limit": 2 * count},
            )
            began = time.monotonic()
            frames, heartbeats = await watched(server, thread_id, run["run_id"])
            seconds = time.monotonic() - began
            assert (await client.runs.get(thread_id, run["run_id"]))["status"] == "success"
            assert (await client.threads.get_state(thread_id))["values"]["log"] == list(range(count))
            [(attempt, history)] = DatabaseFile(server.persist_to).run("SELECT attempt, history FROM runs")
    assert seconds >= LONG_RUN_SECONDS
    assert steps.arrivals("longest") == dict.fromkeys(range(count), 1)
    sse_frames.assert_strictly_increasing(frames)
    assert [data["step"] for data in sse_frames.named(frames, "custom")] == list(range(count))
    assert [data["step"]["log"] for data in sse_frames.named(frames, "updates")] == [[n] for n in range(count)]
    assert len(heartbeats) >= seconds / HEARTBEAT_SECONDS / 2
    assert (attempt, [entry["event"] for entry in json.loads(history)]) == (1, ["started", "handed_over", "ended"])


async def test_a_super_step_may_take_longer_than_an_alarm() -> None:
    """In the slice of an alarm, and in that of a Workflow, for which an alarm waits as well."""

    async def attempts(supersteps: int) -> int:
        with serving(SLICE_SUPERSTEPS=str(supersteps)) as server:
            async with get_client(url=server.url) as client:
                thread_id = (await client.threads.create())["thread_id"]
                run = await client.runs.create(thread_id, "slow", input={"seconds": LONG_STEP_SECONDS})
                await asyncio.sleep(LONG_STEP_SECONDS)
                assert await wait_for_end(client, thread_id, run["run_id"]) == "success"
            [(attempt,)] = DatabaseFile(server.persist_to).run("SELECT attempt FROM runs")
            return attempt

    assert await asyncio.gather(attempts(2), attempts(1)) == [1, 1]


async def test_a_run_of_a_thousand_super_steps_finishes() -> None:
    with serving(SLICE_SUPERSTEPS="100") as server, StepServer().serving() as steps:
        async with get_client(url=server.url, timeout=300) as client:
            thread_id = (await client.threads.create())["thread_id"]
            body = {**gated(steps, "thousand", 1000), "config": {"recursion_limit": 1001}}
            values = await client.runs.wait(thread_id, **body)
    assert isinstance(values, dict)
    assert values["log"] == list(range(1000))
    assert steps.arrivals("thousand") == dict.fromkeys(range(1000), 1)


async def test_a_run_goes_on_in_a_workflow_when_the_platforms_cpu_limit_is_near() -> None:
    with serving() as server:
        async with get_client(url=server.url) as client:
            for scarce in ([2, 5], []):
                thread_id = (await client.threads.create())["thread_id"]
                given = {"steps": STEPS, "scarce": scarce, "log": []}
                async for part in client.runs.stream(thread_id, "computing", input=given, stream_mode="updates"):
                    assert part.event != "error", part.data
                await assert_ran_once(client, thread_id, STEPS)
        warnings = server.log().count("cpu_scarce")
        stories = [
            (attempt, [entry["event"] for entry in json.loads(history)])
            for attempt, history in DatabaseFile(server.persist_to).run(
                "SELECT attempt, history FROM runs ORDER BY created_at"
            )
        ]
    assert warnings == 2
    assert stories == [(1, ["started", "handed_over", "ended"]), (1, ["started", "ended"])]


def instances(server: Server, command: str, run_id: str) -> None:
    """What an operator may do to the Workflow instance of a run."""
    subprocess.run(
        [
            *node_runtime.wrangler(),
            *("workflows", "instances", command, "superstep-run", f"run-{run_id}-1"),
            *("--local", f"--port={server.port}", f"--config={server.config}"),
        ],
        env=local_server.wrangler_environment(),
        cwd=server.config.parent,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
    )


@pytest.mark.parametrize("commands", [("restart",), ("pause", "resume"), ("terminate",)], ids="-".join)
async def test_nobody_notices_what_happens_to_a_workflow(
    server: Server, client: LangGraphClient, thread_id: str, steps: StepServer, commands: tuple[str, ...]
) -> None:
    name = commands[0]
    steps.hold(name, 4)
    run = await client.runs.create(thread_id, **gated(steps, name, STEPS), stream_mode="updates")
    watching = asyncio.create_task(watched(server, thread_id, run["run_id"]))
    await reached(steps, name, 4)
    for command in commands:
        await asyncio.to_thread(instances, server, command, run["run_id"])
    steps.release(name, 4)
    async with asyncio.timeout(WATCHDOG_SECONDS):
        frames, _ = await watching
    assert (await client.runs.get(thread_id, run["run_id"]))["status"] == "success"
    assert [data["step"]["log"] for data in sse_frames.named(frames, "updates")] == [[n] for n in range(STEPS)]
    await assert_ran_once(client, thread_id, STEPS)
    assert steps.arrivals(name) == dict.fromkeys(range(STEPS), 1)
