"""Deletes a run that has ended, and updates what its thread shows."""

import json

import clock
from d1_checkpointer import D1Saver
from errors import Conflict, DatabaseError, StaleAttempt
from ports import Database, Statement
from runs import lifecycle, outcome
from runs.threads.graph_reader import GraphReader
from tables import dead_letters, run_fence, run_history, runs, thread_engagement, threads
from tables.runs import Run

#: How often a deletion is tried again if a run is created at the same moment.
TRIES = 5


async def delete_ended(db: Database, graphs: GraphReader, thread_id: str, run_id: str) -> None:
    """Delete a run and its checkpoints. The row goes last: until then, calling it again goes on where it was cut off.

    When no run came after it, the thread shows the state before it. While another run executes, which builds on what
    is to go, only a run that did nothing can be deleted.
    """
    for _ in range(TRIES):
        run = await runs.get(db, thread_id, run_id)
        if run is None:
            return
        [[newest], unfinished] = await db.batch([runs.newest(thread_id), runs.unfinished_of_thread(thread_id)])
        pauses = run_fence.pauses(thread_id, newest=newest["run_id"], unfinished=len(unfinished))
        row = [dead_letters.delete(run_id), *runs.delete(run)]
        executing = [other["run_id"] for other in unfinished if other["status"] == "running"]
        if executing and run_history.has_begun(run.history):
            raise Conflict(f"Thread {thread_id} executes run {executing[0]}; join it before deleting run {run_id}.")
        if executing:
            await db.batch(row)
            return
        saver = D1Saver(db, guard=pauses)
        try:
            await saver.adelete_for_runs([run_id], thread_id=thread_id)
            shown = await _restored(graphs, saver, run, len(unfinished)) if newest["run_id"] == run_id else []
            await db.batch([pauses, *shown, *row])
        except DatabaseError as error:
            if run_fence.REFUSED not in str(error):
                raise
        except StaleAttempt:
            continue
        else:
            return
    raise Conflict(f"Runs are being created on thread {thread_id} while run {run_id} is deleted; try again.")


async def _restored(graphs: GraphReader, saver: D1Saver, run: Run, unfinished: int) -> list[Statement]:
    """Statements that make the thread show its latest state; `unfinished` runs were created before and wait."""
    graph_id = json.loads(run.kwargs)["config"]["configurable"]["graph_id"]
    state = await graphs.latest_state(saver, run.thread_id, graph_id)
    left = outcome.stopped_early("rollback", state, {})
    if left.values is None or left.interrupts is None:
        return []
    status = "busy" if unfinished else lifecycle.resting_status("rollback", has_next=bool(left.next))
    shown = threads.refresh(
        run.thread_id, status=status, values=left.values, interrupts=left.interrupts, now=clock.now_iso()
    )
    given_back = thread_engagement.give_back(run, left.left_by)
    return [*given_back, *shown]
