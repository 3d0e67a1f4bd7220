"""Which answers a run has given already, asked when it starts over after a crash.

A node that asks twice runs from its beginning for each answer: LangGraph keeps the ones it has beside the question
until the super-step is over. Giving the same `Command(resume=…)` again would answer the second question like the first.
"""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from langchain_core.runnables import RunnableConfig
from langgraph._internal._constants import INTERRUPT, NULL_TASK_ID, RESUME  # how savers name questions and answers
from langgraph.checkpoint.base import WRITES_IDX_MAP, CheckpointTuple
from langgraph.pregel._utils import is_xxh3_128_hexdigest
from langgraph.types import Command

from langgraph_terms import Saver
from runs.execution import continuation, graph_input
from runs.execution.job import Job
from streaming.run_stream import RunStream
from streaming.stream_notes import Answer


async def ask_again(job: Job, saver: Saver, stream: RunStream) -> tuple[Any, Saver]:
    """The request of a run that starts over, without what is stored of it already, and a saver that hides answers."""
    given = graph_input.first_input(job.kwargs)
    if not isinstance(given, Command):
        return given, saver
    noted = stream.answers()
    if await _has_changed(noted, saver, job.config):
        if given.resume is None:
            return None, saver
        given = cast(Command[Any], Command(resume=given.resume))
    taken = [answer for answer in noted if answer.task_id != NULL_TASK_ID and await _was_taken(answer, saver, job)]
    if not taken:
        return given, saver
    answered = {interrupt_id for answer in taken for interrupt_id in answer.asked}
    return _still_to_give(given, answered), _hiding(saver)


def _hiding(saver: Saver) -> Saver:
    """A copy of a checkpointer that hides those answers, and so do LangGraph's own copies of it."""

    class Hiding(type(saver)):
        async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
            return _without_unclaimed_answer(await super().aget_tuple(config))

    hiding = copy.copy(saver)
    hiding.__class__ = Hiding
    return hiding


def given_by(task_id: str, writes: Sequence[tuple[str, Any]]) -> list[int]:
    """How many answers a task has with these writes; empty when they hold none.

    What commands change otherwise counts as answers of no task; LangGraph stores all of a checkpoint with each of them.
    """
    if task_id == NULL_TASK_ID:
        changes = sum(channel not in WRITES_IDX_MAP for channel, _ in writes)
        return [changes] if changes else []
    return [_count(value) for channel, value in writes if channel == RESUME]


def questions(saved: CheckpointTuple) -> dict[str, list[str]]:
    """The ids of the interrupts that wait at a checkpoint, by task; also those that LangGraph tells nobody of."""
    writes = saved.pending_writes or ()
    return {writer: [interrupt.id for interrupt in value] for writer, channel, value in writes if channel == INTERRUPT}


async def _has_changed(noted: Sequence[Answer], saver: Saver, config: RunnableConfig) -> bool:
    """Whether what this run's command changes is stored: given again, it would be changed twice."""
    for _, task_id, count, _ in noted:
        if task_id == NULL_TASK_ID:
            saved = await saver.aget_tuple(config)
            writes = (saved and saved.pending_writes) or ()
            return count <= sum(writer == task_id and channel not in WRITES_IDX_MAP for writer, channel, _ in writes)
    return False


async def _was_taken(answer: Answer, saver: Saver, job: Job) -> bool:
    """Whether an answer is stored beside the task's question, or the task's graph has gone on since."""
    namespace, task_id, count, _ = answer
    if not namespace:  # the run's own graph has not gone on, or the run would not start over
        return _answers(await continuation.began_with(job, saver), task_id) >= count
    has_gone_on = False
    async for saved in saver.alist({"configurable": {"thread_id": job.thread_id, "checkpoint_ns": namespace}}):
        if any(writer == task_id for writer, _, _ in saved.pending_writes or ()):
            return has_gone_on or _answers(saved, task_id) >= count
        has_gone_on = saved.metadata.get("run_id") == job.run_id
        if not has_gone_on:
            break  # the run began here
    return False


def _still_to_give(command: Command[Any], answered: set[str]) -> Command[Any]:
    """What is left of a resuming command after some of its answers were taken: those to the interrupts `answered`.

    If that is nothing, it still is a resuming command: without one, a run that names its checkpoint would ask again.
    """
    given = cast(Mapping[str, Any], command.resume) if isinstance(command.resume, Mapping) else {}
    is_by_id = all(map(is_xxh3_128_hexdigest, given))  # or else it is the answer, as LangGraph sees it
    left = {key: value for key, value in given.items() if key not in answered} if is_by_id else {}
    return replace(command, resume=left)


def _without_unclaimed_answer(saved: CheckpointTuple | None) -> CheckpointTuple | None:
    """A checkpoint without the answer that waits for whichever interrupt comes first."""
    if saved is None or not saved.pending_writes:
        return saved
    writes = [write for write in saved.pending_writes if write[:2] != (NULL_TASK_ID, RESUME)]
    return saved._replace(pending_writes=writes)


def _answers(saved: CheckpointTuple | None, task_id: str) -> int:
    for writer, channel, value in (saved and saved.pending_writes) or ():
        if writer == task_id and channel == RESUME:
            return _count(value)
    return 0


def _count(value: object) -> int:
    return len(cast(list[Any], value)) if isinstance(value, list) else 1
