"""Lets another graph do its work, through the server's own client."""

from typing import TypedDict

from langgraph.graph import START, StateGraph
from langgraph_sdk import get_client


class State(TypedDict):
    topic: str


async def delegate(state: State) -> None:
    """A run of another thread, awaited."""
    await get_client().runs.wait(None, "sequence", input=dict(state))


graph = StateGraph(State).add_node(delegate).add_edge(START, "delegate").compile()
