"""A node that calls `sys.exit()`, as a script would."""

import sys
from typing import Never, TypedDict

from langgraph.graph import START, StateGraph


class Nothing(TypedDict):
    is_async: bool


def leaves(_: Nothing) -> Never:
    sys.exit(3)


async def leaves_later(_: Nothing) -> Never:
    sys.exit(3)


def which(state: Nothing) -> str:
    """One of the two."""
    return "leaves_later" if state["is_async"] else "leaves"


graph = StateGraph(Nothing).add_node(leaves).add_node(leaves_later).add_conditional_edges(START, which).compile()
