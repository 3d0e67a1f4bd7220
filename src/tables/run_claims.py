"""Who executes a run: that changes by compare-and-set only.

`claim_oldest_pending` takes a pending run, `resume_running` a running one whose executor has died, and both increase
`attempt`. Every later write of the run carries its attempt, so an executor that was replaced writes nothing.
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
    """What a thread's object may do now: at most one of `claimed` and `running` is set."""

    #: The run that this call moved to `running`.
    claimed: Run | None
    #: The run that was running already: this executor's own, or one whose executor died.
    running: Run | None
    #: When the next run is due that waits for a time; None if there is none.
    next_due_at: str | None
    #: False once the thread was deleted.
    thread_exists: bool


#: The cause of an attempt at a run that was asked to stop.
_STOPS: Final = "CASE WHEN cancel_action IS NOT NULL THEN 'stop' END"

#: The oldest pending run that is due starts, provided that no run of the thread is running. Runs that were asked to
#: stop before they began go first; they are claimed in order to end, and do not begin.
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

#: When the next run that waits for a time is due, and whether there still is a thread.
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
    """The statements of `claim_oldest_pending`, for the end of another batch; `read_claim` reads what they return."""
    return [
        Statement(_RUNNING, (thread_id,)),
        Statement(_CLAIM, (stamp.now, thread_id, stamp.version)),
        Statement(_REST, (thread_id, stamp.now, thread_id)),
    ]


async def read_claim(db: Database, results: Sequence[Sequence[Row]], stamp: Stamp) -> Claim:
    """The claim that the `claim_statements` with this stamp have made, from the rows that they returned."""
    running, claimed, [rest] = results
    if running and running[0]["updated_at"] == stamp.now:
        # These same statements claimed it when they were first sent, and the answer was lost.
        running, claimed = claimed, running
    return Claim(
        claimed=await runs.first_from_rows(db, claimed),
        running=await runs.first_from_rows(db, running),
        next_due_at=rest["due_at"],
        thread_exists=bool(rest["thread_exists"]),
    )


#: The thread's last checkpoint, its super-step or its time; a run's own, once it has committed any.
_LATEST: Final = """(
    SELECT {what} FROM checkpoints WHERE thread_id = ?2 AND checkpoint_ns = '' ORDER BY checkpoint_id DESC LIMIT 1
)"""

#: How much is stored beyond that: tasks that have a result, and checkpoints of subgraphs. Whatever is executed again is
#: stored under the same key, so the number only grows with progress.
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

#: What a resumption is in the run's history.
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

#: A running run gets a new executor; the old one's attempt is void from here on.
_RESUME: Final = f"""
UPDATE runs
SET attempt = attempt + 1, updated_at = ?1, history = {_RESUMPTION}
WHERE thread_id = ?2 AND run_id = ?3 AND status = 'running' AND attempt = ?4
"""

#: The run that was taken over with this stamp, by the statement before this one or when both were sent before.
_RESUMED: Final = f"""
SELECT {COLUMNS}
FROM runs
WHERE thread_id = ? AND run_id = ? AND status = 'running' AND attempt = ? AND updated_at = ?
"""


def resume(run: Run, stamp: Stamp) -> list[Statement]:
    """Take over a running run whose executor died; the last of these returns it, for `read_resumed`."""
    key = (run.thread_id, run.run_id)
    return [
        Statement(_RESUME, (stamp.now, *key, run.attempt, stamp.version)),
        Statement(_RESUMED, (*key, run.attempt + 1, stamp.now)),
    ]


def read_resumed(run: Run, rows: Sequence[Row]) -> Run | None:
    """What `resume` made of a run; None when someone else took it over first, or it has finished."""
    return replace(Run.from_row(rows[0]), kwargs=run.kwargs) if rows else None


async def resume_running(db: Database, run: Run, stamp: Stamp) -> Run | None:
    """Take over a running run, and nothing else."""
    _, rows = await db.batch(resume(run, stamp))
    return read_resumed(run, rows)


#: A Workflow drives a run from here on, as its history says.
_HAND_OVER: Final = f"""
UPDATE runs
SET updated_at = ?1, history = {appended("handed_over", at="?1", attempt="attempt", version="?5")}
WHERE thread_id = ?2 AND run_id = ?3 AND status = 'running' AND attempt = ?4 AND updated_at <> ?1
"""


def hand_over(run: Run, stamp: Stamp) -> Statement:
    """Note that an attempt goes on in a Workflow."""
    return Statement(_HAND_OVER, (stamp.now, run.thread_id, run.run_id, run.attempt, stamp.version))
