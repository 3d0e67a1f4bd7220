"""The end of a run: its status and what it did to its thread, in one batch."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from checkpoints.group_commit import FENCED, fence
from errors import DatabaseError, StaleAttempt
from ports import Database, Statement
from runs import lifecycle
from tables import checkpoints, large_text, runs, threads
from tables.runs import Claim, Run

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """What came of ending a run."""

    #: False, and then nothing was written, when the run was no longer what is stored.
    is_stored: bool
    #: The thread's next run, claimed in the same round trip.
    claim: Claim


async def finish(db: Database, run: Run, ending: Ending, *, now: str) -> Finished:
    """Store the end of `run` and claim the thread's next one.

    Idempotent by (run_id, attempt). The thread stays busy when other runs are left.
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
    end = [*settled, runs.finish(run, status=ending.status, error=ending.error, now=now)]
    results = await db.batch([*end, *runs.claim_statements(run.thread_id, now=now)])
    claim = await runs.read_claim(db, results[len(end) :])
    return Finished(is_stored=bool(results[len(end) - 1]), claim=claim)


async def interrupt_pending(db: Database, run: Run, *, now: str) -> bool:
    """Store that a run was cancelled before it began; False when it has begun. Its thread is left as it was."""
    settled = threads.settle(run, resting=None, values=None, interrupts=None, error=None, now=now)
    results = await db.batch([*settled, runs.finish(run, status="interrupted", error=None, now=now)])
    return bool(results[-1])


async def delete_temporary(db: Database, run: Run) -> bool:
    """End a stateless run by deleting its thread, its checkpoints and itself in one batch; False if it is gone already.

    Nothing is deleted, and it raises `StaleAttempt`, when another attempt has taken over.
    """
    try:
        fenced, deleted, *_ = await db.batch(
            [
                fence(run.thread_id, run.run_id, run.attempt),
                threads.delete_temporary(run),
                *(Statement(sql, (run.thread_id,)) for sql in checkpoints.DELETE_THREAD),
                large_text.delete_of_thread(run.thread_id),
                runs.delete_of_thread(run.thread_id),
            ]
        )
    except DatabaseError as error:
        if FENCED in str(error):
            raise StaleAttempt(f"run {run.run_id} was taken over from attempt {run.attempt}, or deleted") from error
        raise
    return bool(fenced and deleted)
