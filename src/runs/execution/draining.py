"""A slice whose budget is spent ends once it got somewhere, and no subgraph begins in one that ends.

LangGraph asks whether to drain before each super-step of each graph, also before the first one. A node that takes
longer than a slice may, and then calls a subgraph, would be executed again in each slice without end. And a subgraph
that begins applies its input before LangGraph asks: one with a memory to the state of a call that is not over, if the
one to be called after it is next.

Nor does a graph drain whose super-steps are not stored: one with `checkpointer=False`, with a checkpointer of its own,
or any subgraph with durability "exit". It would begin anew in each slice, and what it calls as well.
"""

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final, cast

from langgraph._internal._constants import CONFIG_KEY_CHECKPOINT_MAP as _AROUND  # LangGraph has no public name for it
from langgraph.errors import GraphDrained
from langgraph.pregel._loop import PregelLoop
from langgraph.runtime import RunControl

from runs.execution import own_checkpoints
from runs.execution.task_names import caller, caller_of


@dataclass(slots=True)
class _Slice:
    #: A super-step of any of its graphs is over.
    got_somewhere: bool = False
    #: The namespaces of graphs whose super-steps are not stored.
    unstored: set[str] = field(default_factory=set)


_current: Final = ContextVar[_Slice | None]("draining_slice", default=None)


class _Patient(RunControl):
    """What one graph asks, once before each of its super-steps."""

    __slots__ = ("_asked", "_control", "_slice")

    def __init__(self, control: RunControl, current: _Slice) -> None:
        super().__init__()
        self._control = control
        self._slice = current
        self._asked = False

    @property
    def drain_requested(self) -> bool:
        """See `RunControl`."""
        self._slice.got_somewhere |= self._asked
        self._asked = True
        return self._slice.got_somewhere and self._control.drain_requested

    @property
    def drain_reason(self) -> str | None:
        """See `RunControl`."""
        return self._control.drain_reason


@contextmanager
def given() -> Generator[None]:
    """A slice executes in the block."""
    token = _current.set(_Slice())
    try:
        yield
    finally:
        _current.reset(token)


def _stores(loop: Any) -> bool:
    """Whether a graph stores its super-steps as it goes; the run's own does so when it drains."""
    return own_checkpoints.are_noted(loop.checkpointer) and not (loop.is_nested and loop.durability == "exit")


def _first(loop: Any, **given: Any) -> Any:
    """A graph's loop begins."""
    current, control = _current.get(), loop.control
    if current is None or control is None:
        return _begin(loop, **given)
    place = loop.config["configurable"]
    if not (_stores(loop) and current.unstored.isdisjoint(place.get(_AROUND, ()))):
        current.unstored.add(place.get("checkpoint_ns", ""))
        loop.control = None
        return _begin(loop, **given)
    begins = loop.is_nested and caller_of(loop) != caller(place)
    if begins and current.got_somewhere and control.drain_requested:
        raise GraphDrained(control.drain_reason or "shutdown")
    loop.control = _Patient(control, current)
    return _begin(loop, **given)


_begin: Final = cast(Any, PregelLoop)._first
cast(Any, PregelLoop)._first = _first
