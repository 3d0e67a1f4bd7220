"""The state of a thread, as the graph that wrote it sees it."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar, cast

from langchain_core.runnables import RunnableConfig
from langgraph.store.base import BaseStore
from langgraph.types import StateSnapshot

from errors import StaleAttempt, SuperstepError
from graphs.factories import Purpose
from graphs.registry import Registry
from langgraph_terms import Graph, Saver
from runs import outcome

logger = logging.getLogger(__name__)

T = TypeVar("T")


class GraphReader:
    """Reads the states of threads for Superstep's own work."""

    def __init__(self, registry: Registry, store: BaseStore) -> None:
        self._registry = registry
        self._store = store

    async def latest_state(self, saver: Saver, thread_id: str, graph_id: str) -> StateSnapshot | None:
        """A thread's state, read by the graph that wrote its latest checkpoint, or by `graph_id` if that is unknown.

        `outcome.NEVER_RUN` if the thread has no checkpoint, None if no graph can read it.
        """
        saved = await saver.aget_tuple({"configurable": {"thread_id": thread_id}})
        if saved is None:
            return outcome.NEVER_RUN
        wrote = cast(Mapping[str, Any], saved.metadata).get("graph_id")
        return await self.state(saver, thread_id, wrote if wrote in self._registry.graph_ids() else graph_id)

    async def state(self, saver: Saver, thread_id: str, graph_id: str) -> StateSnapshot | None:
        """A thread's state, or None if the graph cannot be made or cannot read it, both of which are user code."""
        config: RunnableConfig = {"configurable": {"thread_id": thread_id}}
        return await self.ask(saver, thread_id, graph_id, lambda graph: graph.aget_state(config))

    async def ask(
        self, saver: Saver, thread_id: str, graph_id: str, question: Callable[[Graph], Awaitable[T]]
    ) -> T | None:
        """The graph's answer to a question about a thread, or None if the graph cannot be made or fails."""
        config: RunnableConfig = {"configurable": {"thread_id": thread_id}}
        purpose = Purpose(access="threads.read", config=config, store=self._store)
        try:
            async with self._registry.open(graph_id, purpose) as graph:
                return await question(graph.copy({"checkpointer": saver}))
        except (Exception, SystemExit) as error:
            if isinstance(error, SuperstepError) and (error.retryable or isinstance(error, StaleAttempt)):
                raise
            about = {"thread_id": thread_id, "graph_id": graph_id}
            logger.warning("the thread's state could not be read by the graph", exc_info=True, extra=about)
            return None
