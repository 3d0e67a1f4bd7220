"""Subgraphs with a state and a checkpointer of their own."""

import operator
from typing import Annotated, Any, TypedDict

from langgraph.graph import START, StateGraph


class Outer(TypedDict, total=False):
    text: str
    counts: Annotated[list[int], operator.add]


class Inner(TypedDict, total=False):
    letters: Annotated[list[str], operator.add]


def spell(_: Inner) -> Inner:
    return {"letters": ["!"]}


def inner(checkpointer: bool | None) -> Any:
    return StateGraph(Inner).add_node(spell).add_edge(START, "spell").compile(checkpointer=checkpointer)


def outer(checkpointer: bool | None) -> Any:
    """Calls a graph with another state, which remembers what it was given when `checkpointer` is True."""
    child = inner(checkpointer)

    async def call(state: Outer) -> Outer:
        told = await child.ainvoke({"letters": list(state["text"])})
        return {"counts": [len(told["letters"])]}

    return StateGraph(Outer).add_node(call).add_edge(START, "call").compile()


forgetful = outer(None)
remembering = outer(True)
stateless = outer(False)


def call_now(state: Outer) -> Outer:
    """The same without a single `await`."""
    return {"counts": [len(inner(None).invoke({"letters": list(state["text"])})["letters"])]}


blocking = StateGraph(Outer).add_node(call_now).add_edge(START, "call_now").compile()
