"""Gives a run that starts over what it had stored beside a checkpoint after which LangGraph executes all tasks again.

A run that names a checkpoint executes the tasks after it again, whether they have finished or not, if the thread has
moved past the checkpoint or if the run answers no question. In LangGraph's eyes, they finished in earlier runs. If a
crash cut the run off, some finished in the run itself, and their results were shown. These do not run again, and its
subgraphs go on. What earlier runs did stays as LangGraph has it.
"""

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final, cast

# LangGraph has no public names for these.
from langgraph._internal._constants import CONF, CONFIG_KEY_REPLAY_STATE, INTERRUPT, NULL_TASK_ID, RESUME
from langgraph._internal._replay import ReplayState
from langgraph.checkpoint.base import CheckpointTuple, PendingWrite
from langgraph.pregel._loop import PregelLoop

from runs.execution import continuation
from runs.execution.job import Job


@dataclass(frozen=True, slots=True)
class _Start:
    job: Job
    #: The checkpoint, with what this very run wrote beside it.
    stored: CheckpointTuple


_current: Final = ContextVar[_Start | None]("start", default=None)


@contextmanager
def starting_over(job: Job, stored: CheckpointTuple | None) -> Generator[None]:
    """A run that has no checkpoint of its own executes in the block; see `continuation.began_with` for `stored`."""
    token = _current.set(_Start(job, stored) if stored else None)
    try:
        yield
    finally:
        _current.reset(token)


class _OwnFirst(ReplayState):
    """Which checkpoints subgraphs begin with: those of this very run, or else those that LangGraph chooses."""

    def __init__(self, chosen: ReplayState, job: Job) -> None:
        super().__init__(chosen.checkpoint_id)
        self._job = job

    def get_checkpoint(self, checkpoint_ns: str, checkpointer: Any, checkpoint_config: Any) -> CheckpointTuple | None:
        latest = checkpointer.get_tuple(checkpoint_config)
        if latest and continuation.is_own(self._job, latest):
            return latest
        return super().get_checkpoint(checkpoint_ns, checkpointer, checkpoint_config)

    async def aget_checkpoint(
        self, checkpoint_ns: str, checkpointer: Any, checkpoint_config: Any
    ) -> CheckpointTuple | None:
        latest = await checkpointer.aget_tuple(checkpoint_config)
        if latest and continuation.is_own(self._job, latest):
            return latest
        return await super().aget_checkpoint(checkpoint_ns, checkpointer, checkpoint_config)


def _first(loop: Any, **given: Any) -> Any:
    """A graph's loop begins."""
    updated = _begin(loop, **given)
    start = _current.get()
    # A loop that forks has made another checkpoint.
    if start and loop.is_replaying and not loop.is_nested and loop.checkpoint["id"] == start.stored.checkpoint["id"]:
        _hand_back(loop, start)
    return updated


def _hand_back(loop: Any, start: _Start) -> None:
    if chosen := loop.config[CONF].get(CONFIG_KEY_REPLAY_STATE):
        loop.config[CONF][CONFIG_KEY_REPLAY_STATE] = _OwnFirst(chosen, start.job)
    if results := [write for write in start.stored.pending_writes or () if _is_result(write)]:
        others = [write for write in loop.checkpoint_pending_writes if not _is_result(write)]
        loop.checkpoint_pending_writes = others + results
        loop.is_replaying = False


def _is_result(write: PendingWrite) -> bool:
    """Whether it tells how a task ended, not what was asked, answered or changed by a command."""
    task_id, channel, _ = write
    return task_id != NULL_TASK_ID and channel not in (INTERRUPT, RESUME)


_begin: Final = cast(Any, PregelLoop)._first
cast(Any, PregelLoop)._first = _first
