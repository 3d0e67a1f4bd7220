"""What callers read has every key that the official SDK's types name, and the types that our own document promises."""

from typing import Any

import pytest
from langgraph_sdk import schema
from pydantic import TypeAdapter

from api.routes import ROUTES
from http_messages import HttpResponse
from tests.support.http_api import Api

#: Keys that the SDK's types have and LangGraph servers do not always send; `response_schema` is in streams only.
NOT_SENT = {"extracted", "ttl", "cancel_reason", "response_schema"}


@pytest.fixture
async def api() -> Api:
    """A server with a thread that ran, one that waits, and a pending run."""
    api = Api()
    for graph_id in ("sequence", "approval", "nested"):
        thread_id = await api.new_thread(metadata={"graph_id": graph_id})
        graph = api.registry.graphs[graph_id].copy(update={"checkpointer": api.saver})
        await graph.ainvoke({"topic": "t"}, {"configurable": {"thread_id": thread_id}})
        await api.json("POST", f"/threads/{thread_id}/runs", {"assistant_id": graph_id}, status=202)
    return api


def assert_has_the_keys_of(kind: Any, answer: dict[str, Any]) -> None:
    """Every key of the SDK's TypedDict is there."""
    assert set(kind.__annotations__) - NOT_SENT <= set(answer)


async def test_answers_have_the_keys_of_the_sdks_types(api: Api) -> None:
    for thread in await api.json("POST", "/threads/search", {}):
        assert_has_the_keys_of(schema.Thread, thread)
        path = f"/threads/{thread['thread_id']}"
        for run in await api.json("GET", f"{path}/runs"):
            assert_has_the_keys_of(schema.Run, run)
        for state in await api.json("POST", f"{path}/history", {"limit": 10}):
            assert_has_the_keys_of(schema.ThreadState, state)
            assert_has_the_keys_of(schema.Checkpoint, {"checkpoint_map": None, **state["checkpoint"]})
            for task in state["tasks"]:
                assert_has_the_keys_of(schema.ThreadTask, task)
            for interrupt in state["interrupts"]:
                assert_has_the_keys_of(schema.Interrupt, interrupt)
    for assistant in await api.json("POST", "/assistants/search", {}):
        assert_has_the_keys_of(schema.Assistant, assistant)
        path = f"/assistants/{assistant['assistant_id']}"
        assert_has_the_keys_of(schema.GraphSchema, await api.json("GET", f"{path}/schemas"))
        for version in await api.json("POST", f"{path}/versions", {}):
            assert_has_the_keys_of(schema.AssistantVersion, version)


async def test_answers_are_of_the_types_that_the_route_table_promises(api: Api) -> None:
    [thread, *_] = await api.json("POST", "/threads/search", {"status": "busy"})
    thread_id = thread["thread_id"]
    [run] = await api.json("GET", f"/threads/{thread_id}/runs")
    [assistant, *_] = await api.json("POST", "/assistants/search", {})
    values = {
        "thread_id": thread_id,
        "run_id": run["run_id"],
        "assistant_id": assistant["assistant_id"],
        "checkpoint_id": "x",
        "namespace": "child",
    }
    bodies = {
        "RunCreate": {"assistant_id": "sequence"},
        "StateAtCheckpoint": {"checkpoint": {}},
        "AssistantCreate": {"graph_id": "sequence"},
        "AssistantLatest": {"version": 1},
    }
    checked = 0
    for route in ROUTES:
        if route.handler is None or route.answers not in ("json", "accepted") or route.method == "DELETE":
            continue
        body = bodies.get(route.body.__name__, {}) if route.body else None
        answer = await api.ask(route.method, route.path.format(**values), body)
        assert isinstance(answer, HttpResponse)
        assert answer.status in (200, 202), answer.body
        assert answer.headers["content-type"] == "application/json"
        TypeAdapter(route.returns).validate_json(answer.body, extra="forbid")
        checked += 1
    assert checked >= 20


async def test_a_nested_state_is_a_state(api: Api) -> None:
    threads = await api.json("POST", "/threads/search", {"metadata": {"graph_id": "nested"}})
    state = await api.json("GET", f"/threads/{threads[0]['thread_id']}/state?subgraphs=1")
    assert_has_the_keys_of(schema.ThreadState, state["tasks"][0]["state"])


async def test_an_answer_is_compact_json_in_utf_8(api: Api) -> None:
    answer = await api.ask("POST", "/threads", {"metadata": {"a": ["é", {"b": None}]}})
    assert isinstance(answer, HttpResponse)
    assert '"metadata":{"a":["é",{"b":null}]},"status":"idle","config":{},"values":null' in answer.body
