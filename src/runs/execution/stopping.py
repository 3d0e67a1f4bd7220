"""What becomes of a run that stops before it ended by itself: because it was asked to, or took too long."""

import json
from typing import Final, TypeAlias

from langgraph.types import StateSnapshot

from d1_checkpointer import D1Saver
from langgraph_terms import Graph, Saver
from ports import Database
from runs import outcome
from runs.execution import committed_state, continuation
from runs.execution.job import Job
from runs.outcome import Outcome
from runs.threads.graph_reader import GraphReader
from streaming.run_stream import RunStream
from tables import run_history, threads
from tables.runs import Run

#: As other LangGraph servers word it: not at all.
TIMEOUT: Final = {"error": "TimeoutError", "message": ""}


async def carry_out(
    run: Run,
    job: Job,
    graphs: GraphReader,
    saver: D1Saver,
    database: Database,
    stream: RunStream,
    *,
    max_attempts: int,
) -> Outcome:
    """Do what the run was asked: stay at its last committed super-step, or leave nothing behind.

    Idempotent; `saver` is fenced by an attempt that no executor of the graph has. Who was cut off `max_attempts` times
    while doing it may have died of the state: then nobody reads it, and the thread goes on showing what it did.
    """
    error = json.loads(run.error or "{}")
    is_readable = run_history.stops(run.history) <= max_attempts
    match run.cancel_action:
        case None:
            raise AssertionError(f"run {run.run_id} was not asked to stop")
        case action if run.started_at is None and not run_history.has_begun(run.history):
            return outcome.never_begun(action, run.error, await threads.values_text(database, run.thread_id))
        case "rollback":
            await saver.adelete_for_runs([run.run_id], thread_id=run.thread_id)
            state = await graphs.latest_state(saver, job.thread_id, job.graph_id) if is_readable else None
            return outcome.stopped_early("rollback", state, error)
        case "interrupt":
            left = await _left(job, graphs, saver, stream) if is_readable else (None, None)
            return outcome.stopped_early("interrupted", left[0], error, left[1])


async def timed_out(job: Job, graphs: GraphReader, saver: Saver, stream: RunStream) -> Outcome:
    """A run that executed for longer than it may."""
    state, committed = await _left(job, graphs, saver, stream)
    return outcome.stopped_early("timeout", state, TIMEOUT, committed)


_Left: TypeAlias = tuple[StateSnapshot | None, StateSnapshot | None]


async def _left(job: Job, graphs: GraphReader, saver: Saver, stream: RunStream) -> _Left:
    """The state in which the run leaves its thread, and what it committed, which its stream shows whatever died."""
    saved = await continuation.settle(job, saver, stream)

    async def show_and_read(graph: Graph) -> _Left:
        committed = await committed_state.show(job, graph, saver, stream, saved) if saved else None
        return await graph.aget_state({"configurable": {"thread_id": job.thread_id}}), committed

    return await graphs.ask(saver, job.thread_id, job.graph_id, show_and_read) or (None, None)
