"""Runs on one thread follow each other in creation order; threads do not wait for each other."""

import asyncio
from typing import Any

import httpx
from langgraph_sdk.client import LangGraphClient

from tests.support.step_server import StepServer


def gated(steps: StepServer, run: str, count: int = 1) -> dict[str, Any]:
    """A run body whose nodes call the test's step server."""
    return {"assistant_id": "gated", "input": {"url": steps.url, "run": run, "steps": count, "log": []}}


async def status(client: LangGraphClient, thread_id: str, run: Any) -> str:
    return (await client.runs.get(thread_id, run["run_id"]))["status"]


async def test_runs_on_one_thread_are_strictly_serial(
    client: LangGraphClient, thread_id: str, steps: StepServer
) -> None:
    steps.hold("first", 0)
    first = await client.runs.create(thread_id, **gated(steps, "first"))
    second = await client.runs.create(thread_id, **gated(steps, "second", 2))
    await asyncio.to_thread(steps.wait_for_arrival, "first", 0)
    assert (await status(client, thread_id, first), await status(client, thread_id, second)) == ("running", "pending")
    assert steps.arrivals("second") == {}
    steps.release("first", 0)
    await client.runs.join(thread_id, second["run_id"])
    assert (await status(client, thread_id, first), await status(client, thread_id, second)) == ("success", "success")


async def test_many_runs_at_once_are_executed_in_creation_order(
    client: LangGraphClient, thread_id: str, steps: StepServer
) -> None:
    created = [await client.runs.create(thread_id, "sequence", input={"topic": str(number)}) for number in range(8)]
    values = await client.runs.join(thread_id, created[-1]["run_id"])
    topics = [message.rpartition(":")[2] for message in values["messages"]]
    assert topics == [str(number) for number in range(8) for _ in range(4)]


async def test_threads_run_in_parallel(client: LangGraphClient, steps: StepServer) -> None:
    names = [f"parallel{number}" for number in range(6)]
    runs: list[tuple[str, str]] = []
    for name in names:
        steps.hold(name, 0)
        thread = (await client.threads.create())["thread_id"]
        runs.append((thread, (await client.runs.create(thread, **gated(steps, name)))["run_id"]))
    for name in names:
        await asyncio.to_thread(steps.wait_for_arrival, name, 0)
    for name in names:
        steps.release(name, 0)
    for thread, run_id in runs:
        assert (await client.runs.join(thread, run_id))["log"] == [0]


async def test_reject_refuses_a_busy_thread_and_leaves_nothing(
    http: httpx.AsyncClient, client: LangGraphClient, thread_id: str, steps: StepServer
) -> None:
    steps.hold("busy", 0)
    run = await client.runs.create(thread_id, **gated(steps, "busy"))
    for door in ("runs", "runs/wait", "runs/stream"):
        refused = await http.post(
            f"/threads/{thread_id}/{door}", json=gated(steps, "no") | {"multitask_strategy": "reject"}
        )
        assert refused.status_code == 409
        assert isinstance(refused.json()["detail"], str)
    steps.release("busy", 0)
    await client.runs.join(thread_id, run["run_id"])
    assert len(await client.runs.list(thread_id)) == 1
    accepted = await http.post(
        f"/threads/{thread_id}/runs/wait", json=gated(steps, "yes") | {"multitask_strategy": "reject"}
    )
    assert accepted.status_code == 200


async def test_a_failed_run_does_not_block_the_next(client: LangGraphClient, thread_id: str) -> None:
    failing = await client.runs.create(thread_id, "failing", input={"log": []})
    following = await client.runs.create(thread_id, "sequence", input={"topic": "next"})
    values = await client.runs.join(thread_id, following["run_id"])
    assert values["messages"] == ["planner:next", "researcher:next", "writer:next", "editor:next"]
    assert await status(client, thread_id, failing) == "error"


async def test_waiting_and_streaming_queue_up_behind_a_background_run(
    client: LangGraphClient, http: httpx.AsyncClient, thread_id: str, steps: StepServer
) -> None:
    steps.hold("ahead", 0)
    await client.runs.create(thread_id, **gated(steps, "ahead"))
    waiting = asyncio.create_task(client.runs.wait(thread_id, "sequence", input={"topic": "behind"}))
    await asyncio.to_thread(steps.wait_for_arrival, "ahead", 0)
    steps.release("ahead", 0)
    assert (await waiting)["messages"] == ["planner:behind", "researcher:behind", "writer:behind", "editor:behind"]


async def test_the_same_work_on_many_threads_at_once(client: LangGraphClient) -> None:
    async def one(number: int) -> list[str]:
        values = await client.runs.wait(None, "sequence", input={"topic": str(number)})
        return values["messages"]

    results = await asyncio.gather(*(one(number) for number in range(20)))
    assert results == [[f"{node}:{n}" for node in ("planner", "researcher", "writer", "editor")] for n in range(20)]
