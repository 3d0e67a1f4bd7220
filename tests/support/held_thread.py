"""A thread whose run waits inside its graph until the test releases it."""

import asyncio
from typing import Any

from langgraph.graph import END, START, StateGraph

from settings import Settings
from tests.support.http_api import Api, State
from tests.support.thread_object_in_memory import ThreadObjectInMemory
from tests.support.waiting import until

INTERRUPT = {
    "error": "UserInterrupt",
    "message": "interrupt requested via POST /threads/{thread_id}/runs/{run_id}/cancel",
}
ROLLBACK = {
    "error": "UserRollback",
    "message": "rollback requested via POST /threads/{thread_id}/runs/{run_id}/cancel",
}


class Thread(ThreadObjectInMemory):
    """A thread whose graph `held` waits in its second node until `release`."""

    @classmethod
    async def new(cls, **settings: Any) -> "Thread":
        api = Api()
        thread = cls(api, await api.new_thread(), Settings(**settings))
        api.thread_objects.wake = thread._wake  # type: ignore[method-assign]
        thread.is_in_node = asyncio.Event()
        thread.release = asyncio.Event()

        async def second(state: State) -> State:
            thread.is_in_node.set()
            await thread.release.wait()
            return {"log": ["second"]}

        graph = StateGraph(State)
        graph.add_node("first", lambda state: {"log": ["first"]})
        graph.add_node("second", second)
        graph.add_edge(START, "first")
        graph.add_edge("first", "second")
        graph.add_edge("second", END)
        api.registry.graphs["held"] = graph.compile()
        return thread

    is_in_node: asyncio.Event
    release: asyncio.Event

    async def _wake(self, thread_id: str) -> None:
        assert thread_id == self.thread_id
        await self.runner.wake()

    async def start_held(self, **body: Any) -> tuple[str, "asyncio.Task[None]"]:
        """A run that is in its second node, and the work that executes it."""
        run_id = await self.create("held", input={"topic": "t"}, **body)
        self.is_in_node.clear()
        work = asyncio.ensure_future(self.runner.work())
        await asyncio.wait_for(self.is_in_node.wait(), 5)

        async def committed() -> bool:
            return (await self.log()) == ["first"]

        await until("the first node is committed", committed)
        return run_id, work

    async def log(self) -> list[str] | None:
        """What the committed state's log ends with, from the checkpoints."""
        state = await self.api.json("GET", f"/threads/{self.thread_id}/state")
        return state["values"].get("log") if state["values"] else None

    async def cancel(self, run_id: str, query: str = "", *, status: int = 202) -> Any:
        return await self.api.json("POST", f"/threads/{self.thread_id}/runs/{run_id}/cancel{query}", status=status)

    async def runs(self) -> dict[str, str]:
        """The status of each run."""
        return {run["run_id"]: run["status"] for run in await self.api.json("GET", f"/threads/{self.thread_id}/runs")}

    async def crash(self, work: "asyncio.Task[None]") -> None:
        """The isolate is gone; nothing it had begun writes any more."""
        work.cancel()
        await asyncio.wait({work})
        self.incarnate()
