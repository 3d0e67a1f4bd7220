"""Steps in sequence, each with one side effect: an HTTP call to a server of the test, which counts it and may hold it.

The call carries the token by which that server can tell that a step is executed again.
"""

import operator
from typing import Annotated, TypedDict

import httpx
from langgraph.config import get_stream_writer
from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime


class Progress(TypedDict):
    """`log` holds the number of each executed step, so a repeated or lost step shows in the final state."""

    url: str
    run: str
    steps: int
    log: Annotated[list[int], operator.add]


async def step(state: Progress, runtime: Runtime) -> dict[str, list[int]]:
    """Execute the next step: tell the stream, make the side effect, append the number."""
    number, task = len(state["log"]), runtime.execution_info
    assert task is not None
    get_stream_writer()({"step": number})
    async with httpx.AsyncClient(timeout=120, headers={"idempotency-key": f"{task.run_id}:{task.task_id}"}) as client:
        (await client.get(f"{state['url']}/runs/{state['run']}/steps/{number}")).raise_for_status()
    return {"log": [number]}


def all_steps(state: Progress) -> dict[str, list[int]]:
    """Execute all steps in one node, which is synchronous."""
    for number in range(state["steps"]):
        httpx.get(f"{state['url']}/runs/{state['run']}/steps/{number}", timeout=120).raise_for_status()
    return {"log": list(range(state["steps"]))}


def further(state: Progress) -> str:
    """Whether another step follows."""
    return "step" if len(state["log"]) < state["steps"] else END


graph = StateGraph(Progress).add_node(step).add_edge(START, "step").add_conditional_edges("step", further).compile()
blocking = StateGraph(Progress).add_node(all_steps).add_edge(START, "all_steps").compile()
