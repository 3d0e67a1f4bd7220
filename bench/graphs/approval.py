"""G5: a question, and what happens with its answer."""

from langchain_core.messages import AIMessage
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import interrupt


async def ask(_: MessagesState) -> dict[str, list[AIMessage]]:
    """Ask, and say what the answer was."""
    return {"messages": [AIMessage(f"the answer was {interrupt('publish?')}")]}


async def publish(_: MessagesState) -> dict[str, list[AIMessage]]:
    """Go on after the answer."""
    return {"messages": [AIMessage("published")]}


graph = StateGraph(MessagesState).add_sequence([ask, publish]).add_edge(START, "ask").compile()
