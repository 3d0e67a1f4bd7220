"""Steps in sequence, each with one counted side effect: an HTTP call, after an interrupt if one is asked for."""

import operator
import time
from typing import Annotated, Any

import httpx
from langgraph.graph import END, START, StateGraph
from langgraph.types import interrupt
from typing_extensions import TypedDict  # pydantic describes no other before Python 3.12


class Work(TypedDict):
    """`log` has one line for each committed step of every run of the thread: `<name of the run>/<step>`."""

    url: str
    run: str
    steps: int
    asks_at: int | None
    fails_at: int | None
    log: Annotated[list[str], operator.add]


def done(state: Work) -> int:
    """How many steps the run has committed."""
    return sum(line.startswith(f"{state['run']}/") for line in state["log"])


def begin(state: Work) -> tuple[int, str]:
    """The number of the run's next step, and what is appended to its line."""
    number = done(state)
    answer = f"={interrupt(state['run'])}" if number == state["asks_at"] else ""
    if number == state["fails_at"]:
        raise ValueError(f"{state['run']} was told to fail")
    return number, answer


def address(state: Work, number: int) -> str:
    """Where a step's side effect is made."""
    return f"{state['url']}/runs/{state['run']}/steps/{number}"


def sent_now() -> dict[str, str]:
    """Headers by which requests can be put into the order in which they were sent."""
    return {"x-sent-at": f"{time.time():.6f}"}


async def step(state: Work) -> dict[str, list[str]]:
    """Execute the run's next step."""
    number, answer = begin(state)
    async with httpx.AsyncClient(timeout=120) as client:
        (await client.get(address(state, number), headers=sent_now())).raise_for_status()
    return {"log": [f"{state['run']}/{number}{answer}"]}


def blocking_step(state: Work) -> dict[str, list[str]]:
    """The same for a graph whose nodes are synchronous."""
    number, answer = begin(state)
    httpx.get(address(state, number), headers=sent_now(), timeout=120).raise_for_status()
    return {"log": [f"{state['run']}/{number}{answer}"]}


def further(state: Work) -> str:
    """Whether another step follows."""
    return "step" if done(state) < state["steps"] else END


def compiled(node: Any) -> Any:
    """A graph of that node."""
    builder = StateGraph(Work).add_node("step", node).add_edge(START, "step")
    return builder.add_conditional_edges("step", further).compile()


graph = compiled(step)
blocking = compiled(blocking_step)
