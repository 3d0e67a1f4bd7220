"""What Superstep changes in LangGraph, and LangGraph's names that it relies on."""

from typing import Any, TypedDict

import pytest
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import START, StateGraph
from pydantic import BaseModel

from d1_checkpointer import D1Saver
from langgraph_terms import Graph, checkpoint_address
from tests.support.sqlite_database import SqliteDatabase


class Address(BaseModel):
    street: str


class State(TypedDict, total=False):
    address: Address


async def move(_: State) -> State:
    return {"address": Address(street="Elm")}


@pytest.mark.parametrize("copied", [Graph.copy, lambda graph: graph.with_config({"tags": ["t"]})])
async def test_a_copy_of_a_graph_still_knows_the_classes_of_its_state(copied: Any) -> None:
    saver: BaseCheckpointSaver[Any] = D1Saver(SqliteDatabase())
    graph = copied(StateGraph(State).add_node(move).add_edge(START, "move").compile()).copy({"checkpointer": saver})
    config: Any = {"configurable": {"thread_id": "t"}}
    await graph.ainvoke({}, config)
    assert (await graph.aget_state(config)).values == {"address": Address(street="Elm")}


def test_a_config_that_names_no_checkpoint_has_no_address() -> None:
    named = {"thread_id": "t", "checkpoint_ns": "", "checkpoint_id": "c", "other": 1}
    assert checkpoint_address({"configurable": named}) == {"checkpoint_id": "c", "thread_id": "t", "checkpoint_ns": ""}
    assert checkpoint_address({"configurable": {"thread_id": "t"}}) is checkpoint_address(None) is None
