"""A graph goes on streaming while a node's error is stored and handled; the error handler waits until it is stored.

LangGraph keeps a graph from streaming while it stores such an error. So the result of the node would not be here before
the error is stored, after which no resumed run streams it again. It also streams nothing until the handler has ended if
no other task runs and the stream had an item just when the node failed, as it has with `tasks`: it forgets to wait for
the next one.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from dataclasses import replace
from typing import Any, Final, TypeAlias, cast

from langgraph.pregel import _runner
from langgraph.pregel._loop import AsyncPregelLoop
from langgraph.pregel._runner import FuturesDict, PregelRunner

_schedule: Final = cast(Any, AsyncPregelLoop).aschedule_error_handler
_tick: Final = cast(Any, PregelRunner).atick

#: Returns the future that ends when the stream of the graph has an item: one for all who call until then.
_Waiter: TypeAlias = Callable[[], asyncio.Future[None]]


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


class _Futures(FuturesDict[Any, Any]):
    """The tasks of a super-step; whoever waits for one of them waits for items of the stream as well."""

    def __setitem__(self, future: Any, task: Any) -> None:
        super().__setitem__(future, task)
        runner = getattr(self.callback(), "__self__", None)
        if task is not None and (get_waiter := getattr(runner, "superstep_waiter", None)):
            super().__setitem__(get_waiter(), None)


def _tick_noting(runner: Any, *args: Any, get_waiter: _Waiter | None = None, **kwargs: Any) -> AsyncIterator[None]:
    runner.superstep_waiter = get_waiter
    return _tick(runner, *args, get_waiter=get_waiter, **kwargs)


def install() -> None:
    """Let every graph do so."""
    _runner.FuturesDict = _Futures
    PregelRunner.atick = _tick_noting  # type: ignore[method-assign]
    AsyncPregelLoop.aschedule_error_handler = _schedule_waiting  # type: ignore[method-assign]
