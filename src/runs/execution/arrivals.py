"""Items of a graph that are still on their way here when the graph has gone on.

LangGraph passes its items on through queues and the event loop, and says nowhere how many are under way. So a mark is
sent after them, as nodes send custom events: once it has arrived, so has everything before it.
"""

import asyncio
from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import copy_context
from typing import Any, Final

from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import var_child_runnable_config
from langgraph._internal._constants import CONFIG_KEY_RUNTIME  # where graphs find what writes custom events

#: Turns of the event loop that the next item of a subgraph needs to get here; counted, and doubled.
QUIET_TURNS: Final = 12

#: The same with the protocol, whose items pass through LangGraph's transformers first.
PROTOCOL_QUIET_TURNS: Final = 40

#: Whoever emits without end must not keep others waiting for ever. By then, what was under way is here.
MAX_TURNS: Final = 10_000


class _Mark(asyncio.Event):
    """Is set when it has arrived."""


def _never() -> bool:
    return False


class Arrivals:
    """Those of one slice.

    LangGraph takes marks if it was asked for custom events (`sends_marks`) and the run's own graph is not waiting for
    its checkpointer. Otherwise, when nothing has arrived for `quiet_turns` of the event loop, nothing is under way.
    """

    def __init__(self, quiet_turns: int, *, sends_marks: bool) -> None:
        self._quiet_turns = quiet_turns
        self.sends_marks: Final = sends_marks
        self._write: Callable[[Any], None] | None = None
        self._count = 0
        self._open = asyncio.Event()
        self._open.set()

    def begin(self, config: RunnableConfig) -> None:
        """A graph is at work with this config, in which LangGraph says where custom events go; the run's own first."""
        place = config.get("configurable", {})
        runtime = place.get(CONFIG_KEY_RUNTIME)
        if self.sends_marks and self._write is None and runtime is not None and not place.get("checkpoint_ns"):
            self._write = runtime.stream_writer

    def note(self, payload: Any) -> bool:
        """An item has arrived; whether it is one of the graph's, and not a mark."""
        self._count += 1
        if isinstance(payload, _Mark):
            payload.set()
            return False
        return True

    @contextmanager
    def paused(self) -> Generator[None]:
        """Nobody takes an item in the block, and whoever waits for one goes on waiting."""
        self._open.clear()
        try:
            yield
        finally:
            self._open.set()

    async def wait(self, has_arrived: Callable[[], bool] = _never) -> bool:
        """Return when something `has_arrived`, or false when all that is under way has, and it has not.

        It is false after `MAX_TURNS`, too.
        """
        mark, quiet_turns = self._sent_mark(), 0
        for _ in range(MAX_TURNS):
            if has_arrived():
                return True
            if mark.is_set() or quiet_turns == self._quiet_turns:
                break
            count = self._count
            await asyncio.sleep(0)
            await self._open.wait()
            quiet_turns = 0 if count != self._count else quiet_turns + 1
        return has_arrived()

    def _sent_mark(self) -> _Mark:
        mark = _Mark()
        if self._write is not None:
            context = copy_context()
            context.run(var_child_runnable_config.set, {"configurable": {"checkpoint_ns": ""}})
            context.run(self._write, mark)
        return mark
