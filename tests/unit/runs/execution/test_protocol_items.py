"""The events of a protocol run: made by LangGraph's transformers, and released like those of any run."""

import json
from operator import add
from typing import Annotated, Any, TypedDict

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.tools import tool
from langgraph.config import get_stream_writer
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from langgraph.prebuilt._tool_call_transformer import ToolCallTransformer
from langgraph.stream import CheckpointsTransformer, CustomTransformer, UpdatesTransformer
from langgraph.types import interrupt

from runs.execution.protocol_items import PROTOCOL_MODES
from streaming.events import START as FIRST
from streaming.protocol_view import ProtocolView, Wanted
from tests.support.run_driver import RunDriver

CHANNELS = ("values", "updates", "messages", "tools", "custom", "lifecycle", "input")


class Log(TypedDict, total=False):
    log: Annotated[list[str], add]


async def events(graph: Any, given: Any) -> list[tuple[str, list[str], Any]]:
    """Method, namespace and data of everything that a run of the graph tells."""
    driver = RunDriver(graph)
    await driver.slice(driver.job(input=given, stream_mode=list(PROTOCOL_MODES), subgraphs=True))
    view, wanted = ProtocolView(driver.streams.log), Wanted(channels=CHANNELS)
    found = [event for frame in driver.streams.log.read(FIRST) for event in view.wanted(frame, wanted)]
    return [(event.method, list(event.namespace), json.loads(event.data)) for event in found]


def of(told: list[tuple[str, list[str], Any]], method: str) -> list[Any]:
    return [data for name, _, data in told if name == method]


@pytest.mark.parametrize("transformers", [[], [UpdatesTransformer, CustomTransformer, CheckpointsTransformer]])
async def test_what_else_is_streamed_is_the_graphs_choice(transformers: list[Any]) -> None:
    async def node(_: Log) -> Log:
        get_stream_writer()({"name": "progress", "payload": 50})
        return {"log": ["node"]}

    graph = StateGraph(Log).add_node(node).add_edge(START, "node").compile(transformers=transformers)
    told = await events(graph, {"log": ["in"]})
    assert of(told, "values") == [{"log": ["in"]}, {"log": ["in", "node"]}]
    assert of(told, "updates") == ([{"node": {"log": ["node"]}}] if transformers else [])
    assert of(told, "custom") == ([{"name": "progress", "payload": 50}] if transformers else [])


@tool
def adder(a: int, b: int) -> str:
    """Add."""
    return str(a + b)


async def test_a_tools_answer_is_told_and_is_a_message_in_a_namespace_of_its_own() -> None:
    builder = StateGraph(MessagesState).add_node("tools", ToolNode([adder])).add_edge(START, "tools")
    calls = [{"name": "adder", "args": {"a": 2, "b": 3}, "id": "call_1"}]
    graph = builder.compile(transformers=[ToolCallTransformer])
    told = await events(graph, {"messages": [AIMessage("", tool_calls=calls, id="a")]})
    started, finished = of(told, "tools")
    assert started == {
        "event": "tool-started",
        "tool_call_id": "call_1",
        "tool_name": "adder",
        "input": {"a": 2, "b": 3},
    }
    assert (finished["event"], finished["output"]["content"]) == ("tool-finished", "5")
    parts = [(namespace, data) for method, namespace, data in told if method == "messages"]
    assert {tuple(namespace) for namespace, _ in parts} == {("tools:call_1",)}
    assert [data["event"] for _, data in parts] == [
        "message-start",
        "content-block-start",
        "content-block-delta",
        "content-block-finish",
        "message-finish",
    ]
    assert (parts[0][1]["role"], parts[0][1]["tool_call_id"]) == ("tool", "call_1")
    assert parts[2][1]["content"] == {"type": "text", "text": "5"}


async def test_messages_in_values_say_what_is_to_say_about_them() -> None:
    async def answer(_: MessagesState) -> dict[str, Any]:
        return {"messages": [AIMessage("a", id="2", response_metadata={"m": 1})]}

    graph = StateGraph(MessagesState).add_node(answer).add_edge(START, "answer").compile()
    told = await events(graph, {"messages": [HumanMessage("q", id="1")]})
    assert of(told, "values")[-1] == {
        "messages": [
            {"type": "human", "content": "q", "id": "1"},
            {"type": "ai", "content": "a", "id": "2", "response_metadata": {"m": 1}},
        ]
    }
    assert of(told, "messages") == []


async def test_a_question_inside_is_told_once_where_it_is_asked() -> None:
    def ask(_: Log) -> Log:
        return {"log": [interrupt("why?")]}

    child = StateGraph(Log).add_node(ask).add_edge(START, "ask").compile()
    told = await events(StateGraph(Log).add_node("child", child).add_edge(START, "child").compile(), {"log": []})
    [(namespace, asked)] = [(namespace, data) for method, namespace, data in told if method == "input.requested"]
    assert (namespace[0].partition(":")[0], asked["payload"], asked["value"]) == ("child", "why?", "why?")
    assert [(namespace, data["event"]) for method, namespace, data in told if method == "lifecycle"] == [
        ([], "running"),
        (namespace, "started"),
        (namespace, "interrupted"),
        ([], "interrupted"),
    ]
