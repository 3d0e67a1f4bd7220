"""How a slice ends whose budget is spent: between super-steps of the run's own graph, or in subgraphs, as by a crash.

LangGraph drains a graph between its super-steps. That does for the run's own graph. In a subgraph it raises
`GraphDrained` through the node that called it: the node may catch it, another graph that it called may go on, and a
task beside it may have failed. So a subgraph waits instead, before its next super-step. Once nothing can go on
(`slice_at_work`) and what was done is stored, the slice is cut off: it cancels itself, and nothing of what nodes do
from then on is stored or told. The run goes on as after a crash.

A slice ends only once it got somewhere: a super-step of any graph is over. Otherwise a node that takes longer than a
slice, and then calls a subgraph, would be executed again in each slice without end.
"""

import asyncio
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final, cast

# LangGraph has no public name for this.
from langgraph._internal._constants import PUSH
from langgraph.errors import GraphBubbleUp, GraphDrained, is_invalid_resume
from langgraph.pregel import _runner
from langgraph.pregel._loop import AsyncPregelLoop, PregelLoop
from langgraph.pregel._runner import PregelRunner
from langgraph.runtime import RunControl

from runs.execution.slice_at_work import SliceAtWork, TaskAtWork, innermost


class CutOff(GraphDrained):
    """The slice has cut itself off: the run is to go on as after a crash."""


_current: Final = ContextVar[SliceAtWork | None]("draining_slice", default=None)


@contextmanager
def given(control: RunControl) -> Generator[None]:
    """A slice executes in the block, and raises `CutOff` if it cuts itself off."""
    current = SliceAtWork(control)
    token = _current.set(current)
    try:
        yield
    except (Exception, asyncio.CancelledError):
        if not current.is_cut_off or current.task.uncancel():
            raise
        raise CutOff(control.drain_reason or "shutdown") from None
    finally:
        _current.reset(token)
        current.close()


def is_cut_off() -> bool:
    """Whether the slice around has cut itself off."""
    current = _current.get()
    return current is not None and current.is_cut_off


def _make(loop: Any, *args: Any, stream: Any, **kwargs: Any) -> None:
    """A graph's loop is made. LangGraph then makes one stream of the caller's and those around."""
    loop.asked_modes = stream.modes
    _init(loop, *args, stream=stream, **kwargs)


def _first(loop: Any, **given: Any) -> Any:
    """A graph's loop begins."""
    current = _current.get()
    if current is None or loop.control is not current.control:
        return _begin(loop, **given)
    current.check()
    current.begin(loop)
    try:
        return _begin(loop, **given)
    except BaseException:
        current.end(loop)
        raise


async def _exit(loop: Any, *error: Any) -> bool | None:
    """A graph's loop ends."""
    try:
        return await _end(loop, *error)
    finally:
        if has_ended := getattr(loop, "has_ended", None):
            has_ended()


async def _match(loop: Any) -> Sequence[Any]:
    """LangGraph looks for what is cached: before a super-step begins, and again as it comes to have further tasks."""
    current = _current.get()
    graph = current and current.graph_of(loop)
    if current and graph and graph.is_between:
        graph.is_between = False
        if loop.is_nested:
            await current.may_go_on(graph)
    return await _match_cached(loop)


def _after_tick(loop: Any) -> None:
    """The tasks of a super-step have ended."""
    current = _current.get()
    graph = current and current.graph_of(loop)
    if current and graph:
        current.check()
    _apply(loop)
    if current and graph:
        current.got_somewhere = graph.is_between = True


async def _run(task: Any, *args: Any, **kwargs: Any) -> Any:
    """A task is executed."""
    current = _current.get()
    if current is None or (graph := current.graph_around(task)) is None:
        return await _execute(task, *args, **kwargs)
    graph.tasks[task.id] = at_work = TaskAtWork(innermost.get())
    token = innermost.set(at_work)
    try:
        return await _execute(task, *args, **kwargs)
    finally:
        innermost.reset(token)


def _commit(runner: Any, task: Any, error: BaseException | None) -> None:
    """A task has ended."""
    _store(runner, task, error)
    current = _current.get()
    if current is None or (graph := current.graph_around(task)) is None:
        return
    if error is not None and _stops_others(runner, task, error):
        graph.tasks[task.id] = TaskAtWork()  # as long as its graph is about to fail
        return
    graph.tasks.pop(task.id, None)
    current.look()


def _stops_others(runner: Any, task: Any, error: BaseException) -> bool:
    """Whether an error ends its graph at once."""
    is_call = task.path[0] == PUSH and isinstance(task.path[1], tuple)
    is_failure = not (isinstance(error, (GraphBubbleUp, asyncio.CancelledError)) or is_invalid_resume(error))
    return is_failure and not is_call and id(error) not in runner._handled_exception_ids


def _put_writes(loop: Any, *args: Any, **kwargs: Any) -> None:
    """A task's end is to be stored and told."""
    if not is_cut_off():
        _put(loop, *args, **kwargs)


_init: Final = AsyncPregelLoop.__init__
_begin: Final = cast(Any, PregelLoop)._first
_apply: Final = PregelLoop.after_tick
_end: Final = AsyncPregelLoop.__aexit__
_match_cached: Final = AsyncPregelLoop.amatch_cached_writes
_put: Final = AsyncPregelLoop.put_writes
_store: Final = PregelRunner.commit
_execute: Final = cast(Any, _runner).arun_with_retry
AsyncPregelLoop.__init__ = _make  # type: ignore[method-assign]
cast(Any, PregelLoop)._first = _first
PregelLoop.after_tick = _after_tick  # type: ignore[method-assign]
AsyncPregelLoop.__aexit__ = _exit  # type: ignore[method-assign]
AsyncPregelLoop.amatch_cached_writes = _match  # type: ignore[method-assign]
AsyncPregelLoop.put_writes = _put_writes  # type: ignore[method-assign]
PregelRunner.commit = _commit  # type: ignore[method-assign]
cast(Any, _runner).arun_with_retry = _run
