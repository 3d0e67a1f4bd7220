"""A graph has not ended before all of its nodes have, whatever happens to it meanwhile.

LangGraph waits for its nodes when it ends: after it has cancelled them, because it was cancelled itself, or because one
of them failed. If it is cancelled while it waits, it does not wait any longer. And it knows nothing of the tasks that
begin while it waits, as those of a function do. What is left goes on beside the thread's next run.
"""

import asyncio
from contextlib import suppress
from types import TracebackType

from langgraph.pregel._executor import AsyncBackgroundExecutor

_exit = AsyncBackgroundExecutor.__aexit__


async def _exit_after_all(
    nodes: AsyncBackgroundExecutor,
    exc_type: type[BaseException] | None,
    exc_value: BaseException | None,
    traceback: TracebackType | None,
) -> None:
    known = set(nodes.tasks)
    try:
        await _exit(nodes, exc_type, exc_value, traceback)
    finally:
        while left := {task for task in known | nodes.tasks.keys() if not task.done()}:
            for task in left - known:
                is_node, _ = nodes.tasks[task]
                if is_node:
                    task.cancel(nodes.sentinel)
            known |= left
            with suppress(asyncio.CancelledError):
                await asyncio.wait(left)


def install() -> None:
    """Let every graph do so."""
    AsyncBackgroundExecutor.__aexit__ = _exit_after_all  # type: ignore[method-assign]
