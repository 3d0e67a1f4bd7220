"""G1 and G2: four nodes in sequence, each appends one message; in G2 each waits 50 ms first, as for a model."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from langchain_core.messages import AIMessage
from langgraph.graph import START, MessagesState, StateGraph

NODES = ("planner", "researcher", "writer", "editor")
Node = Callable[[MessagesState], Awaitable[dict[str, list[AIMessage]]]]


def node(name: str, wait_seconds: float) -> Node:
    """A node that appends what it did."""

    async def work(state: MessagesState) -> dict[str, list[AIMessage]]:
        if wait_seconds:
            await asyncio.sleep(wait_seconds)
        return {"messages": [AIMessage(f"{name}: done after {len(state['messages'])} messages")]}

    return work


def sequence(wait_seconds: float = 0) -> Any:
    """The four nodes in a row."""
    builder = StateGraph(MessagesState).add_sequence([(name, node(name, wait_seconds)) for name in NODES])
    return builder.add_edge(START, NODES[0]).compile()


graph = sequence()
waiting = sequence(wait_seconds=0.05)
