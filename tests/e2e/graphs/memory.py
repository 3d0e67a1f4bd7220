"""Uses the store across threads in every way a graph can: with and without await, in nodes and in tools."""

import operator
from typing import Annotated, Any, TypedDict

from langchain_core.messages import AIMessage, AnyMessage
from langchain_core.tools import tool
from langgraph.config import get_store
from langgraph.graph import END, START, StateGraph, add_messages
from langgraph.prebuilt import InjectedStore, ToolNode
from langgraph.runtime import Runtime
from langgraph.store.base import BaseStore
from langgraph.types import Send


class State(TypedDict, total=False):
    user: str
    facts: list[str]
    query: str
    messages: Annotated[list[AnyMessage], add_messages]
    kept: Annotated[list[str], operator.add]
    recalled: list[str]


def each_fact(state: State) -> list[Send]:
    return [Send("keep", {"user": state["user"], "fact": fact, "number": n}) for n, fact in enumerate(state["facts"])]


def keep(task: dict[str, Any], runtime: Runtime) -> State:
    """Several of these at once, all waiting for the database in a synchronous call."""
    namespace, key = ("memories", task["user"]), str(task["number"])
    assert runtime.store is not None
    runtime.store.put(namespace, key, {"text": task["fact"]})
    item = runtime.store.get(namespace, key)
    assert item is not None
    return {"kept": [item.value["text"]]}


@tool
def note(user: str, text: str, store: Annotated[BaseStore, InjectedStore()]) -> str:
    """Write a note."""
    store.put(("memories", user), "note", {"text": text})
    return "noted"


@tool
async def anote(user: str, text: str, store: Annotated[BaseStore, InjectedStore()]) -> str:
    """Write another note."""
    await store.aput(("memories", user), "anote", {"text": text}, index=False)
    return "noted"


def ask_for_tools(state: State) -> State:
    calls = [
        {"name": name, "args": {"user": state["user"], "text": f"a {name}"}, "id": name} for name in ("note", "anote")
    ]
    return {"messages": [AIMessage("", tool_calls=calls)]}


async def recall(state: State) -> State:
    found = await get_store().asearch(("memories", state["user"]), query=state["query"])
    return {"recalled": [item.value["text"] for item in found if item.score is not None]}


builder = StateGraph(State)
builder.add_node("keep", keep)
builder.add_node("ask_for_tools", ask_for_tools)
builder.add_node("tools", ToolNode([note, anote]))
builder.add_node("recall", recall)
builder.add_conditional_edges(START, each_fact, ["keep"])
builder.add_edge("keep", "ask_for_tools")
builder.add_edge("ask_for_tools", "tools")
builder.add_edge("tools", "recall")
builder.add_edge("recall", END)
graph = builder.compile()
