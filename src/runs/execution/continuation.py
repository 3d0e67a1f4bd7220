"""Where a run goes on that an earlier slice began: what it may assume is what is committed, never what was shown."""

from collections.abc import Mapping
from typing import Any, cast

from langgraph.checkpoint.base import WRITES_IDX_MAP, CheckpointTuple

from d1_checkpointer import D1Saver
from langgraph_terms import Saver
from runs.execution import graph_input
from runs.execution.job import Job
from streaming.run_stream import RunStream


async def find(job: Job, saver: Saver, stream: RunStream) -> bool:
    """Find out how far this run has come, and bring its stream to the same point.

    Whether it committed something before: it goes on from there instead of from its input.

    Only checkpoints written by this very run count. Without one, its input or command is simply applied again: to
    nothing of its own, or to the checkpoint that it began with.
    """
    saved = await own_checkpoint(job, saver, "")
    if job.attempt > 1 and not job.is_gated and isinstance(saver, D1Saver):
        await _forget_lost_supersteps(job, saver, saved)
    if saved is None:
        begun = await began_with(job, saver) if job.is_gated else None
        stream.resume(*await _committed(job, saver, stream, begun))
        return False
    if stream.first_step is None:
        # The crash came between the commit and `committed`.
        stream.note_first_step(_step(saved))
    stream.resume(*await _committed(job, saver, stream, saved))
    return True


async def _forget_lost_supersteps(job: Job, saver: D1Saver, saved: CheckpointTuple | None) -> None:
    """With durability "exit", subgraphs with a memory (`checkpointer=True`) store theirs before the run stores its own.

    The super-steps after `saved` were lost and are executed anew, by other tasks. Those that begin with `saved` are the
    same again: some have finished, and a call recognises what it has stored (`remembering`).
    """
    last = saved or await _goes_on_from(job, saver) or await _latest(job, saver, "")
    await saver.adelete_since(last.checkpoint["id"] if last else "", run_id=job.run_id, thread_id=job.thread_id)


async def settle(job: Job, saver: Saver, stream: RunStream) -> CheckpointTuple | None:
    """Find out how far a run has come that goes on no further; its stream shows what it held back up to there.

    The checkpoint on which it would go on, which may be the one that it began with; None for an input that is not
    committed.
    """
    own = await own_checkpoint(job, saver, "")
    stream.before_finish()
    committed = await _committed(job, saver, stream, own or await began_with(job, saver))
    stream.settle(*committed, keeps_live=job.is_gated)
    return own or await _goes_on_from(job, saver)


async def began_with(job: Job, saver: Saver) -> CheckpointTuple | None:
    """The checkpoint of another run that a run without one of its own goes on from; None for one with an input.

    Its writes are only those of this very run, if the checkpointer knows whose they are.
    """
    return await _goes_on_from(job, saver.of_run(job.run_id) if isinstance(saver, D1Saver) else saver)


async def _goes_on_from(job: Job, saver: Saver) -> CheckpointTuple | None:
    return await saver.aget_tuple(job.config) if graph_input.goes_on(job.kwargs) else None


async def _committed(
    job: Job, saver: Saver, stream: RunStream, saved: CheckpointTuple | None
) -> tuple[dict[str, int], set[str]]:
    """The last super-steps of the graphs that have held events, and the tasks which finished after them."""
    if saved is None:
        return {}, set()
    committed = {"": _step(saved)}
    finished = finished_tasks(saved)
    for namespace in stream.held_namespaces() - {""}:
        if latest := await _latest(job, saver, namespace):
            # One that the run began with has what its first tasks there have done.
            finished |= finished_tasks(latest)
            if is_own(job, latest):
                committed[namespace] = _step(latest)
    return committed, finished


async def own_checkpoint(job: Job, saver: Saver, namespace: str) -> CheckpointTuple | None:
    """The latest checkpoint of a (sub)graph, if this very run wrote it."""
    saved = await _latest(job, saver, namespace)
    return saved if saved is not None and is_own(job, saved) else None


async def _latest(job: Job, saver: Saver, namespace: str) -> CheckpointTuple | None:
    return await saver.aget_tuple({"configurable": {"thread_id": job.thread_id, "checkpoint_ns": namespace}})


def is_own(job: Job, saved: CheckpointTuple) -> bool:
    """Whether this very run wrote a checkpoint."""
    return cast(Mapping[str, Any], saved.metadata).get("run_id") == job.run_id


def finished_tasks(saved: CheckpointTuple) -> set[str]:
    """The tasks whose results are stored although the super-step after this checkpoint is not over."""
    return {task_id for task_id, channel, _ in saved.pending_writes or () if channel not in WRITES_IDX_MAP}


def _step(saved: CheckpointTuple) -> int:
    return cast(Mapping[str, Any], saved.metadata)["step"]
