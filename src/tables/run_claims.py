"""Who executes a run; it changes only by compare-and-set.

`claim_oldest_pending` claims a pending run, `resume_running` takes over a running one whose executor has died. Both
increase `attempt`. Every later write of the run carries its attempt as a condition, so an executor that was replaced
cannot write.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from ports import Database, Row, Statement
from tables import runs
from tables.run_history import Stamp, appended
from tables.runs import COLUMNS, RUNS_UNFINISHED, UNFINISHED, Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The result of a claim: at most one of `claimed` and `running` is set."""

    #: The run that this call moved to `running`.
    claimed: Run | None
    #: The run that was running already: this executor's own, or one whose executor died.
    running: Run | None
    #: When the next of the runs with a later start is due; None if there is none.
    next_due_at: str | None
    #: False once the thread is deleted.
    thread_exists: bool


#: Why an attempt begins, if the run was asked to stop.
_STOPS: Final = "CASE WHEN cancel_action IS NOT NULL THEN 'stop' END"

#: The oldest pending run that is due starts, provided that no run of the thread is running. Runs that were asked to
#: stop before they began come first: they are claimed only to be ended.
_CLAIM: Final = f"""
UPDATE runs
SET status = 'running', attempt = attempt + 1, updated_at = ?1,
    started_at = CASE WHEN cancel_action IS NULL THEN COALESCE(started_at, ?1) END,
    history = {appended("started", at="?1", attempt="attempt + 1", version="?3", cause=_STOPS)}
WHERE thread_id = ?2
  AND run_id = (
    SELECT run_id FROM {RUNS_UNFINISHED}
    WHERE thread_id = ?2 AND {UNFINISHED} AND status = 'pending' AND (due_at IS NULL OR due_at <= ?1)
    ORDER BY cancel_action IS NULL, run_id
    LIMIT 1
  )
  AND NOT EXISTS (SELECT 1 FROM {RUNS_UNFINISHED} WHERE thread_id = ?2 AND {UNFINISHED} AND status = 'running')
RETURNING {COLUMNS}
"""

#: The run of a thread that is running; at most one, by `_CLAIM`.
_RUNNING: Final = f"""
SELECT {COLUMNS}
FROM {RUNS_UNFINISHED}
WHERE thread_id = ? AND {UNFINISHED} AND status = 'running'
"""

#: When the next run with a later start is due, and whether the thread still exists.
_REST: Final = f"""
SELECT
    (
        SELECT MIN(due_at) FROM {RUNS_UNFINISHED}
        WHERE thread_id = ? AND {UNFINISHED} AND status = 'pending' AND due_at > ?
    ) AS due_at,
    EXISTS (SELECT 1 FROM threads WHERE thread_id = ?) AS thread_exists
"""


async def claim_oldest_pending(db: Database, thread_id: str, stamp: Stamp) -> Claim:
    """Claim the thread's next run if it may start. However many callers race, one wins."""
    return await read_claim(db, await db.batch(claim_statements(thread_id, stamp)), stamp)


def claim_statements(thread_id: str, stamp: Stamp) -> list[Statement]:
    """The statements of `claim_oldest_pending`, for the end of another batch; `read_claim` reads their results."""
    return [
        Statement(_RUNNING, (thread_id,)),
        Statement(_CLAIM, (stamp.now, thread_id, stamp.version)),
        Statement(_REST, (thread_id, stamp.now, thread_id)),
    ]


async def read_claim(db: Database, results: Sequence[Sequence[Row]], stamp: Stamp) -> Claim:
    """The claim that `claim_statements` with this stamp have made, from their results."""
    running, claimed, [rest] = results
    if running and running[0]["updated_at"] == stamp.now:
        # These statements claimed it when they were sent before, and the answer was lost.
        running, claimed = claimed, running
    return Claim(
        claimed=await runs.first_from_rows(db, claimed),
        running=await runs.first_from_rows(db, running),
        next_due_at=rest["due_at"],
        thread_exists=bool(rest["thread_exists"]),
    )


#: A column of the thread's last checkpoint, which is the run's own once it has committed any.
_LATEST: Final = """(
    SELECT {what} FROM checkpoints WHERE thread_id = ?2 AND checkpoint_ns = '' ORDER BY checkpoint_id DESC LIMIT 1
)"""

#: What is stored beyond it: tasks that have a result, and checkpoints and results of subgraphs. A task that is executed
#: again is stored under the same key, so the count grows only with progress.
_STORED_BEYOND: Final = f"""CASE WHEN cancel_action IS NULL THEN (
    SELECT COUNT(DISTINCT task_id) FROM checkpoint_writes
    WHERE thread_id = ?2 AND checkpoint_ns = '' AND checkpoint_id = {_LATEST.format(what="checkpoint_id")}
      AND entries LIKE '[[0,%'
) + (
    SELECT COUNT(DISTINCT checkpoint_ns || checkpoint_id || task_id) FROM checkpoint_writes
    WHERE thread_id = ?2 AND checkpoint_ns > '' AND entries LIKE '[[0,%'
) + (
    SELECT COUNT(*) FROM checkpoints WHERE thread_id = ?2 AND checkpoint_ns > ''
) END"""

#: The history entry of a resumption.
_RESUMPTION: Final = appended(
    "resumed",
    at="?1",
    attempt="attempt + 1",
    version="?5",
    cause=f"COALESCE({_STOPS}, 'cut_off')",
    checkpoint_id=_LATEST.format(what="checkpoint_id"),
    step=_LATEST.format(what="json_extract(metadata, '$.step')"),
    checkpoint_at=_LATEST.format(what="json_extract(checkpoint, '$.ts')"),
    stored_beyond=_STORED_BEYOND,
)

#: Gives a running run a new executor; the old attempt can no longer write.
_RESUME: Final = f"""
UPDATE runs
SET attempt = attempt + 1, updated_at = ?1, history = {_RESUMPTION}
WHERE thread_id = ?2 AND run_id = ?3 AND status = 'running' AND attempt = ?4
"""

#: The run as this stamp took it over, by the previous statement or by an earlier send of the same batch.
_RESUMED: Final = f"""
SELECT {COLUMNS}
FROM runs
WHERE thread_id = ? AND run_id = ? AND status = 'running' AND attempt = ? AND updated_at = ?
"""


def resume(run: Run, stamp: Stamp) -> list[Statement]:
    """Take over a running run whose executor died; the last statement returns it, for `read_resumed`."""
    key = (run.thread_id, run.run_id)
    return [
        Statement(_RESUME, (stamp.now, *key, run.attempt, stamp.version)),
        Statement(_RESUMED, (*key, run.attempt + 1, stamp.now)),
    ]


def read_resumed(run: Run, rows: Sequence[Row]) -> Run | None:
    """The run that `resume` took over; None if another executor was first, or if the run has ended."""
    return replace(Run.from_row(rows[0]), kwargs=run.kwargs) if rows else None


async def resume_running(db: Database, run: Run, stamp: Stamp) -> Run | None:
    """Take over a running run in a batch of its own."""
    _, rows = await db.batch(resume(run, stamp))
    return read_resumed(run, rows)


#: Records in the history that a Workflow drives the run from here on.
_HAND_OVER: Final = f"""
UPDATE runs
SET updated_at = ?1, history = {appended("handed_over", at="?1", attempt="attempt", version="?5")}
WHERE thread_id = ?2 AND run_id = ?3 AND status = 'running' AND attempt = ?4 AND updated_at <> ?1
"""


def hand_over(run: Run, stamp: Stamp) -> Statement:
    """Record that an attempt goes on in a Workflow."""
    return Statement(_HAND_OVER, (stamp.now, run.thread_id, run.run_id, run.attempt, stamp.version))
