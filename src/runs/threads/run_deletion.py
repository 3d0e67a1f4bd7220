"""Deleting a run that has ended, and what its thread shows then."""

import json

import clock
from checkpoints.group_commit import FENCED
from d1_checkpointer import D1Saver
from errors import Conflict, DatabaseError
from ports import Database, Statement
from runs import lifecycle, outcome
from runs.threads.graph_reader import GraphReader
from tables import dead_letters, run_fence, runs, thread_engagement, threads
from tables.runs import Run

#: How often it is tried again when somebody creates a run at the same moment.
TRIES = 5


async def delete_ended(db: Database, graphs: GraphReader, saver: D1Saver, thread_id: str, run_id: str) -> None:
    """Delete a run and its checkpoints. The row goes last: until then, calling it again goes on where it was cut off.

    When no run came after it, the thread shows the state before it.
    """
    await saver.adelete_for_runs([run_id], thread_id=thread_id)
    for _ in range(TRIES):
        run = await runs.get(db, thread_id, run_id)
        if run is None:
            return
        try:
            await db.batch([*await _restored(db, graphs, saver, run), dead_letters.delete(run_id), *runs.delete(run)])
        except DatabaseError as error:
            if FENCED not in str(error):
                raise
        else:
            return
    raise Conflict(f"Runs are being created on thread {thread_id} while run {run_id} is deleted; try again.")


async def _restored(db: Database, graphs: GraphReader, saver: D1Saver, run: Run) -> list[Statement]:
    """Statements that make the thread show its latest state, if `run` was its last; they fail if it is not any more."""
    [[newest], unfinished] = await db.batch([runs.newest(run.thread_id), runs.unfinished_of_thread(run.thread_id)])
    if newest["run_id"] != run.run_id:
        return []
    graph_id = json.loads(run.kwargs)["config"]["configurable"]["graph_id"]
    state = await graphs.latest_state(saver, run.thread_id, graph_id)
    left = outcome.stopped_early("rollback", state, {})
    if left.values is None or left.interrupts is None:
        return []
    # Runs that were created before may have to wait: for a later time, or for the one at work.
    status = "busy" if unfinished else lifecycle.resting_status("rollback", has_next=bool(left.next))
    shown = threads.refresh(
        run.thread_id, status=status, values=left.values, interrupts=left.interrupts, now=clock.now_iso()
    )
    given_back = thread_engagement.give_back(run, left.left_by)
    return [run_fence.is_newest(run.thread_id, run.run_id, unfinished=len(unfinished)), *given_back, *shown]
