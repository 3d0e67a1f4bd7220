"""The table `circuits`: graphs whose runs gave up one after the other, by the Worker version that executed them.

A graph without a row is healthy. The success of an ordinary run finds no row to delete.
"""

from dataclasses import dataclass, replace
from typing import Final

from ports import Row, Statement
from tables.run_fence import UNCHANGED
from tables.run_history import Stamp
from tables.runs import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Circuit:
    """One row: the circuit breaker of a graph in one Worker version."""

    graph_id: str
    version: str
    #: How many runs gave up without a success in between.
    failures: int
    #: When it opened; None while it is closed.
    opened_at: str | None
    probe_run_id: str | None

    @classmethod
    def from_row(cls, row: Row) -> "Circuit":
        """The row of any statement here that returns `COLUMNS`."""
        return cls(**{name: row[name] for name in cls.__slots__})


COLUMNS: Final = "graph_id, version, failures, opened_at, probe_run_id"

#: Counts a run that gave up, if it was first cut off after the previously counted run gave up: runs that are cut off
#: together count once. At ?4 failures the circuit opens; each further failure opens it anew.
_COUNT: Final = f"""
WITH given (graph_id, version, now, opens_at, cut_off_since) AS (SELECT ?1, ?2, ?3, ?4, ?5)
INSERT INTO circuits (graph_id, version, failures, failed_at, opened_at)
SELECT graph_id, version, 1, now, CASE WHEN 1 >= opens_at THEN now END
FROM given
WHERE {UNCHANGED}
ON CONFLICT (graph_id, version) DO UPDATE SET
    failures = failures + 1,
    failed_at = ?3,
    opened_at = CASE WHEN failures + 1 >= ?4 THEN ?3 END,
    probe_run_id = NULL,
    probed_at = NULL
WHERE failed_at < ?5
RETURNING {COLUMNS}
"""


def count(run: Run, stamp: Stamp, *, cut_off_since: str, opens_at: int) -> Statement:
    """Count a run that gives up in this batch, if `run` is what is stored; returns the circuit if it counted."""
    return Statement(_COUNT, (run.graph_id, stamp.version, stamp.now, opens_at, cut_off_since, *run.identity))


#: Deletes the row after a success.
_CLOSE: Final = f"""
DELETE FROM circuits
WHERE graph_id = ? AND version = ? AND {UNCHANGED}
RETURNING {COLUMNS}
"""


def close(run: Run, stamp: Stamp) -> Statement:
    """Close the circuit, provided that `run`, which succeeds, is what is stored; returns the deleted row."""
    return Statement(_CLOSE, (run.graph_id, stamp.version, *run.identity))


#: A run that was cut off and goes on becomes the probe of a circuit that has been open for long enough, unless another
#: run is the probe. A run that is the probe already stays it for as long again.
_PROBE: Final = f"""
UPDATE circuits
SET probe_run_id = ?1, probed_at = ?2
WHERE graph_id = ?3 AND version = ?4 AND opened_at <= ?5
  AND (probed_at IS NULL OR probed_at <= ?5 OR probe_run_id = ?1)
  AND {UNCHANGED}
"""

_SELECT: Final = f"SELECT {COLUMNS} FROM circuits WHERE graph_id = ? AND version = ?"


def probe(run: Run, stamp: Stamp, *, opened_by: str) -> list[Statement]:
    """Make a run that is taken over in this batch the probe, if the circuit wants one and nobody has stopped the run.

    The last statement returns the circuit, if there is one.
    """
    place = (run.graph_id, stamp.version)
    taken = replace(run, attempt=run.attempt + 1, cancel_action=None)
    return [
        Statement(_PROBE, (run.run_id, stamp.now, *place, opened_by, *taken.identity)),
        Statement(_SELECT, place),
    ]


#: The open circuits: no more rows than graphs that failed lately.
_OPEN: Final = f"SELECT {COLUMNS} FROM circuits WHERE opened_at IS NOT NULL ORDER BY graph_id, version"


def select_open() -> Statement:
    """The circuits that are open, for `Circuit.from_row`."""
    return Statement(_OPEN)


#: Graphs and versions without activity for long.
_FORGET: Final = """
DELETE FROM circuits
WHERE MAX(failed_at, COALESCE(probed_at, failed_at)) < CASE WHEN opened_at IS NULL THEN ? ELSE ? END
"""


def forget(*, failed_before: str, quiet_since: str) -> Statement:
    """Delete closed circuits without a failure since `failed_before`, and open ones not probed since `quiet_since`."""
    return Statement(_FORGET, (failed_before, quiet_since))
