"""The table `cron_fires`: the outcome of each time of a cron, and how a cron advances to its next time.

A run, its row here and the cron's next time are one transaction. It fails if the cron is no longer as it was read, or
if the time has a row already. So a second tick, or one that acts on a cron which was changed meanwhile, creates
nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from ports import Row, Statement
from tables.crons import IS_ALIVE, Cron
from tables.record import Record
from tables.runs import Run

#: Why a time has no run. `missed`: nothing ticked at that time. `rescheduled`: the schedule was changed while it was
#: due. `thread_busy`, `not_found` (something that the run needs), `not_allowed` (to the cron's user). `failed`: another
#: error.
Reason: TypeAlias = Literal["missed", "rescheduled", "thread_busy", "not_found", "not_allowed", "failed"]

#: How many fires are kept for each cron: more than it has times within the minute for which runs are created ahead.
KEPT: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Fire(Record):
    """One row: the outcome of one time, or of several that were skipped together."""

    cron_id: str
    scheduled_at: str
    #: If several times were skipped together, the last of them.
    scheduled_until: str | None = None
    run_id: str | None = None
    thread_id: str | None = None
    #: None exactly when there is a run.
    reason: Reason | None = None
    detail: str | None = None
    created_at: str


_COLUMNS: Final = Fire.columns()

#: SQLite's error if the fence finds the cron changed, and if the time has a row already.
FENCED: Final = "malformed JSON"
TAKEN: Final = "UNIQUE constraint failed: cron_fires."

_FENCE: Final = f"""
SELECT CASE
    WHEN EXISTS (SELECT 1 FROM crons WHERE cron_id = ? AND next_run_date = ? AND updated_at = ? AND {IS_ALIVE}) THEN 1
    ELSE json('fenced')
END
"""

#: A time that ran, if its run exists; fails if the time has a row already.
_RAN: Final = f"""
INSERT INTO cron_fires ({_COLUMNS})
SELECT {Fire.parameters()}
WHERE EXISTS (SELECT 1 FROM runs WHERE thread_id = ? AND run_id = ?)
"""

#: Times that did not run, provided that the cron is unchanged; an existing row stays.
_SKIPPED: Final = f"""
INSERT OR IGNORE INTO cron_fires ({_COLUMNS})
SELECT {Fire.parameters()}
WHERE EXISTS (SELECT 1 FROM crons WHERE cron_id = ? AND updated_at = ?)
"""

#: Sets the cron's next time, once the outcome of the last one is stored.
_MOVE_ON: Final = """
UPDATE crons
SET next_run_date = ?
WHERE cron_id = ? AND EXISTS (SELECT 1 FROM cron_fires WHERE cron_fires.cron_id = crons.cron_id AND scheduled_at = ?)
"""

_DELETE_OLDEST: Final = f"""
DELETE FROM cron_fires
WHERE cron_id = ?1
  AND scheduled_at < (
    SELECT scheduled_at FROM cron_fires WHERE cron_id = ?1 ORDER BY scheduled_at DESC LIMIT 1 OFFSET {KEPT - 1}
  )
"""


def ran(cron: Cron, run: Run, *, next_run_date: str) -> list[Statement]:
    """The statements to follow those that create the run of a cron's next time: the cron advances if they did."""
    fire = Fire(
        cron_id=cron.cron_id,
        scheduled_at=cron.next_run_date,
        run_id=run.run_id,
        thread_id=run.thread_id,
        created_at=run.created_at,
    )
    return _leave(cron, Statement(_RAN, (*fire.values(), run.thread_id, run.run_id)), next_run_date)


def without_run(cron: Cron, reason: Reason, detail: str | None = None, *, until: str | None = None, now: str) -> Fire:
    """The outcome of a cron's next time, or of all times from then on `until` a later one."""
    return Fire(
        cron_id=cron.cron_id,
        scheduled_at=cron.next_run_date,
        scheduled_until=None if until == cron.next_run_date else until,
        reason=reason,
        detail=detail,
        created_at=now,
    )


def skipped(cron: Cron, fire: Fire, *, next_run_date: str) -> list[Statement]:
    """Let a cron advance without a run."""
    return _leave(cron, note(fire, cron), next_run_date)


def note(fire: Fire, cron: Cron) -> Statement:
    """Record times that did not run, if `cron` is what is stored."""
    return Statement(_SKIPPED, (*fire.values(), cron.cron_id, cron.updated_at))


def _leave(cron: Cron, insert: Statement, next_run_date: str) -> list[Statement]:
    return [
        Statement(_FENCE, (cron.cron_id, cron.next_run_date, cron.updated_at)),
        insert,
        Statement(_MOVE_ON, (next_run_date, cron.cron_id, cron.next_run_date)),
        Statement(_DELETE_OLDEST, (cron.cron_id,)),
    ]


#: The latest time that was handled, which may be in the future.
_LATEST: Final = "SELECT MAX(scheduled_at) AS scheduled_at FROM cron_fires WHERE cron_id = ?"


def latest(cron_id: str) -> Statement:
    """`scheduled_at` of a cron's latest fire; NULL without one."""
    return Statement(_LATEST, (cron_id,))


#: A page of a cron's fires, newest first.
_LIST: Final = f"""
SELECT {_COLUMNS}
FROM cron_fires
WHERE cron_id = ?
ORDER BY scheduled_at DESC
LIMIT ? OFFSET ?
"""


def list_of_cron(cron_id: str, *, limit: int, offset: int) -> Statement:
    """A page of a cron's fires, newest first, for `from_rows`."""
    return Statement(_LIST, (cron_id, limit, offset))


def from_rows(rows: Sequence[Row]) -> list[Fire]:
    """The fires of a statement's rows."""
    return [Fire.from_row(row) for row in rows]
