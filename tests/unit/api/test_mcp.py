"""MCP: what a server answers to every message, and the official client's own view of it."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from langchain_core.messages import AIMessage
from langgraph.func import entrypoint
from langgraph.graph import START, MessagesState, StateGraph
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client

from errors import Unavailable
from http_messages import HttpRequest, HttpResponse
from settings import VERSION
from tests.support.executing_thread_objects import executing_api
from tests.support.http_api import Api

ACCEPT = {"accept": "application/json, text/event-stream"}


def _chat() -> StateGraph[Any]:
    graph = StateGraph(MessagesState)
    graph.add_node("say", lambda state: {"messages": [AIMessage(f"you said {state['messages'][-1].content}")]})
    graph.add_edge(START, "say")
    return graph


@entrypoint()
async def shout(text: str) -> str:
    return text.upper()


@pytest.fixture
def api() -> Api:
    api = executing_api()
    api.registry.graphs |= {"chat": _chat().compile(), "shout": shout}
    return api


async def ask(api: Api, method: str, params: object = None) -> Any:
    message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    answer = await api.json("POST", "/mcp", message, **ACCEPT)
    assert (answer.pop("jsonrpc"), answer.pop("id")) == ("2.0", 1)
    return answer


async def result(api: Api, method: str, params: object = None) -> Any:
    return (await ask(api, method, params))["result"]


async def call(api: Api, name: str, **arguments: object) -> Any:
    answer = await result(api, "tools/call", {"name": name, "arguments": arguments})
    assert not answer.get("isError")
    [content] = answer["content"]
    assert content["type"] == "text"
    return content["text"]


async def tools(api: Api) -> dict[str, dict[str, Any]]:
    return {tool["name"]: tool for tool in (await result(api, "tools/list"))["tools"]}


@pytest.mark.parametrize(
    ("wanted", "spoken"), [("2024-11-05", "2024-11-05"), ("2025-06-18", "2025-06-18"), ("1999-01-01", "2025-11-25")]
)
async def test_the_handshake_speaks_the_callers_version_if_there_is_one(api: Api, wanted: str, spoken: str) -> None:
    params = {"protocolVersion": wanted, "capabilities": {}, "clientInfo": {"name": "c", "version": "1"}}
    assert await result(api, "initialize", params) == {
        "protocolVersion": spoken,
        "capabilities": {"tools": {"listChanged": False}},
        "serverInfo": {"name": "LangGraph", "version": VERSION},
    }
    assert await result(api, "ping") == {}


@pytest.mark.parametrize(
    "message",
    [
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": 7, "result": {}},
        {"jsonrpc": "2.0", "id": 7, "error": {"code": 1, "message": "no"}},
    ],
)
async def test_what_needs_no_answer_is_accepted(api: Api, message: dict[str, Any]) -> None:
    answer = await api.ask("POST", "/mcp", message, headers=ACCEPT)
    assert isinstance(answer, HttpResponse)
    assert (answer.status, answer.body) == (202, "")


@pytest.mark.parametrize(
    "body",
    ["{bad", "", "NaN", '"text"', [], [{"jsonrpc": "2.0", "id": 1, "method": "ping"}], {"id": 1}, {"jsonrpc": "2.0"}]
    + [{"jsonrpc": "2.0", "method": "ping", "id": wrong} for wrong in (1.5, True, [])],
)
async def test_what_is_no_message_is_refused(api: Api, body: object) -> None:
    assert list(await api.json("POST", "/mcp", body, status=400, **ACCEPT)) == ["error"]


async def test_a_caller_must_take_json_or_events(api: Api) -> None:
    ping = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    for headers in ({}, {"accept": "text/html"}):
        assert "Accept header" in (await api.json("POST", "/mcp", ping, status=400, **headers))["error"]
    for accept in ("application/json", "text/event-stream", "*/*"):
        await api.json("POST", "/mcp", ping, accept=accept)


async def test_there_are_no_sessions_and_no_stream(api: Api) -> None:
    for method, status in (("GET", 405), ("DELETE", 404)):
        answer = await api.ask(method, "/mcp")
        assert isinstance(answer, HttpResponse)
        assert (answer.status, answer.body) == (status, "")


async def test_every_assistant_is_a_tool(api: Api) -> None:
    listed = await tools(api)
    assert set(listed) == set(api.registry.graph_ids())
    assert listed["sequence"] == {
        "name": "sequence",
        "title": "sequence",
        "description": "plans, then writes",
        "inputSchema": {
            "description": "What the two graphs of these tests work on.",
            "properties": {
                "topic": {"title": "Topic", "type": "string"},
                "log": {"items": {"type": "string"}, "title": "Log", "type": "array"},
            },
            "title": "State",
            "type": "object",
        },
        "annotations": {
            "readOnlyHint": False,
            "destructiveHint": False,
            "idempotentHint": False,
            "openWorldHint": True,
        },
    }
    assert listed["failure"]["description"] == "Tool based on the failure assistant"


async def test_a_conversation_is_one_text_to_a_tool(api: Api) -> None:
    schema = (await tools(api))["chat"]["inputSchema"]
    assert schema["properties"]["messages"]["type"] == "string"
    assert schema["required"] == ["messages"]
    assert "$defs" not in schema


async def test_arguments_are_always_an_object(api: Api) -> None:
    schema = (await tools(api))["shout"]["inputSchema"]
    assert (schema["type"], schema["required"]) == ("object", ["input"])
    assert schema["properties"]["input"]["type"] == "string"
    assert await call(api, "shout", input="hello") == "HELLO"


async def test_a_factory_that_fails_does_not_hide_the_other_tools(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    make = api.registry.open

    @asynccontextmanager
    async def make_or_fail(graph_id: str, purpose: Any) -> AsyncIterator[Any]:
        if graph_id == "chat":
            raise KeyError("MODEL")
        async with make(graph_id, purpose) as graph:
            yield graph

    monkeypatch.setattr(api.registry, "open", make_or_fail)
    listed = await tools(api)
    assert set(listed) == set(api.registry.graph_ids())
    assert listed["chat"]["inputSchema"] == {"type": "object"}


async def test_names_of_tools_are_unique(api: Api) -> None:
    first = await api.json("POST", "/assistants", {"graph_id": "sequence"})
    second = await api.json("POST", "/assistants", {"graph_id": "failure"})
    listed = await tools(api)
    assert (listed["Untitled"]["title"], listed[second["assistant_id"]]["title"]) == ("Untitled", "Untitled")
    assert json.loads(await call(api, "Untitled", topic="t"))["log"] == ["plan", "write"]
    assert json.loads(await call(api, first["assistant_id"], topic="t"))["log"] == ["plan", "write"]
    answer = await result(api, "tools/call", {"name": second["assistant_id"], "arguments": {}})
    assert answer["isError"]


async def test_tools_are_listed_by_pages(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    everything = (await result(api, "tools/list"))["tools"]
    monkeypatch.setattr("api.mcp_tools.PAGE_TOOLS", 4)
    page = await result(api, "tools/list")
    assert page == {"tools": everything[:4], "nextCursor": "4"}
    assert await result(api, "tools/list", {"cursor": "4"}) == {"tools": everything[4:]}
    for cursor in ("-1", "x", 5, "9" * 30):
        assert (await ask(api, "tools/list", {"cursor": cursor}))["error"]["code"] == -32602


async def test_a_call_is_a_run_that_leaves_no_thread(api: Api) -> None:
    assert json.loads(await call(api, "sequence", topic="mcp")) == {"topic": "mcp", "log": ["plan", "write"]}
    assert (api.rows("threads"), api.rows("runs")) == (0, 0)
    messages = json.loads(await call(api, "chat", messages="hello"))["messages"]
    assert [message["content"] for message in messages] == ["hello", "you said hello"]
    listed = [{"role": "user", "content": "listed"}]
    assert json.loads(await call(api, "chat", messages=listed))["messages"][-1]["content"] == "you said listed"


async def test_an_interrupt_is_told(api: Api) -> None:
    [asked] = json.loads(await call(api, "approval", topic="t"))["__interrupt__"]
    assert asked["value"] == {"question": "ok?"}


async def test_a_run_that_fails_is_a_result_that_says_so(api: Api) -> None:
    assert await result(api, "tools/call", {"name": "failure"}) == {
        "isError": True,
        "content": [{"type": "text", "text": "ValueError: boom"}],
    }


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("tools/call", {"name": "nope"}, -32602),
        ("tools/call", {"arguments": {}}, -32602),
        ("tools/call", {"name": "sequence", "arguments": []}, -32602),
        ("tools/call", [], -32602),
        ("resources/list", None, -32601),
        (5, None, -32601),
    ],
)
async def test_what_cannot_be_done_is_an_error_of_the_protocol(
    api: Api, method: str, params: object, code: int
) -> None:
    assert (await ask(api, method, params))["error"]["code"] == code
    assert api.rows("runs") == 0


async def test_a_call_that_is_sent_again_with_its_key_runs_once(api: Api) -> None:
    headers = {**ACCEPT, "idempotency-key": "k"}
    message = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": "shout", "arguments": {"input": "a"}},
    }
    first, second = [await api.ask("POST", "/mcp", {**message, "id": number}, headers=headers) for number in (1, 2)]
    assert isinstance(first, HttpResponse)
    assert isinstance(second, HttpResponse)
    assert json.loads(second.body) == {**json.loads(first.body), "id": 2}
    assert [answer.headers.get("idempotent-replayed") for answer in (first, second)] == [None, "true"]
    assert api.rows("runs") == 1
    message["params"] = {"name": "shout", "arguments": {"input": "b"}}
    other = await api.json("POST", "/mcp", message, **headers)
    assert other["error"]["message"].startswith("Idempotency-Key: this key was used for another request")
    assert api.rows("runs") == 1


async def test_an_object_that_is_reset_does_not_make_a_second_run(api: Api) -> None:
    api.thread_objects.failures = [Unavailable("reset by a deploy")] * 2
    assert json.loads(await call(api, "sequence", topic="t"))["log"] == ["plan", "write"]


class _Transport(httpx2.AsyncBaseTransport):
    """Sends the requests of an HTTP client to an `Api`."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        path, body = request.url.raw_path.decode(), await request.aread()
        answer = await self._api.ask_raw(HttpRequest(request.method, path, [], headers, body))
        assert isinstance(answer, HttpResponse)
        return httpx2.Response(answer.status, headers=dict(answer.headers), text=answer.body)


@asynccontextmanager
async def official_client(api: Api) -> AsyncIterator[Client]:
    async with (
        httpx2.AsyncClient(transport=_Transport(api)) as http,
        Client(streamable_http_client("http://superstep/mcp", http_client=http)) as client,
    ):
        yield client


async def test_the_official_client_lists_and_calls_tools(api: Api) -> None:
    async with official_client(api) as client:
        listed = await client.list_tools()
        assert {tool.name for tool in listed.tools} == set(api.registry.graph_ids())
        said = await client.call_tool("chat", {"messages": "hello"})
        assert not said.is_error
        assert json.loads(said.content[0].text)["messages"][-1]["content"] == "you said hello"
        assert (await client.call_tool("failure", {})).is_error
