"""G3: a loop of as many super-steps as its input says."""

from typing import Any, NotRequired, TypedDict

from langgraph.graph import END, START, StateGraph


class Counter(TypedDict):
    """How far the loop is, and how far it goes."""

    steps: int
    done: NotRequired[int]


async def step(state: Counter) -> dict[str, Any]:
    """One more."""
    return {"done": state.get("done", 0) + 1}


def further(state: Counter) -> str:
    """Whether another step follows."""
    return "step" if state.get("done", 0) < state["steps"] else END


graph = StateGraph(Counter).add_node(step).add_edge(START, "step").add_conditional_edges("step", further).compile()
