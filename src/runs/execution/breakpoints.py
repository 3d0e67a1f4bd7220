"""A run that goes on after a crash or a drained slice stops at the breakpoint at which it was about to stop.

LangGraph lets a graph that goes on from a checkpoint pass its breakpoint, because whoever resumes a run asks for that.
But a checkpoint of the run itself was not resumed by anybody. A breakpoint *before* a node is looked at again: what
LangGraph has marked as passed there is taken back. One *after* a node belongs to a super-step that is over, and nothing
that is stored tells which nodes that had (a command or a `Send` may have led there). So it is noted in the thread's
object before its checkpoint is stored.
"""

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final, cast

from langgraph._internal._constants import INTERRUPT  # LangGraph has no public name for it
from langgraph.errors import GraphInterrupt
from langgraph.pregel import _loop
from langgraph.pregel._loop import PregelLoop

from runs.execution import own_checkpoints
from streaming.run_stream import RunStream


@dataclass(frozen=True, slots=True)
class _Slice:
    stream: RunStream
    #: The checkpoints at which graphs of this run stopped before this slice, by id.
    reached: frozenset[str]


_current: Final = ContextVar[_Slice | None]("breakpoints_slice", default=None)


@contextmanager
def kept(stream: RunStream, *, is_resumed: bool) -> Generator[None]:
    """A slice of the stream's run executes in the block; `is_resumed`: an earlier one began the run."""
    token = _current.set(_Slice(stream, frozenset(stream.breakpoints() if is_resumed else ())))
    try:
        yield
    finally:
        _current.reset(token)


def _first(loop: Any, **given: Any) -> Any:
    """A graph's loop begins."""
    current, checkpoint = _current.get(), loop.checkpoint
    is_own = current is not None and own_checkpoints.is_of(loop, current.stream.run_id)
    passed = dict(checkpoint["versions_seen"].get(INTERRUPT, {}))
    begun = _begin(loop, **given)
    if is_own and loop.checkpoint is checkpoint:
        checkpoint["versions_seen"][INTERRUPT] = passed
    return begun


def _tick(loop: Any) -> bool:
    """A graph's next super-step begins."""
    current = _current.get()
    is_stored = loop.checkpoint["id"] == loop.checkpoint_id_saved
    if current is not None and is_stored and loop.checkpoint["id"] in current.reached:
        loop.status = "interrupt_after"
        loop._prepare_tasks_and_emit_checkpoint()
        raise GraphInterrupt
    return _go_on(loop)


def _should_interrupt(checkpoint: Any, *nodes_and_tasks: Any) -> Any:
    stops = _stops(checkpoint, *nodes_and_tasks)
    if stops and (current := _current.get()):
        current.stream.note_breakpoint(checkpoint["id"])
    return stops


_begin: Final = cast(Any, PregelLoop)._first
cast(Any, PregelLoop)._first = _first
_go_on: Final = cast(Any, PregelLoop).tick
cast(Any, PregelLoop).tick = _tick
_stops: Final = cast(Any, _loop).should_interrupt
cast(Any, _loop).should_interrupt = _should_interrupt
