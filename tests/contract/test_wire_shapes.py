"""Responses have every key of the official SDK's types, and the types that our own OpenAPI document promises."""

from typing import Any

import pytest
from langgraph_sdk import schema
from pydantic import TypeAdapter

from api.routing import Route
from http_messages import HttpResponse, Passthrough
from tests.support import every_operation
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


@pytest.mark.parametrize("route", every_operation.served(), ids=every_operation.name)
async def test_an_answer_is_of_the_type_that_the_route_table_promises(route: Route) -> None:
    answer = await (await every_operation.world()).ask(route)
    if isinstance(answer, Passthrough):
        assert route.answers in ("events", "long_poll", "empty")
        return
    success = {"accepted": 202, "stopping": 202, "empty": 204}.get(route.answers, 200)
    assert answer.status == every_operation.REFUSED.get(every_operation.name(route), success), answer.body
    if route.answers in ("json", "created", "accepted"):
        assert answer.headers["content-type"] == "application/json"
        TypeAdapter(route.returns).validate_json(answer.body, extra="forbid")


async def test_a_nested_state_is_a_state(api: Api) -> None:
    threads = await api.json("POST", "/threads/search", {"metadata": {"graph_id": "nested"}})
    state = await api.json("GET", f"/threads/{threads[0]['thread_id']}/state?subgraphs=1")
    assert_has_the_keys_of(schema.ThreadState, state["tasks"][0]["state"])


async def test_an_answer_is_compact_json_in_utf_8(api: Api) -> None:
    answer = await api.ask("POST", "/threads", {"metadata": {"a": ["é", {"b": None}]}})
    assert isinstance(answer, HttpResponse)
    assert '"metadata":{"a":["é",{"b":null}]},"status":"idle","config":{},"values":null' in answer.body
