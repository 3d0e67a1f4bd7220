"""Tells a run's stream what its checkpointer is about to store and what it has stored."""

import copy
from collections.abc import Sequence
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import WRITES_IDX_MAP

from d1_checkpointer import D1Saver
from langgraph_terms import Graph, Saver
from runs.execution import answers, committed_state
from runs.execution.graph_events import GraphEvents
from runs.execution.task_names import TaskNames
from streaming.run_stream import RunStream


def announcing(graph: Graph, saver: Saver, events: GraphEvents, stream: RunStream, names: TaskNames) -> Saver:
    """A copy of a checkpointer that tells of every commit, before and after, and of answers to interrupts before."""
    tells_itself = isinstance(saver, D1Saver)
    early: set[str] = set()
    #: The super-step after each checkpoint.
    steps_after: dict[str, int] = {}

    def wrote(task_id: str) -> None:
        if task_id in early:
            stream.task_committed(task_id)

    announcer = (
        saver.observed(lambda committed: stream.committed(committed.checkpoint_ns, committed.step), wrote, names.follow)
        if tells_itself
        else copy.copy(saver)
    )
    put, put_writes = announcer.aput, announcer.aput_writes

    async def aput(config: RunnableConfig, checkpoint: Any, metadata: Any, new_versions: Any) -> RunnableConfig:
        namespace = config.get("configurable", {}).get("checkpoint_ns", "")
        steps_after[checkpoint["id"]] = metadata["step"] + 1
        await events.catch_up(namespace, metadata["step"])
        events.emit_records()
        stream.before_commit(namespace, metadata["step"], is_known=committed_state.knows(graph, namespace))
        stored = await put(config, checkpoint, metadata, new_versions)
        if not tells_itself:
            stream.committed(namespace, metadata["step"])
        return stored

    async def aput_writes(
        config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        place = config.get("configurable", {})
        namespace, checkpoint_id = place.get("checkpoint_ns", ""), place.get("checkpoint_id", "")
        # What finished after a checkpoint must not be there without it: then it would be executed again.
        await names.stored(checkpoint_id)
        for count in answers.given_by(task_id, writes):
            stream.answering(namespace, task_id, count)
        if any(channel not in WRITES_IDX_MAP for channel, _ in writes):
            if await events.is_ahead(namespace, task_id):
                early.add(task_id)
                events.emit_records(task_id)
            records, step = events.records_of(task_id), steps_after.get(checkpoint_id)
            stream.before_task_commit(namespace, task_id, records, step)
        await events.before_writes()
        await put_writes(config, writes, task_id, task_path)
        if not tells_itself:
            wrote(task_id)

    # Attributes of the instance: `Pregel` clones checkpointers with `copy`, which keeps them.
    setattr(announcer, "aput", aput)  # noqa: B010
    setattr(announcer, "aput_writes", aput_writes)  # noqa: B010
    return announcer
