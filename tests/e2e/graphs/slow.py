"""A quick node, then one that takes as long as its input says."""

import asyncio
import operator
from typing import Annotated, TypedDict

from langgraph.graph import START, StateGraph


class Nap(TypedDict):
    seconds: float
    log: Annotated[list[str], operator.add]


async def before(_: Nap) -> dict[str, list[str]]:
    return {"log": ["before"]}


async def sleep(state: Nap) -> dict[str, list[str]]:
    await asyncio.sleep(state["seconds"])
    return {"log": [f"slept {state['seconds']}"]}


graph = StateGraph(Nap).add_sequence([before, sleep]).add_edge(START, "before").compile()
