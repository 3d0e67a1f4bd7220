"""LangGraph itself as a client: a served graph behaves as a local one, alone and as a node of another graph."""

import operator
from typing import Annotated, Any, TypedDict

import pytest
from langgraph.graph import START, StateGraph
from langgraph.pregel.remote import RemoteGraph
from langgraph.types import Command
from langgraph_sdk.client import LangGraphClient

ARTICLE = ["planner:R", "researcher:R", "writer:R", "editor:R"]


@pytest.fixture
def thread(thread_id: str) -> Any:
    """A run configuration that names a fresh thread."""
    return {"configurable": {"thread_id": thread_id}}


def remote(graph_id: str, server_url: str) -> RemoteGraph:
    return RemoteGraph(graph_id, url=server_url)


async def test_ainvoke_returns_the_final_state(server_url: str, thread: Any) -> None:
    graph = remote("sequence", server_url)
    assert (await graph.ainvoke({"topic": "R"}, thread))["messages"] == ARTICLE
    assert (await graph.aget_state(thread)).values == {"topic": "R", "messages": ARTICLE}


async def test_ainvoke_needs_no_thread(server_url: str) -> None:
    assert (await remote("sequence", server_url).ainvoke({"topic": "R"}))["messages"] == ARTICLE


def test_the_synchronous_calls_work_too(server_url: str) -> None:
    graph = remote("sequence", server_url)
    assert graph.invoke({"topic": "R"})["messages"] == ARTICLE
    assert list(graph.stream({"topic": "R"}, stream_mode="updates")) == [
        {message.partition(":")[0]: {"messages": [message]}} for message in ARTICLE
    ]


async def test_astream_yields_every_mode(server_url: str, thread: Any) -> None:
    stream = remote("sequence", server_url).astream({"topic": "R"}, thread, stream_mode=["values", "updates"])
    parts = [part async for part in stream]
    assert [part.event for part in parts] == ["values"] + ["updates", "values"] * 4
    assert parts[-1].data["messages"] == ARTICLE


async def test_subgraphs_are_streamed_with_their_namespace(server_url: str) -> None:
    stream = remote("nested", server_url).astream({"trail": []}, stream_mode="updates", subgraphs=True)
    chunks = [(namespace, update) async for namespace, update in stream]
    namespaces = {namespace[0].partition(":")[0] for namespace, _ in chunks if namespace}
    assert namespaces == {"child"}
    assert [next(iter(update)) for _, update in chunks] == ["before", "inner_first", "inner_second", "child", "after"]


async def test_an_interrupt_is_resumed_with_a_command(server_url: str, thread: Any) -> None:
    graph = remote("approval", server_url)
    asked = await graph.ainvoke({"draft": "d"}, thread)
    assert asked["__interrupt__"][0]["value"] == {"question": "approve?", "draft": "draft-d"}
    assert (await graph.aget_state(thread)).next == ("approve",)
    assert (await graph.ainvoke(Command(resume="yes"), thread))["decision"] == "yes"


async def test_history_is_read_through_the_graph(server_url: str, thread: Any) -> None:
    graph = remote("sequence", server_url)
    await graph.ainvoke({"topic": "R"}, thread)
    steps = [snapshot.metadata["step"] async for snapshot in graph.aget_state_history(thread) if snapshot.metadata]
    assert steps == [4, 3, 2, 1, 0, -1]


async def test_a_remote_graph_is_a_node_of_a_local_one(server_url: str) -> None:
    class Desk(TypedDict):
        topic: str
        messages: Annotated[list[str], operator.add]

    def sign(_: Desk) -> dict[str, list[str]]:
        return {"messages": ["signed"]}

    builder = StateGraph(Desk).add_node("newsroom", remote("sequence", server_url)).add_node(sign)
    desk = builder.add_edge(START, "newsroom").add_edge("newsroom", "sign").compile()
    assert (await desk.ainvoke({"topic": "R", "messages": []}))["messages"] == [*ARTICLE, "signed"]


async def test_what_the_remote_graph_wrote_is_what_the_sdk_reads(
    server_url: str, client: LangGraphClient, thread: Any, thread_id: str
) -> None:
    await remote("sequence", server_url).ainvoke({"topic": "R"}, thread)
    assert (await client.threads.get_state(thread_id))["values"]["messages"] == ARTICLE
