"""A graph with a subgraph of two nodes."""

import operator
from typing import Annotated

from langgraph.graph import START, StateGraph
from typing_extensions import TypedDict  # pydantic describes no other before Python 3.12


class Trail(TypedDict):
    trail: Annotated[list[str], operator.add]


async def before(_: Trail) -> dict[str, list[str]]:
    return {"trail": ["before"]}


async def inner_first(_: Trail) -> dict[str, list[str]]:
    return {"trail": ["inner_first"]}


async def inner_second(_: Trail) -> dict[str, list[str]]:
    return {"trail": ["inner_second"]}


async def after(_: Trail) -> dict[str, list[str]]:
    return {"trail": ["after"]}


child = StateGraph(Trail).add_sequence([inner_first, inner_second]).add_edge(START, "inner_first").compile()

builder = StateGraph(Trail).add_node(before).add_node("child", child).add_node(after)
graph = builder.add_edge(START, "before").add_edge("before", "child").add_edge("child", "after").compile()
