"""One node that waits as long as it is asked to, as for a model."""

import asyncio
from typing import TypedDict

from langgraph.graph import START, StateGraph


class Nap(TypedDict):
    """How long."""

    seconds: float


async def nap(state: Nap) -> Nap:
    """Wait."""
    await asyncio.sleep(state["seconds"])
    return state


graph = StateGraph(Nap).add_node(nap).add_edge(START, "nap").compile()
