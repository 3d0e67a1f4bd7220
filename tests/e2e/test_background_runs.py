"""POST /threads/{id}/runs: accepted at once, executed through the queue, visible to every client."""

import asyncio
import time
from uuid import uuid4

import httpx
import pytest
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.schema import Run

from tests.support.step_server import StepServer
from tests.support.waiting import until

RUN_KEYS = {
    "run_id",
    "thread_id",
    "assistant_id",
    "metadata",
    "status",
    "kwargs",
    "multitask_strategy",
    "created_at",
    "updated_at",
}
BODY = {"assistant_id": "sequence", "input": {"topic": "T"}}
ARTICLE = {"topic": "T", "messages": ["planner:T", "researcher:T", "writer:T", "editor:T"]}


async def test_a_background_run_is_accepted_then_succeeds(
    http: httpx.AsyncClient, client: LangGraphClient, thread_id: str
) -> None:
    accepted = await http.post(f"/threads/{thread_id}/runs", json=BODY)
    run = accepted.json()
    path = f"/threads/{thread_id}/runs/{run['run_id']}"
    assert accepted.status_code == 202
    assert accepted.headers["location"] == path
    assert accepted.headers["content-location"] == path
    assert run["status"] == "pending"
    assert run.keys() >= RUN_KEYS

    async def finished() -> Run | None:
        found = await client.runs.get(thread_id, run["run_id"])
        return found if found["status"] not in ("pending", "running") else None

    done = await until("the run ends", finished)
    assert done["status"] == "success"
    assert done["metadata"]["graph_id"] == "sequence"
    assert await client.runs.join(thread_id, run["run_id"]) == ARTICLE


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"user-agent": "python-httpx/0.28.1"}, 202),
        ({"user-agent": "curl/8.5.0"}, 202),
        ({"user-agent": "node"}, 200),
        ({"user-agent": "Mozilla/5.0", "sec-fetch-mode": "cors"}, 200),
        ({"user-agent": "node", "prefer": "respond-async"}, 202),
    ],
    ids=["python", "curl", "node", "browser", "asked for 202"],
)
async def test_javascript_callers_get_200_because_their_sdk_drops_the_body_of_a_202(
    http: httpx.AsyncClient, thread_id: str, headers: dict[str, str], status: int
) -> None:
    accepted = await http.post(f"/threads/{thread_id}/runs", json=BODY, headers=headers)
    assert (accepted.status_code, accepted.json()["status"]) == (status, "pending")


async def test_the_thread_shows_the_run_from_creation_to_the_end(
    client: LangGraphClient, thread_id: str, steps: StepServer
) -> None:
    before = await client.threads.get(thread_id)
    assert (before["status"], before["values"]) == ("idle", None)
    steps.hold("busy", 0)
    run = await client.runs.create(
        thread_id, "gated", input={"url": steps.url, "run": "busy", "steps": 1}, metadata={"ticket": 7}
    )
    assert (await client.threads.get(thread_id))["status"] == "busy"
    await asyncio.to_thread(steps.wait_for_arrival, "busy", 0)
    assert (await client.runs.get(thread_id, run["run_id"]))["status"] == "running"
    steps.release("busy", 0)
    await client.runs.join(thread_id, run["run_id"])
    after = await client.threads.get(thread_id)
    assert (after["status"], after["values"]["log"], after["metadata"]["graph_id"]) == ("idle", [0], "gated")
    assert (await client.runs.get(thread_id, run["run_id"]))["metadata"]["ticket"] == 7


async def test_runs_are_listed_newest_first_and_by_status(client: LangGraphClient, thread_id: str) -> None:
    created = [(await client.runs.create(thread_id, **BODY))["run_id"] for _ in range(3)]
    for run_id in created:
        await client.runs.join(thread_id, run_id)
    listed = await client.runs.list(thread_id)
    assert [run["run_id"] for run in listed] == created[::-1]
    assert [run["run_id"] for run in await client.runs.list(thread_id, limit=1, offset=1)] == [created[1]]
    assert len(await client.runs.list(thread_id, status="success")) == 3
    assert await client.runs.list(thread_id, status="error") == []


async def test_a_run_is_found_only_on_its_own_thread(
    http: httpx.AsyncClient, client: LangGraphClient, thread_id: str
) -> None:
    run = await client.runs.create(thread_id, **BODY)
    other = (await client.threads.create())["thread_id"]
    foreign = await http.get(f"/threads/{other}/runs/{run['run_id']}")
    assert (foreign.status_code, foreign.json()) == (404, {"detail": "Not Found"})
    await client.runs.join(thread_id, run["run_id"])


async def test_a_run_with_after_seconds_waits_its_time(client: LangGraphClient, thread_id: str) -> None:
    started = time.monotonic()
    run = await client.runs.create(thread_id, **BODY, after_seconds=2)
    assert (await client.runs.get(thread_id, run["run_id"]))["status"] == "pending"
    assert (await client.threads.get(thread_id))["status"] == "busy"
    assert await client.runs.join(thread_id, run["run_id"]) == ARTICLE
    assert time.monotonic() - started >= 2


async def test_a_thread_that_does_not_exist_is_made_on_request_only(
    client: LangGraphClient, http: httpx.AsyncClient
) -> None:
    missing = str(uuid4())
    refused = await http.post(f"/threads/{missing}/runs", json=BODY)
    assert (refused.status_code, (await http.get(f"/threads/{missing}")).status_code) == (404, 404)
    run = await client.runs.create(missing, **BODY, if_not_exists="create")
    assert await client.runs.join(missing, run["run_id"]) == ARTICLE


async def test_the_client_learns_of_the_run_before_its_result(client: LangGraphClient, thread_id: str) -> None:
    created: list[str | None] = []
    await client.runs.wait(thread_id, **BODY, on_run_created=lambda run: created.append(run["run_id"]))
    assert created == [run["run_id"] for run in await client.runs.list(thread_id)]


async def test_the_context_and_configurable_of_a_run_reach_its_record(client: LangGraphClient, thread_id: str) -> None:
    run = await client.runs.create(
        thread_id, **BODY, config={"configurable": {"tone": "dry"}, "tags": ["x"], "recursion_limit": 30}
    )
    stored = (await client.runs.get(thread_id, run["run_id"]))["kwargs"]
    assert stored["config"]["configurable"]["tone"] == "dry"
    assert (stored["config"]["tags"], stored["config"]["recursion_limit"]) == (["x"], 30)
    await client.runs.join(thread_id, run["run_id"])
