"""Tells a run's stream what its checkpointer is about to store and what it has stored."""

import copy
from collections.abc import Sequence
from typing import Any

from langchain_core.runnables import RunnableConfig

from d1_checkpointer import D1Saver
from langgraph_terms import Saver
from runs import answers
from runs.graph_events import GraphEvents
from streaming.run_stream import RunStream


def announcing(saver: Saver, events: GraphEvents, stream: RunStream) -> Saver:
    """A copy of a checkpointer that tells of every commit, before and after, and of answers to interrupts before."""
    tells_itself = isinstance(saver, D1Saver)
    announcer = (
        saver.observed(lambda committed: stream.committed(committed.checkpoint_ns, committed.step))
        if tells_itself
        else copy.copy(saver)
    )
    put = announcer.aput

    async def aput(config: RunnableConfig, checkpoint: Any, metadata: Any, new_versions: Any) -> RunnableConfig:
        namespace = config.get("configurable", {}).get("checkpoint_ns", "")
        await events.catch_up(namespace, metadata["step"])
        events.emit_records()
        stream.before_commit(namespace, metadata["step"])
        stored = await put(config, checkpoint, metadata, new_versions)
        if not tells_itself:
            stream.committed(namespace, metadata["step"])
        return stored

    async def aput_writes(
        config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        for count in answers.given_by(task_id, writes):
            stream.answering(config.get("configurable", {}).get("checkpoint_ns", ""), task_id, count)
        await saver.aput_writes(config, writes, task_id, task_path)

    # Attributes of the instance: `Pregel` clones checkpointers with `copy`, which keeps them.
    setattr(announcer, "aput", aput)  # noqa: B010
    setattr(announcer, "aput_writes", aput_writes)  # noqa: B010
    return announcer
