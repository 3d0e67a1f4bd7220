"""A graph has not ended before all of its nodes have, whatever happens to it meanwhile.

LangGraph waits for its nodes when it ends: after it has cancelled them, because it was cancelled itself, or because one
of them failed. If it is cancelled while it waits, it does not wait any longer. And it knows nothing of the tasks that
begin while it waits, as those of a function do. Nodes with a `timeout` have a task of their own each, which it cancels
and leaves alone. What is left goes on beside the thread's next run.
"""

import asyncio
from contextlib import suppress
from contextvars import ContextVar
from types import TracebackType
from typing import Any, Final, cast

from langgraph.pregel import _retry
from langgraph.pregel._executor import AsyncBackgroundExecutor

_exit: Final = AsyncBackgroundExecutor.__aexit__
_begin: Final = cast(Any, _retry).create_task_in_config_context
_execute: Final = cast(Any, _retry)._arun_with_timeout

#: The task of the node with a timeout that was executed last.
_timed: Final = ContextVar[asyncio.Task[Any] | None]("timed_node", default=None)


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


def _begin_timed(*args: Any) -> asyncio.Task[Any]:
    task: asyncio.Task[Any] = _begin(*args)
    _timed.set(task)
    return task


async def _execute_to_the_end(*args: Any, **kwargs: Any) -> Any:
    try:
        return await _execute(*args, **kwargs)
    finally:
        if (task := _timed.get()) and not task.done():
            await _end(task)


async def _end(task: asyncio.Task[Any]) -> None:
    try:
        await asyncio.wait([task])
    except asyncio.CancelledError:
        await _end(task)
        raise


def install() -> None:
    """Let every graph do so."""
    AsyncBackgroundExecutor.__aexit__ = _exit_after_all  # type: ignore[method-assign]
    cast(Any, _retry).create_task_in_config_context = _begin_timed
    cast(Any, _retry)._arun_with_timeout = _execute_to_the_end
