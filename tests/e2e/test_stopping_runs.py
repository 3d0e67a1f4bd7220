"""Runs that are cancelled, replaced and deleted through the official Python client."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import httpx
import pytest
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.errors import ConflictError, NotFoundError

from tests.support.step_server import StepServer
from tests.support.waiting import until

Start = Callable[..., Awaitable[tuple[str, "asyncio.Task[list[Any]]"]]]


@pytest.fixture
def start(client: LangGraphClient, steps: StepServer, thread_id: str) -> Start:
    """Start a run of two steps on the thread, and return when it is held in the second."""

    async def started(**options: Any) -> tuple[str, "asyncio.Task[list[Any]]"]:
        name = uuid4().hex
        steps.hold(name, 1)
        created: list[str] = []

        async def follow() -> list[Any]:
            given = {"url": steps.url, "run": name, "steps": 2, "log": []}
            stream = client.runs.stream(
                thread_id, "gated", input=given, on_run_created=lambda run: created.append(run["run_id"]), **options
            )
            return [part async for part in stream]

        following = asyncio.ensure_future(follow())
        await asyncio.to_thread(steps.wait_for_arrival, name, 1)
        return created[0], following

    return started


async def ended(client: LangGraphClient, thread_id: str) -> Any:
    """The thread once nothing runs on it."""

    async def rests() -> Any:
        thread = await client.threads.get(thread_id)
        return thread if thread["status"] != "busy" else None

    return await until("the thread rests", rests)


async def test_a_cancelled_run_stops_where_it_is_and_its_stream_just_ends(
    client: LangGraphClient, start: Start, thread_id: str
) -> None:
    run_id, following = await start()
    await client.runs.cancel(thread_id, run_id)
    parts = await asyncio.wait_for(following, 10)
    assert [part.event for part in parts] == ["metadata", "values", "values"]
    assert (await client.runs.get(thread_id, run_id))["status"] == "interrupted"
    thread, state = await client.threads.get(thread_id), await client.threads.get_state(thread_id)
    assert (thread["status"], (thread["error"] or {})["error"]) == ("interrupted", "UserInterrupt")
    assert (state["values"]["log"], state["next"]) == ([0], ["step"])
    assert (await client.runs.join(thread_id, run_id))["log"] == [0]
    with pytest.raises(NotFoundError, match="No matching runs"):
        await client.runs.cancel(thread_id, run_id)


async def test_a_rolled_back_run_is_waited_for_and_gone(
    client: LangGraphClient, http: httpx.AsyncClient, start: Start, thread_id: str
) -> None:
    before = await client.runs.wait(thread_id, "sequence", input={"topic": "before"})
    history = await client.threads.get_history(thread_id, limit=50)
    run_id, following = await start()
    path = f"/threads/{thread_id}/runs/{run_id}"
    answer = await http.post(f"{path}/cancel?wait=1&action=rollback")
    assert (answer.status_code, answer.json()) == (200, {})
    assert (answer.headers["location"], answer.headers["content-location"]) == (f"{path}/join", path)
    parts = await asyncio.wait_for(following, 10)
    assert "error" not in {part.event for part in parts}
    with pytest.raises(NotFoundError):
        await client.runs.get(thread_id, run_id)
    thread = await client.threads.get(thread_id)
    assert (thread["status"], (thread["error"] or {})["error"], thread["values"]) == ("idle", "UserRollback", before)
    assert await client.threads.get_history(thread_id, limit=50) == history


@pytest.mark.parametrize("strategy", ["interrupt", "rollback"])
async def test_a_newer_run_takes_the_place_of_those_before_it(
    client: LangGraphClient, start: Start, thread_id: str, strategy: Any
) -> None:
    running, following = await start()
    waiting = (await client.runs.create(thread_id, "sequence", input={"topic": "never"}))["run_id"]
    values = await client.runs.wait(
        thread_id, "sequence", input={"topic": "new", "messages": []}, multitask_strategy=strategy
    )
    assert [message.rpartition(":")[2] for message in values["messages"]] == ["new"] * 4
    await asyncio.wait_for(following, 10)
    left = {run["run_id"]: run["status"] for run in await client.runs.list(thread_id)}
    expected = [left.get(running), left.get(waiting)]
    assert expected == (["interrupted", "interrupted"] if strategy == "interrupt" else [None, None])
    assert (await client.threads.get(thread_id))["status"] == "idle"


async def test_runs_that_wait_are_cancelled_while_another_executes(
    client: LangGraphClient, start: Start, thread_id: str
) -> None:
    running, following = await start()
    waiting = [(await client.runs.create(thread_id, "sequence"))["run_id"] for _ in range(3)]
    await client.runs.cancel(thread_id, waiting[0], wait=True)
    await client.runs.cancel_many(thread_id=thread_id, run_ids=waiting[1:])
    statuses = {run["run_id"]: run["status"] for run in await client.runs.list(thread_id)}
    assert statuses == {running: "running", **dict.fromkeys(waiting, "interrupted")}
    await client.runs.delete(thread_id, running)
    await asyncio.wait_for(following, 10)
    with pytest.raises(NotFoundError):
        await client.runs.get(thread_id, running)
    assert (await client.threads.get_state(thread_id))["values"] == {}
    assert (await ended(client, thread_id))["values"] is None


async def test_what_ended_is_not_deleted_under_a_run_that_executes(
    client: LangGraphClient, start: Start, thread_id: str
) -> None:
    ended_before = (await client.runs.create(thread_id, "sequence", input={"topic": "before"}))["run_id"]
    await client.runs.join(thread_id, ended_before)
    running, following = await start()
    waiting = (await client.runs.create(thread_id, "sequence"))["run_id"]
    await client.runs.cancel(thread_id, waiting, wait=True)
    with pytest.raises(ConflictError, match=running):
        await client.runs.delete(thread_id, ended_before)
    await client.runs.delete(thread_id, waiting)
    assert (await client.threads.get(thread_id))["status"] == "busy"
    await client.runs.cancel(thread_id, running, wait=True)
    await asyncio.wait_for(following, 10)
    await client.runs.delete(thread_id, ended_before)
    assert [run["run_id"] for run in await client.runs.list(thread_id)] == [running]


async def test_a_stateless_batch_runs_and_is_cancelled(client: LangGraphClient, steps: StepServer) -> None:
    name = uuid4().hex
    steps.hold(name, 0)
    held = {"assistant_id": "gated", "input": {"url": steps.url, "run": name, "steps": 1, "log": []}}
    quick = {"assistant_id": "sequence", "input": {"topic": "batch"}, "on_completion": "keep"}
    first, second = await client.runs.create_batch([held, quick])  # type: ignore[list-item]
    await asyncio.to_thread(steps.wait_for_arrival, name, 0)
    joined = await client.runs.join(second["thread_id"], second["run_id"])
    assert joined["messages"] == [f"{node}:batch" for node in ("planner", "researcher", "writer", "editor")]
    await client.runs.cancel(first["thread_id"], first["run_id"], wait=True)
    with pytest.raises(NotFoundError):
        await client.threads.get(first["thread_id"])
    await client.runs.delete(second["thread_id"], second["run_id"])
    assert (await client.threads.get(second["thread_id"]))["values"] is None
