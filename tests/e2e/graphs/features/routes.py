"""Graphs whose nodes decide the route: Command, Send, deferred nodes, managed values."""

import operator
from typing import Annotated, Any, Literal, TypedDict

from langgraph.config import get_stream_writer
from langgraph.graph import END, START, StateGraph
from langgraph.managed import IsLastStep, RemainingSteps
from langgraph.types import Command, Send


class Trail(TypedDict, total=False):
    trail: Annotated[list[str], operator.add]


async def choose(state: Trail) -> Command[Literal["left", "right"]]:
    return Command(update={"trail": ["choose"]}, goto="left" if "left" in state["trail"] else "right")


def left(_: Trail) -> Trail:
    return {"trail": ["left"]}


async def escape(_: Trail) -> Command[Any]:
    """Leaves its own graph."""
    return Command(graph=Command.PARENT, update={"trail": ["escape"]}, goto="left")


async def never(_: Trail) -> Trail:
    raise AssertionError("the node before leaves the graph")


right = StateGraph(Trail).add_sequence([escape, never]).add_edge(START, "escape").compile()

commands = (
    StateGraph(Trail)
    .add_node(choose)
    .add_node(left)
    .add_node("right", right, destinations=("left",))
    .add_edge(START, "choose")
    .compile()
)


class Job(TypedDict):
    number: int


async def work(job: Job) -> Trail:
    get_stream_writer()({"working": job["number"]})
    return {"trail": [f"work {job['number']}"]}


async def detour(_: Trail) -> Trail:
    return {"trail": ["detour"]}


async def long_way(_: Trail) -> Trail:
    return {"trail": ["long way"]}


async def last(state: Trail) -> Trail:
    return {"trail": [f"last of {len(state['trail'])}"]}


def jobs(_: Trail) -> list[Send | str]:
    return [*(Send("work", {"number": number}) for number in range(3)), "detour"]


#: `last` waits for the long way although the short one has arrived.
fan_out = (
    StateGraph(Trail)
    .add_node(work)
    .add_node(detour)
    .add_node(long_way)
    .add_node(last, defer=True)
    .add_conditional_edges(START, jobs, ["work", "detour"])
    .add_edge("work", "last")
    .add_edge("detour", "long_way")
    .add_edge("long_way", "last")
    .compile()
)


class Counted(TypedDict, total=False):
    seen: Annotated[list[tuple[int, bool]], operator.add]
    remaining_steps: RemainingSteps
    is_last_step: IsLastStep


async def count(state: Counted) -> Counted:
    return {"seen": [(state["remaining_steps"], state["is_last_step"])]}


def until_last(state: Counted) -> str:
    return END if state["remaining_steps"] < 2 else "count"


managed = (
    StateGraph(Counted)
    .add_node(count)
    .add_edge(START, "count")
    .add_conditional_edges("count", until_last, ["count", END])
    .compile()
)
