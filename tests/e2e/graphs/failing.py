"""A node that succeeds, then one that raises."""

import operator
from typing import Annotated, Never, TypedDict

from langgraph.graph import START, StateGraph


class Log(TypedDict):
    log: Annotated[list[str], operator.add]


async def works(_: Log) -> dict[str, list[str]]:
    return {"log": ["works"]}


async def breaks(_: Log) -> Never:
    raise ValueError("boom")


graph = StateGraph(Log).add_sequence([works, breaks]).add_edge(START, "works").compile()
