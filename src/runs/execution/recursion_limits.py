"""A call of a graph has one recursion limit, in however many slices it is executed.

LangGraph counts from the step at which it loads a graph. The id of a checkpoint tells how many super-steps its call had
made by then (`task_names.used_by`).
"""

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final, cast

from langgraph.pregel._loop import PregelLoop

from runs.execution import own_checkpoints
from runs.execution.task_names import caller, caller_of, used_by

#: The run that executes.
_current: Final = ContextVar[str | None]("limited_run", default=None)


@contextmanager
def counted(run_id: str) -> Generator[None]:
    """A slice of this run executes in the block."""
    token = _current.set(run_id)
    try:
        yield
    finally:
        _current.reset(token)


def _first(loop: Any, **given: Any) -> Any:
    """A graph's loop begins."""
    if run_id := _current.get():
        goes_on = own_checkpoints.is_of(loop, run_id) and caller(loop.config["configurable"]) in (None, caller_of(loop))
        used = used_by(loop) if goes_on else 0
        loop.began_at = loop.step - used
        loop.stop -= used
    return _begin(loop, **given)


_begin: Final = cast(Any, PregelLoop)._first
cast(Any, PregelLoop)._first = _first
