"""A node's error handler waits until the node's error is stored, but the graph around it does not.

LangGraph keeps a graph from streaming while it stores such an error. So the result of the node would not be here before
the error is stored, after which no resumed run streams it again.
"""

import asyncio
from collections.abc import AsyncIterator, Collection
from dataclasses import replace
from typing import Any, Final, cast

from langgraph.pregel._loop import AsyncPregelLoop

_schedule: Final = cast(Any, AsyncPregelLoop).aschedule_error_handler


class _WaitingNode:
    """A node that is executed once all of these have ended; raises what one of them raised."""

    def __init__(self, node: Any, awaited: Collection[asyncio.Future[None]]) -> None:
        self._node = node
        self._awaited = awaited

    async def ainvoke(self, given: Any, config: Any) -> Any:
        await self._wait()
        return await self._node.ainvoke(given, config)

    async def astream(self, given: Any, config: Any) -> AsyncIterator[Any]:
        await self._wait()
        async for part in self._node.astream(given, config):
            yield part

    async def _wait(self) -> None:
        await asyncio.wait(self._awaited)  # unlike `gather` it cancels none of them
        for each in self._awaited:
            each.result()


async def _schedule_waiting(loop: Any, failed_task: Any, error: BaseException) -> Any:
    storing, loop._error_handler_write_futs = loop._error_handler_write_futs, []
    task = await _schedule(loop, failed_task, error)
    # Those of nodes that failed at the same time are waited for by each of their handlers.
    loop._error_handler_write_futs += [each for each in storing if not each.done()]
    return replace(task, proc=_WaitingNode(task.proc, storing)) if task and storing else task


def install() -> None:
    """Let every graph do so."""
    AsyncPregelLoop.aschedule_error_handler = _schedule_waiting  # type: ignore[method-assign]
