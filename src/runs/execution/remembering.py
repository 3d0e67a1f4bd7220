"""Subgraphs in a run that goes on where a slice ended or a crash cut it off: which of them go on, and which begin.

A subgraph goes on if it was cut off in the very super-step that is executed again: its last checkpoint then names the
same checkpoints of the graphs around it. LangGraph tells something else:

- To every subgraph of such a run's first super-step, that it is resumed. The checkpoint of a subgraph with a memory
  (`checkpointer=True`) may be that of an earlier super-step, or of an earlier run: it would go on from where it had
  ended, and never see its input.
- To no subgraph that a graph without checkpoints (`checkpointer=False`) calls: that graph begins anew. Those it calls
  find the checkpoints that they had (`task_names.CheckpointIds`), and would apply their input once more.

Several tasks of one super-step may call the same subgraph with a memory: only the first call of a slice goes on.
"""

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final, cast

# LangGraph has no public names for these.
from langgraph._internal._constants import (
    CONF,
    CONFIG_KEY_CHECKPOINT_MAP,
    CONFIG_KEY_CHECKPOINT_NS,
    CONFIG_KEY_RESUMING,
)
from langgraph.pregel._loop import PregelLoop


@dataclass(frozen=True, slots=True)
class _Slice:
    #: The run goes on by itself: no caller has resumed it.
    is_continued: bool
    #: The namespaces of the subgraphs that have begun in it.
    begun: set[str] = field(default_factory=set)


_current: Final = ContextVar[_Slice | None]("slice", default=None)


@contextmanager
def going_on(is_continued: bool) -> Generator[None]:
    """A slice executes in the block, of a run that goes on by itself, if it is continued."""
    token = _current.set(_Slice(is_continued))
    try:
        yield
    finally:
        _current.reset(token)


def _first(loop: Any, **given: Any) -> Any:
    """A graph's loop begins."""
    current = _current.get()
    if current is not None and loop.is_nested:
        _tell(loop, current)
    return _begin(loop, **given)


def _tell(loop: Any, current: _Slice) -> None:
    """Tell a subgraph whether it goes on."""
    place = loop.config[CONF]
    # The checkpoints of the graphs around it, as they were when it stored its last one, and as they are.
    then, now = loop.checkpoint_metadata.get("parents", {}), place.get(CONFIG_KEY_CHECKPOINT_MAP, {})
    namespace = place.get(CONFIG_KEY_CHECKPOINT_NS, "")
    if then == now and namespace not in current.begun:
        place[CONFIG_KEY_RESUMING] = True
    elif current.is_continued:
        place.pop(CONFIG_KEY_RESUMING, None)
    current.begun.add(namespace)


_begin: Final = cast(Any, PregelLoop)._first
cast(Any, PregelLoop)._first = _first
