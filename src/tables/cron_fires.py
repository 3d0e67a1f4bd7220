"""The table `cron_fires`: what came of each time of a cron, and how a cron leaves one behind.

A run, the row that says so and the cron's next time are one transaction. It fails unless the cron is what was read, and
if the time has its row already: whoever comes second, or with what somebody has changed since, creates nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from ports import Row, Statement
from tables.crons import IS_ALIVE, Cron
from tables.record import Record
from tables.runs import Run

#: Why a time has no run: nothing looked at the cron then, or its schedule was changed before anything did; the thread
#: was busy, something that the run needs was not there, its user might not do it; or anything else.
Reason: TypeAlias = Literal["missed", "rescheduled", "thread_busy", "not_found", "not_allowed", "failed"]

#: How many a cron has; more than it has times in a minute, up to which runs are created ahead.
KEPT: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Fire(Record):
    """One row."""

    cron_id: str
    scheduled_at: str
    #: The last of several times that were passed over together.
    scheduled_until: str | None = None
    run_id: str | None = None
    thread_id: str | None = None
    #: None exactly when there is a run.
    reason: Reason | None = None
    detail: str | None = None
    created_at: str


_COLUMNS: Final = Fire.columns()

#: What SQLite says when the fence finds the cron changed, and when the time has its row.
FENCED: Final = "malformed JSON"
TAKEN: Final = "UNIQUE constraint failed: cron_fires."

_FENCE: Final = f"""
SELECT CASE
    WHEN EXISTS (SELECT 1 FROM crons WHERE cron_id = ? AND next_run_date = ? AND updated_at = ? AND {IS_ALIVE}) THEN 1
    ELSE json('fenced')
END
"""

#: A time that ran, if the run is there; fails if the time has its row.
_RAN: Final = f"""
INSERT INTO cron_fires ({_COLUMNS})
SELECT {Fire.parameters()}
WHERE EXISTS (SELECT 1 FROM runs WHERE thread_id = ? AND run_id = ?)
"""

#: Times that did not, while the cron is in one state; what has its row keeps it.
_SKIPPED: Final = f"""
INSERT OR IGNORE INTO cron_fires ({_COLUMNS})
SELECT {Fire.parameters()}
WHERE EXISTS (SELECT 1 FROM crons WHERE cron_id = ? AND updated_at = ?)
"""

#: The cron has its next time, once what came of the last is stored.
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
    """Behind the statements that create the run of a cron's next time: the cron moves on if they did."""
    fire = Fire(
        cron_id=cron.cron_id,
        scheduled_at=cron.next_run_date,
        run_id=run.run_id,
        thread_id=run.thread_id,
        created_at=run.created_at,
    )
    return _leave(cron, Statement(_RAN, (*fire.values(), run.thread_id, run.run_id)), next_run_date)


def without_run(cron: Cron, reason: Reason, detail: str | None = None, *, until: str | None = None, now: str) -> Fire:
    """What came of a cron's next time, or of all from then on `until` a later one."""
    return Fire(
        cron_id=cron.cron_id,
        scheduled_at=cron.next_run_date,
        scheduled_until=None if until == cron.next_run_date else until,
        reason=reason,
        detail=detail,
        created_at=now,
    )


def skipped(cron: Cron, fire: Fire, *, next_run_date: str) -> list[Statement]:
    """A cron moves on without a run."""
    return _leave(cron, note(fire, cron), next_run_date)


def note(fire: Fire, cron: Cron) -> Statement:
    """Say of times that they did not run, if `cron` is what is stored."""
    return Statement(_SKIPPED, (*fire.values(), cron.cron_id, cron.updated_at))


def _leave(cron: Cron, insert: Statement, next_run_date: str) -> list[Statement]:
    return [
        Statement(_FENCE, (cron.cron_id, cron.next_run_date, cron.updated_at)),
        insert,
        Statement(_MOVE_ON, (next_run_date, cron.cron_id, cron.next_run_date)),
        Statement(_DELETE_OLDEST, (cron.cron_id,)),
    ]


#: The latest time that was dealt with, which may be still to come.
_LATEST: Final = "SELECT MAX(scheduled_at) AS scheduled_at FROM cron_fires WHERE cron_id = ?"


def latest(cron_id: str) -> Statement:
    """`scheduled_at` of a cron's latest fire, or NULL."""
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
