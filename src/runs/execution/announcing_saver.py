"""Tells a run's stream what its checkpointer is about to store and what it has stored."""

import copy
from collections.abc import Callable, Sequence
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import WRITES_IDX_MAP, CheckpointTuple

from d1_checkpointer import D1Saver
from langgraph_terms import Graph, Saver
from runs.execution import answers, committed_state, own_checkpoints, stored_errors
from runs.execution.graph_events import GraphEvents
from runs.execution.task_names import TaskNames
from streaming.run_stream import RunStream
from streaming.stream_notes import Answer


def announcing(graph: Graph, saver: Saver, events: GraphEvents, stream: RunStream, names: TaskNames) -> Saver:
    """A copy of a checkpointer that tells of every commit, before and after, and of answers to interrupts before."""
    early: set[str] = set()
    #: The super-step after each checkpoint.
    steps_after: dict[str, int] = {}
    #: The ids of the interrupts that waited when the run came to them, by task.
    asked: dict[str, list[str]] = {}

    def wrote(task_id: str) -> None:
        if task_id in early:
            stream.task_committed(task_id)

    def read(config: RunnableConfig, saved: CheckpointTuple) -> None:
        events.arrivals.begin(config)
        names.follow(saved)
        asked.update(answers.questions(saved))

    announcer = _reporting(saver, stream.committed, wrote, read)
    own_checkpoints.note(announcer, events.own_checkpoints)
    put, put_writes = announcer.aput, announcer.aput_writes

    async def aput(config: RunnableConfig, checkpoint: Any, metadata: Any, new_versions: Any) -> RunnableConfig:
        events.arrivals.begin(config)
        namespace, step = _namespace(config), metadata["step"]
        steps_after[checkpoint["id"]] = step + 1
        is_known = committed_state.knows(graph, namespace)
        await events.catch_up(namespace, step, is_known=is_known)
        events.emit_told_records()
        stream.before_commit(namespace, step, is_known=is_known)
        names.passed_on(checkpoint["id"])
        return await put(config, checkpoint, metadata, new_versions)

    async def aput_writes(
        config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        namespace, checkpoint_id = _namespace(config), config.get("configurable", {}).get("checkpoint_id", "")
        # What finished after a checkpoint must not be there without it: then it would be executed again.
        await names.passing(checkpoint_id)
        for count in answers.given_by(task_id, writes):
            stream.answering(Answer(namespace, task_id, count, asked.get(task_id, ())))
        if any(channel not in WRITES_IDX_MAP for channel, _ in writes):
            if await events.is_ahead(namespace, task_id):
                early.add(task_id)
                events.emit_records(task_id)
            records, step = events.records_of(task_id), steps_after.get(checkpoint_id)
            stream.before_task_commit(namespace, task_id, records, step)
        await events.before_writes()
        await put_writes(config, stored_errors.described(writes), task_id, task_path)

    return _with(announcer, aput=aput, aput_writes=aput_writes)


def _reporting(
    saver: Saver,
    committed: Callable[[str, int], None],
    wrote: Callable[[str], None],
    read: Callable[[RunnableConfig, CheckpointTuple], None],
) -> Saver:
    """A copy of a checkpointer that reports what it has stored: ours by itself, any other when it returns."""
    if isinstance(saver, D1Saver):
        return saver.observed(lambda stored: committed(stored.checkpoint_ns, stored.step), wrote, read)

    async def aput(config: RunnableConfig, checkpoint: Any, metadata: Any, new_versions: Any) -> RunnableConfig:
        stored = await saver.aput(config, checkpoint, metadata, new_versions)
        committed(_namespace(config), metadata["step"])
        return stored

    async def aput_writes(
        config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        await saver.aput_writes(config, writes, task_id, task_path)
        wrote(task_id)

    return _with(copy.copy(saver), aput=aput, aput_writes=aput_writes)


def _with(saver: Saver, **methods: Any) -> Saver:
    # Attributes of the instance: `Pregel` clones checkpointers with `copy`, which keeps them.
    for name, method in methods.items():
        setattr(saver, name, method)
    return saver


def _namespace(config: RunnableConfig) -> str:
    return config.get("configurable", {}).get("checkpoint_ns", "")
