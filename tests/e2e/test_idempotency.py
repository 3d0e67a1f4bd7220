"""Requests that are sent again with their `Idempotency-Key`, by the official clients."""

import asyncio
import json
import subprocess
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from langgraph_sdk.client import LangGraphClient

from tests.support import sse_frames
from tests.support.step_server import StepServer

ROOT = Path(__file__).resolve().parents[2]
NODE = ROOT / "node_modules" / ".bin" / "node"
ARTICLE = ["planner:S", "researcher:S", "writer:S", "editor:S"]


def gated(steps: StepServer, run: str) -> dict[str, Any]:
    return {"assistant_id": "gated", "input": {"url": steps.url, "run": run, "steps": 2, "log": []}}


def with_key() -> dict[str, str]:
    return {"Idempotency-Key": str(uuid4())}


@pytest.mark.parametrize("is_stateless", [False, True])
async def test_many_at_once_create_one_run_and_all_get_its_values(
    client: LangGraphClient, thread_id: str, steps: StepServer, is_stateless: bool
) -> None:
    body, headers = gated(steps, "once"), with_key()
    thread = None if is_stateless else thread_id
    values: list[Any] = await asyncio.gather(*(client.runs.wait(thread, **body, headers=headers) for _ in range(4)))
    values.append(await client.runs.wait(thread, **body, headers=headers))
    assert [each["log"] for each in values] == [[0, 1]] * 5
    assert steps.arrivals("once") == {0: 1, 1: 1}


async def test_a_stream_that_broke_off_is_asked_for_again_from_its_first_event(
    http: httpx.AsyncClient, steps: StepServer
) -> None:
    body, headers = {**gated(steps, "broken"), "stream_mode": ["updates"]}, with_key()
    steps.hold("broken", 1)
    async with http.stream("POST", "/runs/stream", json=body, headers=headers) as first:
        location = first.headers["content-location"]
        async for line in first.aiter_lines():
            if line.startswith("event: updates"):
                break
    steps.release("broken", 1)
    again = await http.post("/runs/stream", json=body, headers=headers)
    frames = sse_frames.parse(again.content)
    assert again.headers["content-location"] == location
    assert again.headers["idempotent-replayed"] == "true"
    assert [frame.event for frame in frames] == ["metadata", "updates", "updates"]
    assert steps.arrivals("broken") == {0: 1, 1: 1}


async def test_everything_that_is_created_is_created_once(client: LangGraphClient) -> None:
    keys = [with_key() for _ in range(7)]
    thread, other = [await client.threads.create(headers=keys[0]) for _ in range(2)]
    assert thread["thread_id"] == other["thread_id"]
    made = [
        [await client.threads.copy(thread["thread_id"], headers=keys[1]) for _ in range(2)],
        [await client.assistants.create("sequence", headers=keys[2]) for _ in range(2)],
        [await client.crons.create("sequence", schedule="0 0 1 1 *", headers=keys[3]) for _ in range(2)],
    ]
    for first, second in made:
        assert first == second
    first, second = [await client.runs.create(thread["thread_id"], "sequence", headers=keys[4]) for _ in range(2)]
    assert first["run_id"] == second["run_id"]
    assert len(await client.runs.list(thread["thread_id"])) == 1
    values = {"messages": ["a message that must not be there twice"]}
    thread_id, assistant_id = thread["thread_id"], made[1][0]["assistant_id"]
    await client.runs.wait(thread_id, "sequence", input={"topic": "S"})
    states = [await client.threads.update_state(thread_id, values, headers=keys[5]) for _ in range(2)]
    assert states[0] == states[1]
    state: Any = await client.threads.get_state(thread_id)
    assert state["values"]["messages"] == [*ARTICLE, *values["messages"]]
    versions = [await client.assistants.update(assistant_id, name="new", headers=keys[6]) for _ in range(2)]
    assert [version["version"] for version in versions] == [2, 2]
    cron: Any = made[2][0]
    await client.crons.delete(cron["cron_id"])


@pytest.mark.parametrize("method", ["tools/call", "message/send", "message/stream"])
async def test_messages_of_other_protocols_are_answered_once(
    client: LangGraphClient, http: httpx.AsyncClient, method: str
) -> None:
    (assistant,) = await client.assistants.search(graph_id="sequence", metadata={"created_by": "system"})
    said = {"role": "user", "kind": "message", "messageId": "1", "parts": [{"kind": "data", "data": {"topic": "S"}}]}
    path, params = (
        ("/mcp", {"name": "sequence", "arguments": {"topic": "S"}})
        if method == "tools/call"
        else (f"/a2a/{assistant['assistant_id']}", {"message": said})
    )
    headers = {**with_key(), "accept": "application/json, text/event-stream"}
    answers = [
        await http.post(
            path, json={"jsonrpc": "2.0", "id": number, "method": method, "params": params}, headers=headers
        )
        for number in (1, 2)
    ]
    assert [answer.headers.get("idempotent-replayed") for answer in answers] == [None, "true"]
    ends = [json.loads(answer.text.split("data: ")[-1])["result"] for answer in answers]
    assert ends[0] == ends[1]


async def test_a_key_of_another_request_is_refused(http: httpx.AsyncClient) -> None:
    headers = with_key()
    await http.post("/threads", json={}, headers=headers)
    refused = await http.post("/threads", json={"metadata": {"a": 1}}, headers=headers)
    assert (refused.status_code, refused.json()["detail"][:15]) == (422, "Idempotency-Key")


def test_the_javascript_client_gets_the_first_run_again(server_url: str) -> None:
    finished = subprocess.run(
        [NODE, ROOT / "tests/e2e/javascript/asking_again.mjs", server_url, str(uuid4())],
        cwd=ROOT,
        text=True,
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    seen = json.loads(finished.stdout)
    assert seen["first"]["run_id"] == seen["second"]["run_id"]
    assert seen["waited"] == seen["waitedAgain"]
    assert seen["started"] == seen["startedAgain"]
    assert seen["started"]["output"]["messages"]
    assert seen["waited"]["messages"] == ARTICLE
