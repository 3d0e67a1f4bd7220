"""Subgraphs with a memory (`checkpointer=True`) in a run that goes on where a slice ended or a crash cut it off.

LangGraph tells every subgraph of such a run's first super-step that it is resumed. So one with a checkpoint goes on
from there, and one without is given its input. But the checkpoint of a subgraph with a memory may be that of an earlier
super-step, or of an earlier run: the subgraph would go on from where it had ended, and never see its input.
"""

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final, cast

# LangGraph has no public names for these.
from langgraph._internal._constants import CONF, CONFIG_KEY_CHECKPOINT_MAP, CONFIG_KEY_RESUMING
from langgraph.pregel._loop import PregelLoop

_goes_on: Final = ContextVar("goes_on", default=False)


@contextmanager
def going_on(is_continued: bool) -> Generator[None]:
    """The run that executes in the block goes on by itself, if it is continued: no caller has resumed it."""
    token = _goes_on.set(is_continued)
    try:
        yield
    finally:
        _goes_on.reset(token)


def _first(loop: Any, **given: Any) -> Any:
    """A graph's loop begins: a subgraph which began in an earlier super-step than this one is not resumed."""
    place = loop.config[CONF]
    # The checkpoints of the graphs around it, as they were when it stored its last one, and as they are.
    then, now = loop.checkpoint_metadata.get("parents", {}), place.get(CONFIG_KEY_CHECKPOINT_MAP, {})
    if _goes_on.get() and loop.is_nested and then != now:
        place.pop(CONFIG_KEY_RESUMING, None)
    return _begin(loop, **given)


_begin: Final = cast(Any, PregelLoop)._first
cast(Any, PregelLoop)._first = _first
