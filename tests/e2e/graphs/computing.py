"""Steps that compute without a pause, in functions of both kinds; in some, the platform warns of its CPU limit.

The local platform has no limit: `warn` has the same effect on the interpreter as Cloudflare's limiter.
"""

import operator
from typing import Annotated, TypedDict

from langgraph.graph import END, START, StateGraph


class Work(TypedDict):
    steps: int
    #: The platform warns in each of these.
    scarce: list[int]
    log: Annotated[list[int], operator.add]


def warn() -> None:
    """Ask the interpreter to look for a signal soon; the runtime has `SIGXCPU` ready for it."""
    import pyodide_js  # noqa: PLC0415 - there is none outside a Worker

    module = pyodide_js._module
    module.HEAP8[module.__Py_emscripten_signal_clock] = 0
    module.HEAP8[module._Py_EMSCRIPTEN_SIGNAL_HANDLING] = 1


def compute(state: Work) -> dict[str, list[int]]:
    """Execute the next step."""
    number = len(state["log"])
    if number in state["scarce"]:
        warn()
    sum(n * n for n in range(300_000))
    return {"log": [number]}


async def compute_too(state: Work) -> dict[str, list[int]]:
    """The same, in the event loop."""
    return compute(state)


def further(state: Work) -> str:
    """Which step follows."""
    return END if len(state["log"]) == state["steps"] else ("compute", "compute_too")[len(state["log"]) % 2]


graph = (
    StateGraph(Work)
    .add_node(compute)
    .add_node(compute_too)
    .add_edge(START, "compute")
    .add_conditional_edges("compute", further)
    .add_conditional_edges("compute_too", further)
    .compile()
)
