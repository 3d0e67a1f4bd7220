"""A draft that somebody must approve before it is published."""

import operator
from typing import Annotated, Any

from langgraph.graph import START, StateGraph
from langgraph.types import interrupt
from typing_extensions import TypedDict  # pydantic describes no other before Python 3.12


class Draft(TypedDict):
    draft: str
    decision: Any
    log: Annotated[list[str], operator.add]


async def write(state: Draft) -> dict[str, Any]:
    return {"draft": f"draft-{state['draft']}", "log": ["write"]}


async def approve(state: Draft) -> dict[str, Any]:
    decision = interrupt({"question": "approve?", "draft": state["draft"]})
    return {"decision": decision, "log": ["approve"]}


async def publish(_: Draft) -> dict[str, Any]:
    return {"log": ["publish"]}


graph = StateGraph(Draft).add_sequence([write, approve, publish]).add_edge(START, "write").compile()
