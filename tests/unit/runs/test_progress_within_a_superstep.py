"""A run that is cut off again and again goes on as long as it stores something, even inside one super-step."""

import asyncio
from collections.abc import Callable
from operator import add
from typing import Annotated, Any

import pytest
from langgraph.func import entrypoint, task
from langgraph.graph import START, StateGraph
from typing_extensions import TypedDict

from settings import Settings
from tests.support.http_api import Api
from tests.support.thread_object_in_memory import ThreadObjectInMemory

PARTS = 6
MAX_ATTEMPTS = 2


class State(TypedDict, total=False):
    """What the parts did."""

    log: Annotated[list[int], add]


class Outside:
    """Lets every part come to its end that is below `reach`; the others never do."""

    def __init__(self) -> None:
        self.reach = 0
        self.done: list[int] = []
        self.is_stuck = asyncio.Event()

    async def part(self, number: int) -> int:
        """Some work."""
        if number >= self.reach:
            self.is_stuck.set()
            await asyncio.Event().wait()
        self.done.append(number)
        return number


def functional(outside: Outside) -> Any:
    """A whole workflow in one super-step; each task's result is stored by itself."""

    @task
    async def part(number: int) -> int:
        return await outside.part(number)

    @entrypoint()
    async def workflow(_input: Any) -> dict[str, Any]:
        return {"log": [await part(number) for number in range(PARTS)]}

    return workflow


def parallel(outside: Outside) -> Any:
    """Nodes of one super-step, each of which takes longer than the one before."""
    graph = StateGraph(State)
    for number in range(PARTS):

        async def node(_state: State, number: int = number) -> State:
            return {"log": [await outside.part(number)]}

        graph.add_node(f"n{number}", node)
        graph.add_edge(START, f"n{number}")
    return graph.compile()


def nested(outside: Outside) -> Any:
    """A subgraph that makes one super-step after the other, inside one of its parent's."""
    child = StateGraph(State)
    for number in range(PARTS):

        async def node(_state: State, number: int = number) -> State:
            return {"log": [await outside.part(number)]}

        child.add_node(f"n{number}", node)
        child.add_edge(f"n{number - 1}" if number else START, f"n{number}")
    parent = StateGraph(State)
    parent.add_node("child", child.compile())
    parent.add_edge(START, "child")
    return parent.compile()


class Thread(ThreadObjectInMemory):
    """One whose run dies whenever it is stuck."""

    @classmethod
    async def new(cls, graph: Callable[[Outside], Any]) -> "Thread":
        api = Api()
        thread = cls(api, await api.new_thread(), Settings(max_attempts=MAX_ATTEMPTS, circuit_failures=1000))
        thread.outside = Outside()
        api.registry.graphs["g"] = graph(thread.outside)
        return thread

    outside: Outside

    async def work_until_it_dies(self) -> None:
        """Execute until nothing goes on any more, and lose what is in memory."""
        self.outside.is_stuck.clear()
        working = asyncio.ensure_future(self.runner.work())
        stuck = asyncio.ensure_future(self.outside.is_stuck.wait())
        await asyncio.wait({working, stuck}, return_when=asyncio.FIRST_COMPLETED, timeout=20)
        for _ in range(50):  # what is done is stored
            await asyncio.sleep(0)
        working.cancel()
        stuck.cancel()
        await asyncio.wait({working})
        self.incarnate()


@pytest.mark.parametrize("graph", [functional, parallel, nested])
@pytest.mark.parametrize("durability", ["async", "sync"])
async def test_a_run_that_stores_something_in_each_attempt_is_tried_again(graph: Any, durability: str) -> None:
    thread = await Thread.new(graph)
    run_id = await thread.create("g", input={}, durability=durability)
    for reach in range(PARTS):
        thread.outside.reach = reach
        await thread.work_until_it_dies()
    thread.outside.reach = PARTS
    await thread.runner.work()
    assert await thread.status(run_id) == "success"
    assert sorted((await thread.thread())["values"]["log"]) == list(range(PARTS))
    assert sorted(thread.outside.done) == list(range(PARTS)), "nothing that was stored is done again"


@pytest.mark.parametrize("graph", [functional, parallel, nested])
async def test_a_run_that_stores_nothing_more_gives_up_wherever_it_stands(graph: Any) -> None:
    thread = await Thread.new(graph)
    run_id = await thread.create("g", input={})
    thread.outside.reach = 3
    for _ in range(MAX_ATTEMPTS):
        assert await thread.status(run_id) != "error"
        await thread.work_until_it_dies()
    assert await thread.status(run_id) == "running"
    await thread.runner.work()
    assert await thread.status(run_id) == "error"
    [letter] = await thread.api.json("GET", "/runs/dead-letters")
    assert f"cut off {MAX_ATTEMPTS} times" in letter["reason"]["message"]
