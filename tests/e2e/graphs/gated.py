"""Steps in a row, each with one side effect: an HTTP call to a server of the test, which counts it and may hold it."""

import operator
from typing import Annotated, TypedDict

import httpx
from langgraph.config import get_stream_writer
from langgraph.graph import END, START, StateGraph


class Progress(TypedDict):
    """`log` holds the number of each executed step, so a repeated or lost step shows in the final state."""

    url: str
    run: str
    steps: int
    log: Annotated[list[int], operator.add]


async def step(state: Progress) -> dict[str, list[int]]:
    """Execute the next step: tell the stream, make the side effect, append the number."""
    number = len(state["log"])
    get_stream_writer()({"step": number})
    async with httpx.AsyncClient(timeout=120) as client:
        (await client.get(f"{state['url']}/runs/{state['run']}/steps/{number}")).raise_for_status()
    return {"log": [number]}


def further(state: Progress) -> str:
    """Whether another step follows."""
    return "step" if len(state["log"]) < state["steps"] else END


graph = StateGraph(Progress).add_node(step).add_edge(START, "step").add_conditional_edges("step", further).compile()
