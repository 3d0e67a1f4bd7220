"""Figures about unfinished runs, for `GET /metrics`; no other runs are read."""

from dataclasses import dataclass
from typing import Final

from ports import Statement


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFigures:
    """How many runs are pending and running, and since when pending ones could have begun; None if none is pending."""

    pending: int
    running: int
    #: Of the runs that could have begun: the one that waits longest, and the median.
    oldest_since: str | None
    median_since: str | None
    #: The one that waits longest among those that are first on their thread.
    oldest_unblocked_since: str | None


#: A run with a later start does not count as waiting before that time.
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
