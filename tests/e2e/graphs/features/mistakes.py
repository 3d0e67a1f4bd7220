"""Graphs that break LangGraph's rules."""

import operator
from typing import Annotated, Any, TypedDict

from langgraph.graph import START, StateGraph
from langgraph.types import Command


class State(TypedDict, total=False):
    mistake: str
    single: str
    log: Annotated[list[str], operator.add]


class Own(Exception):
    """An error with no message that JSON could hold."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


async def start(state: State) -> Any:
    match state["mistake"]:
        case "list":
            return ["no", "dict"]
        case "scalar":
            return 7
        case "goto":
            return Command(goto="nowhere")
        case "key":
            return {"unknown": 1}
        case "reducer":
            return {"log": "no list"}
        case "textless":
            raise Own
        case "group":
            raise ExceptionGroup("several", [ValueError("a"), KeyError("b")])
        case "unserializable":
            return {"single": (number for number in range(3))}
    return {"log": ["start"]}


def next_nodes(state: State) -> list[str]:
    return ["one", "two"] if state["mistake"] == "two writers" else ["one"]


async def one(_: State) -> State:
    return {"single": "one"}


async def two(_: State) -> State:
    return {"single": "two"}


graph = (
    StateGraph(State)
    .add_node(start)
    .add_node(one)
    .add_node(two)
    .add_edge(START, "start")
    .add_conditional_edges("start", next_nodes, ["one", "two"])
    .compile()
)
