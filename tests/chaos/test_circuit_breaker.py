"""A graph that kills its executors, and no other graph, is not tried again until one of its runs succeeds."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.schema import Run

from tests.chaos.crashes import (
    LONG_AGO,
    RECOVERY_SECONDS,
    assert_ran_once,
    gated,
    kill_workerd,
    reached,
    wait_for_commit,
    wait_for_end,
)
from tests.support.database_file import DatabaseFile
from tests.support.project_server import serving
from tests.support.step_server import StepServer
from tests.support.waiting import until
from tools.local_server import Server

FOLDER = Path(__file__).with_name("gradual_deployment")
#: As `versions_entry.py` has it: how the ids of threads begin that the new version executes.
NEW = "0000"
MAX_ATTEMPTS, CIRCUIT_FAILURES = 2, 2
STEPS = 3


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server with two Worker versions at work, on which nothing closes a circuit but a run that ends well."""
    variables = {"MAX_ATTEMPTS": str(MAX_ATTEMPTS), "CIRCUIT_FAILURES": str(CIRCUIT_FAILURES)}
    main = FOLDER / "versions_entry.py"
    with serving(FOLDER / "langgraph.json", main=main, CIRCUIT_COOLDOWN_SECONDS="3600", **variables) as server:
        yield server


def body(steps: StepServer, name: str, graph_id: str = "deadly") -> dict[str, Any]:
    """A run that gets as far as super-step 1."""
    steps.hold(name, 1)
    return {**gated(steps, name, STEPS), "assistant_id": graph_id}


async def start(client: LangGraphClient, steps: StepServer, name: str, **how: Any) -> Run:
    """Such a run on a thread of its own."""
    thread = await client.threads.create(thread_id=how.pop("thread_id", None))
    return await client.runs.create(thread["thread_id"], **body(steps, name, **how))


async def cut_off(
    server: Server, client: LangGraphClient, steps: StepServer, runs: dict[str, str], attempt: int = 1
) -> None:
    """Kill workerd while these runs, given as their threads by name, are all held in this attempt."""
    for name, thread_id in runs.items():
        await reached(steps, name, 1, times=attempt)
        await wait_for_commit(client, thread_id, [0])
    await asyncio.to_thread(kill_workerd, server)


async def open_circuits(http: httpx.AsyncClient) -> list[str]:
    """The lines about them in the metrics."""
    metrics = (await http.get("/metrics")).text
    return [line for line in metrics.splitlines() if line.startswith("superstep_circuit_open{")]


async def errors(http: httpx.AsyncClient) -> dict[str, str]:
    """Why runs of the graph gave up, by run."""
    letters = (await http.get("/runs/dead-letters", params={"graph_id": "deadly"})).json()
    return {letter["run_id"]: letter["reason"]["error"] for letter in letters}


async def test_a_graph_that_fails_every_time_is_left_alone_until_a_probe_succeeds(
    server: Server, client: LangGraphClient, http: httpx.AsyncClient, steps: StepServer, database: DatabaseFile
) -> None:
    dead: list[Run] = []
    for name in ("first", "second"):
        assert await open_circuits(http) == []
        run = await start(client, steps, name)
        for attempt in range(1, MAX_ATTEMPTS + 1):
            await cut_off(server, client, steps, {name: run["thread_id"]}, attempt)
        assert await wait_for_end(client, run["thread_id"], run["run_id"]) == "error"
        dead.append(run)
    opened = ['superstep_circuit_open{graph="deadly",version="old"} 1']
    assert await open_circuits(http) == opened
    assert await errors(http) == {run["run_id"]: "AttemptsExhausted" for run in dead}

    # The next one is not tried again; another graph is, and another version.
    harmless = await start(client, steps, "harmless", graph_id="harmless")
    renewed = await start(client, steps, "renewed", thread_id=f"{NEW}{str(uuid4())[len(NEW) :]}")
    refused_on = (await client.threads.create())["thread_id"]
    waits = {**body(steps, "refused"), "headers": {"Idempotency-Key": str(uuid4())}}
    waiting = asyncio.ensure_future(client.runs.wait(refused_on, **waits))
    held = {"harmless": harmless["thread_id"], "renewed": renewed["thread_id"], "refused": refused_on}
    await cut_off(server, client, steps, held)
    [lost] = await asyncio.gather(waiting, return_exceptions=True)
    assert isinstance(lost, Exception)
    answer = await client.runs.wait(refused_on, **waits, raise_error=False)
    assert isinstance(answer, dict)
    error = answer["__error__"]
    assert error["error"] == "CircuitOpen"
    assert f"the last {CIRCUIT_FAILURES} runs of graph deadly" in error["message"]
    [refused] = await client.runs.list(refused_on)
    dead.append(refused)
    assert refused["status"] == "error"
    assert await client.runs.join(refused_on, refused["run_id"]) == answer
    stream = [part async for part in client.runs.join_stream(refused_on, refused["run_id"], last_event_id="-1")]
    assert [part.data for part in stream if part.event == "error"] == [error]
    assert (await client.threads.get(refused_on))["status"] == "error"
    assert (await errors(http))[refused["run_id"]] == "CircuitOpen"
    for name, run in (("harmless", harmless), ("renewed", renewed)):
        await reached(steps, name, 1, times=2)
        steps.release(name, 1)
        assert await wait_for_end(client, run["thread_id"], run["run_id"]) == "success"
    assert steps.arrivals("refused") == {0: 1, 1: 1}
    assert await open_circuits(http) == opened

    # After the cooldown one is tried again, and one only.
    database.run("UPDATE circuits SET opened_at = ?", LONG_AGO)
    tried = {name: await start(client, steps, name) for name in ("this", "that")}
    await cut_off(server, client, steps, {name: run["thread_id"] for name, run in tried.items()})

    async def probing() -> str | None:
        return next((name for name in tried if steps.arrivals(name)[1] == 2), None)

    probe = await until("one of them is tried again", probing, seconds=RECOVERY_SECONDS)
    [other] = tried.keys() - {probe}
    dead.append(tried[other])
    assert await wait_for_end(client, tried[other]["thread_id"], tried[other]["run_id"]) == "error"
    assert (await errors(http))[tried[other]["run_id"]] == "CircuitOpen"
    assert await open_circuits(http) == opened
    steps.release(probe, 1)
    assert await wait_for_end(client, tried[probe]["thread_id"], tried[probe]["run_id"]) == "success"
    assert await open_circuits(http) == []

    for name in ("first", "second", "refused", other):
        steps.release(name, 1)
    asked = await http.post("/runs/dead-letters/redrive", json={"filter": {"graph_id": "deadly"}})
    assert {run["run_id"] for run in asked.json()["redriven"]} == {run["run_id"] for run in dead}
    assert asked.json()["refused"] == []
    for run in dead:
        assert await wait_for_end(client, run["thread_id"], run["run_id"]) == "success"
        await assert_ran_once(client, run["thread_id"], STEPS)
    assert await errors(http) == {}
