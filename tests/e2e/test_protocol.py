"""The thread streaming protocol with the official client, over server-sent events and over a WebSocket."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal
from uuid import uuid4

import httpx
import pytest
from langgraph_sdk.client import LangGraphClient
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from tests.support import sse_frames

Transport = Literal["sse", "websocket"]

transports = pytest.mark.parametrize("transport", ["sse", "websocket"])

QUESTION = {"role": "user", "content": "hi"}


@transports
async def test_messages_arrive_piece_by_piece(client: LangGraphClient, transport: Transport) -> None:
    async with client.threads.stream(assistant_id="chat", transport=transport) as thread:
        await thread.run.start(input={"messages": [QUESTION]})
        messages = [message async for message in thread.messages]
        pieces = [[piece async for piece in message.text] for message in messages]
        output: Any = await thread.output
    assert pieces == [["Hello", " ", "brave", " ", "new", " ", "world"]]
    assert output["messages"][-1]["content"] == [{"type": "text", "text": "Hello brave new world", "index": 0}]


@transports
async def test_a_question_is_answered(client: LangGraphClient, transport: Transport) -> None:
    async with client.threads.stream(assistant_id="approval", transport=transport) as thread:
        await thread.run.start(input={"draft": "x"})
        shown = [values async for values in thread.values]
        assert thread.interrupted
        [waiting] = thread.interrupts
        await thread.run.respond("yes")
        output: Any = await thread.output
    assert shown
    assert waiting["value"]
    assert output["decision"] == "yes"


@transports
async def test_a_failure_is_told(client: LangGraphClient, transport: Transport) -> None:
    async with client.threads.stream(assistant_id="failing", transport=transport) as thread:
        await thread.run.start(input={"log": []})
        with pytest.raises(RuntimeError, match="boom"):
            await thread.output


@transports
async def test_subgraphs_are_found(client: LangGraphClient, transport: Transport) -> None:
    async with client.threads.stream(assistant_id="nested", transport=transport) as thread:
        await thread.run.start(input={"trail": ["in"]})
        found = [(subgraph.graph_name, subgraph.status) async for subgraph in thread.subgraphs]
    assert found


async def start(http: httpx.AsyncClient, thread_id: str, graph_id: str, given: Any) -> str:
    """Start a run by a command; its id."""
    command = {"id": 1, "method": "run.start", "params": {"assistant_id": graph_id, "input": given}}
    answer = (await http.post(f"/threads/{thread_id}/commands", json=command)).json()
    return answer["result"]["run_id"]


async def events(
    http: httpx.AsyncClient, thread_id: str, channels: list[str], *, ends: int = 1, **more: Any
) -> list[dict[str, Any]]:
    """The events of a thread until so many of its runs have ended."""
    path, body = f"/threads/{thread_id}/stream/events", {"channels": [*channels, "lifecycle"], **more}
    found: list[dict[str, Any]] = []
    async with asyncio.timeout(30), http.stream("POST", path, json=body) as response:
        assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
        async for frame in sse_frames.frames(response):
            assert (frame.event, frame.id) == (frame.data["method"], str(frame.data["seq"]))
            found.append(frame.data)
            ends -= is_end(frame.data)
            if not ends:
                break
    return found


def is_end(event: dict[str, Any]) -> bool:
    params = event["params"]
    return params["namespace"] == [] and params["data"].get("event") in ("completed", "failed", "interrupted")


async def test_a_run_on_a_thread_that_it_creates_is_told_from_one_on(http: httpx.AsyncClient) -> None:
    thread_id = str(uuid4())
    run_id = await start(http, thread_id, "sequence", {"topic": "p"})
    whole = await events(http, thread_id, ["values", "messages", "tools", "input", "tasks", "custom", "updates"])
    nodes = ["planner:p", "researcher:p", "writer:p", "editor:p"]
    assert [event["seq"] for event in whole] == [1, 2, 3, 4, 5, 6, 7]
    assert [event["params"]["data"] for event in whole] == [
        {"event": "running", "graph_name": "sequence"},
        *({"topic": "p", "messages": nodes[:count]} for count in range(5)),
        {"event": "completed", "graph_name": "sequence"},
    ]
    assert whole[0]["event_id"] == f"synth:{run_id}:lc||running"
    assert await events(http, thread_id, ["values"]) == whole
    for event in whole[:-1]:
        assert await events(http, thread_id, ["values"], since=event["seq"]) == whole[event["seq"] :]


async def test_subgraphs_begin_and_end_around_their_events(http: httpx.AsyncClient) -> None:
    thread_id = str(uuid4())
    await start(http, thread_id, "nested", {"trail": ["in"]})
    whole = await events(http, thread_id, ["values"])
    inside = [event for event in whole if event["params"]["namespace"]]
    [namespace] = {tuple(event["params"]["namespace"]) for event in inside}
    assert [event["params"]["data"].get("event", "values") for event in inside] == [
        "values",
        "started",
        "values",
        "values",
        "completed",
    ]
    child = await events(http, thread_id, ["values"], namespaces=[["child"], []], depth=0)
    assert child == whole
    assert namespace[0].startswith("child:")


async def test_a_run_of_another_api_is_told_too(http: httpx.AsyncClient, client: LangGraphClient) -> None:
    thread_id = (await client.threads.create())["thread_id"]
    await client.runs.wait(thread_id, "sequence", input={"topic": "p"})
    told = await events(http, thread_id, ["values"])
    assert [event["method"] for event in told] == ["lifecycle", *["values"] * 5, "lifecycle"]


@asynccontextmanager
async def socket(server_url: str, thread_id: str) -> AsyncIterator[ClientConnection]:
    """A WebSocket to a thread."""
    async with connect(f"{server_url.replace('http', 'ws', 1)}/threads/{thread_id}/stream/events") as opened:
        yield opened


async def ask(opened: ClientConnection, method: str, **params: Any) -> dict[str, Any]:
    """The answer to a command; nothing else may come before it."""
    await opened.send(json.dumps({"id": 1, "method": method, "params": params}))
    return json.loads(await asyncio.wait_for(opened.recv(), 30))


async def until_end(opened: ClientConnection) -> list[dict[str, Any]]:
    """The events of a run to its end."""
    found: list[dict[str, Any]] = []
    while not found or not is_end(found[-1]):
        found.append(json.loads(await asyncio.wait_for(opened.recv(), 30)))
    return found


async def test_a_socket_subscribes_once_and_stays_while_the_object_sleeps(
    server_url: str, http: httpx.AsyncClient
) -> None:
    thread_id = str(uuid4())
    async with socket(server_url, thread_id) as opened:
        subscribed = await ask(opened, "subscription.subscribe", channels=["values", "lifecycle"])
        assert subscribed["result"]["replayed_events"] == 0
        assert (await ask(opened, "run.start", assistant_id="sequence", input={"topic": "p"}))["type"] == "success"
        first = await until_end(opened)
        assert first == await events(http, thread_id, ["values"])
        # Longer than an idle object is kept awake; without sockets that could sleep it would not be let go.
        await asyncio.sleep(13)
        await start(http, thread_id, "sequence", {"topic": "q"})
        second = await until_end(opened)
        assert [event["method"] for event in second] == [event["method"] for event in first]
        assert (await ask(opened, "agent.getTree"))["result"]["tree"]["status"] == "completed"
        assert [*first, *second] == await events(http, thread_id, ["values"], ends=2)


async def test_what_is_no_websocket_is_told_so(server_url: str, http: httpx.AsyncClient, thread_id: str) -> None:
    response = await http.get(f"/threads/{thread_id}/stream/events")
    assert (response.status_code, response.headers["allow"]) == (405, "POST")
    with pytest.raises(InvalidStatus) as refused:
        async with socket(server_url, "abc"):
            pass
    assert refused.value.response.status_code == 422
