"""Figures about the runs that are not finished, for `GET /metrics`: they read the unfinished runs and no others."""

from dataclasses import dataclass
from typing import Final

from ports import Statement


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFigures:
    """How many runs wait and execute, and since when the waiting ones could have begun; None when none waits."""

    pending: int
    running: int
    #: The one that waits longest, and the one in the middle.
    oldest_since: str | None
    median_since: str | None
    #: The one that waits longest among those that no other run of their thread keeps waiting.
    oldest_unblocked_since: str | None


#: A run that is to begin later does not wait before that.
_SELECT: Final = """
WITH unfinished AS (
    SELECT status, COALESCE(due_at, created_at) AS since,
        run_id = MIN(run_id) OVER (PARTITION BY thread_id) AS is_first
    FROM runs INDEXED BY runs_unfinished
    WHERE status IN ('pending', 'running')
),
waiting AS (
    SELECT since, is_first, ROW_NUMBER() OVER (ORDER BY since DESC) AS place, COUNT(*) OVER () AS number
    FROM unfinished
    WHERE status = 'pending' AND since <= ?
)
SELECT
    (SELECT COUNT(*) FROM unfinished WHERE status = 'pending') AS pending,
    (SELECT COUNT(*) FROM unfinished WHERE status = 'running') AS running,
    (SELECT MIN(since) FROM waiting) AS oldest_since,
    (SELECT since FROM waiting WHERE place = (number + 1) / 2) AS median_since,
    (SELECT MIN(since) FROM waiting WHERE is_first) AS oldest_unblocked_since
"""


def select(*, now: str) -> Statement:
    """One row with the fields of `RunFigures`, as of `now`."""
    return Statement(_SELECT, (now,))
