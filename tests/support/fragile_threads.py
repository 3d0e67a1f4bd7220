"""Threads whose runs die inside their graph, again and again."""

import asyncio
from typing import Annotated, Any

from langgraph.graph import END, START, StateGraph
from typing_extensions import TypedDict

from http_messages import HttpResponse
from settings import Settings
from tests.support.http_api import Api
from tests.support.thread_object_in_memory import ThreadObjectInMemory

SETTINGS = Settings(max_attempts=3, circuit_failures=2, circuit_cooldown_seconds=60)


class State(TypedDict, total=False):
    """What the graph has done."""

    log: Annotated[list[int], lambda old, new: old + new]


class Outside:
    """The world of the graph `fragile`: in super-step 2 it waits for ever, until the world is well."""

    def __init__(self) -> None:
        self.is_well = False
        self.reached = asyncio.Event()
        #: In how many super-steps it waits.
        self.deadly = {2}

    def graph(self, steps: int = 4) -> Any:
        graph = StateGraph(State)

        def node(number: int) -> Any:
            async def act(_state: State) -> State:
                if number in self.deadly and not self.is_well:
                    self.reached.set()
                    await asyncio.Event().wait()
                return {"log": [number]}

            return act

        names = [str(number) for number in range(steps)]
        for number, name in enumerate(names):
            graph.add_node(name, node(number))
        for before, after in zip([START, *names], [*names, END], strict=True):
            graph.add_edge(before, after)
        return graph.compile()


class Fragile:
    """Threads whose runs execute the graph `fragile`, and die in it."""

    def __init__(self) -> None:
        self.api = Api()
        self.settings = SETTINGS
        self.outside = Outside()
        self.api.registry.graphs["fragile"] = self.outside.graph()

    async def thread(self, thread_id: str | None = None) -> ThreadObjectInMemory:
        return ThreadObjectInMemory(self.api, thread_id or await self.api.new_thread(), self.settings)

    async def kill(self, thread: ThreadObjectInMemory) -> None:
        """Let the thread work until the graph waits, then lose everything in memory."""
        self.outside.reached.clear()
        working = asyncio.ensure_future(thread.runner.work())
        reaching = asyncio.ensure_future(self.outside.reached.wait())
        await asyncio.wait({working, reaching}, return_when=asyncio.FIRST_COMPLETED, timeout=20)
        assert reaching.done(), "the run did not get so far"
        working.cancel()
        await asyncio.wait({working})
        thread.incarnate()

    async def give_up(self, thread: ThreadObjectInMemory, **body: Any) -> str:
        """A run that gave up."""
        run_id = await thread.create("fragile", input={"log": []}, **body)
        for _ in range(SETTINGS.max_attempts):
            await self.kill(thread)
        await thread.runner.work()
        return run_id

    async def letters(self, query: str = "") -> list[dict[str, Any]]:
        return await self.api.json("GET", f"/runs/dead-letters{query}")

    async def metrics(self) -> str:
        answer = await self.api.ask("GET", "/metrics")
        assert isinstance(answer, HttpResponse)
        return answer.body

    async def redrive(self, *run_ids: str) -> dict[str, Any]:
        return await self.api.json("POST", "/runs/dead-letters/redrive", {"run_ids": list(run_ids)})
