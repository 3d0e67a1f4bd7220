"""The end of a run: its status and what it did to its thread, in one batch."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from checkpoints.group_commit import fence
from ports import Database, Statement
from runs import lifecycle
from tables import checkpoints, large_text, runs, threads
from tables.runs import Run

FinalStatus: TypeAlias = Literal["success", "error", "timeout", "interrupted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a run ended."""

    status: FinalStatus
    #: Whether the graph has something left to execute: an interrupt, a breakpoint, a failed or cancelled node.
    has_next: bool
    #: The state as JSON text; None leaves what the thread has.
    values: str | None = None
    #: `{task_id: [{"id", "value"}]}` as JSON text; None leaves what the thread has.
    interrupts: str | None = None
    #: `{"error", "message"}` as JSON text; None for a success.
    error: str | None = None


async def finish(db: Database, run: Run, ending: Ending, *, now: str) -> bool:
    """Store the end of `run`; False, and nothing is written, when `run` is no longer what is stored.

    Idempotent by (run_id, attempt). The thread becomes busy again when other runs are left.
    """
    lifecycle.check(run.run_id, run.status, ending.status)
    settled = threads.settle(
        run,
        resting=lifecycle.resting_status(ending.status, has_next=ending.has_next),
        values=ending.values,
        interrupts=ending.interrupts,
        error=ending.error,
        now=now,
    )
    results = await db.batch([*settled, runs.finish(run, status=ending.status, error=ending.error, now=now)])
    return bool(results[-1])


async def delete_temporary(db: Database, run: Run) -> bool:
    """End a stateless run by deleting its thread, its checkpoints and itself in one batch; False if it is gone already.

    Raises `DatabaseError`, and nothing is deleted, when another attempt has taken over.
    """
    fenced, deleted, *_ = await db.batch(
        [
            fence(run.thread_id, run.run_id, run.attempt),
            threads.delete_temporary(run),
            *(Statement(sql, (run.thread_id,)) for sql in checkpoints.DELETE_THREAD),
            large_text.delete_of_thread(run.thread_id),
            runs.delete_of_thread(run.thread_id),
        ]
    )
    return bool(fenced and deleted)
