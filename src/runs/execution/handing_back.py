"""Gives a run that starts over what it had stored beside a checkpoint after which LangGraph executes all tasks again.

A run that names a checkpoint executes the tasks after it again, whether they have finished or not, if the thread has
moved past the checkpoint or if the run answers no question. In LangGraph's eyes, they finished in earlier runs. If a
crash cut the run off, some finished in the run itself, and their results were shown. These do not run again
(and its subgraphs go on: `remembering`). What earlier runs did stays as LangGraph has it.
"""

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final, cast

from langgraph._internal._constants import INTERRUPT, NULL_TASK_ID, RESUME  # LangGraph has no public names for these
from langgraph.checkpoint.base import CheckpointTuple, PendingWrite
from langgraph.pregel._loop import PregelLoop

#: The checkpoint, with what this very run wrote beside it.
_current: Final = ContextVar[CheckpointTuple | None]("stored", default=None)


@contextmanager
def starting_over(stored: CheckpointTuple | None) -> Generator[None]:
    """A run that has no checkpoint of its own executes in the block; see `continuation.began_with` for `stored`."""
    token = _current.set(stored)
    try:
        yield
    finally:
        _current.reset(token)


def _first(loop: Any, **given: Any) -> Any:
    """A graph's loop begins."""
    updated = _begin(loop, **given)
    stored = _current.get()
    # A loop that forks has made another checkpoint.
    if stored and loop.is_replaying and not loop.is_nested and loop.checkpoint["id"] == stored.checkpoint["id"]:
        _hand_back(loop, stored)
    return updated


def _hand_back(loop: Any, stored: CheckpointTuple) -> None:
    if results := [write for write in stored.pending_writes or () if _is_result(write)]:
        others = [write for write in loop.checkpoint_pending_writes if not _is_result(write)]
        loop.checkpoint_pending_writes = others + results
        loop.is_replaying = False


def _is_result(write: PendingWrite) -> bool:
    """Whether it tells how a task ended, not what was asked, answered or changed by a command."""
    task_id, channel, _ = write
    return task_id != NULL_TASK_ID and channel not in (INTERRUPT, RESUME)


_begin: Final = cast(Any, PregelLoop)._first
cast(Any, PregelLoop)._first = _first
