"""Nodes that resist cancellation, and synchronous nodes: none of them outlives its run.

A node that catches its cancellation and goes on costs its thread the object, but the run ends: even in a slice of a
Workflow, and even if the node is synchronous. A synchronous node ends where it waits.
"""

import asyncio

from langgraph_sdk import get_client
from langgraph_sdk.client import LangGraphClient

from tests.chaos.crashes import reached, stopped
from tests.support.database_file import DatabaseFile
from tests.support.project_server import serving
from tests.support.step_server import StepServer
from tests.support.waiting import until

TIMEOUT_SECONDS = 10


async def ends(client: LangGraphClient, action: str, graph: str = "stubborn") -> tuple[str, list[str] | None]:
    """How a run ends that is stopped so, and what its thread holds then."""
    thread_id = (await client.threads.create())["thread_id"]
    run = await client.runs.create(thread_id, graph, input={"log": []})

    async def log() -> list[str] | None:
        return ((await client.threads.get_state(thread_id))["values"] or {}).get("log")  # type: ignore[union-attr]

    async def is_stuck() -> bool:
        return await log() == ["before"]

    await until("the first step is stored", is_stuck)
    if action != "timeout":
        await client.runs.cancel(thread_id, run["run_id"], action=action)  # type: ignore[arg-type]
    ended = await stopped(client, thread_id, run["run_id"])
    left = await log()
    after = await client.runs.wait(thread_id, "sequence", input={"topic": "after"}, multitask_strategy="reject")
    assert isinstance(after, dict)
    return ended, left


async def test_what_does_not_let_itself_be_stopped_is_stopped() -> None:
    with serving(BG_JOB_TIMEOUT_SECS=str(TIMEOUT_SECONDS), SLICE_SUPERSTEPS="1") as server:
        async with get_client(url=server.url) as client:
            found = await asyncio.gather(
                *[ends(client, action) for action in ("interrupt", "rollback", "timeout")],
                ends(client, "interrupt", "stubborn_blocking"),
            )
        histories = DatabaseFile(server.persist_to).run(
            "SELECT history FROM runs WHERE status IN ('interrupted', 'timeout')"
        )
    assert [history.count('"handed_over"') for (history,) in histories] == [1, 1, 1]
    assert found == [("interrupted", ["before"]), ("gone", None), ("timeout", ["before"]), ("interrupted", ["before"])]


async def test_a_synchronous_node_of_a_stopped_run_does_nothing_beside_the_next_run(
    client: LangGraphClient, steps: StepServer, thread_id: str
) -> None:
    def given(run: str) -> dict[str, object]:
        return {"input": {"url": steps.url, "run": run, "steps": 2, "log": []}}

    steps.hold("old", 0)
    old = await client.runs.create(thread_id, "gated_blocking", **given("old"))  # type: ignore[arg-type]
    await reached(steps, "old", 0)
    new = await client.runs.create(thread_id, "gated_blocking", multitask_strategy="interrupt", **given("new"))  # type: ignore[arg-type]
    await reached(steps, "new", 1)
    steps.release("old", 0)
    await client.runs.join(thread_id, new["run_id"])
    assert await stopped(client, thread_id, old["run_id"]) == "interrupted"
    after = await client.runs.create(thread_id, "gated_blocking", **given("after"))  # type: ignore[arg-type]
    await client.runs.join(thread_id, after["run_id"])
    assert [steps.arrivals(run) for run in ("old", "new", "after")] == [{0: 1}, {0: 1, 1: 1}, {0: 1, 1: 1}]
