"""The table `run_metrics`: sums over ended runs, by graph, Worker version and status."""

from bisect import bisect_left
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from langgraph_sdk.schema import RunStatus

from compact_json import compact_json
from d1_usage import D1Usage
from ports import Statement
from tables.run_checkpoints import id_at
from tables.run_fence import UNCHANGED
from tables.runs import Run

Ended: TypeAlias = RunStatus | Literal["rollback"]

#: The upper bounds of the histograms, in seconds. Stored counts refer to their positions, so other bounds need a
#: migration.
BUCKETS: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What the end of a run adds; times are in seconds."""

    graph_id: str
    version: str
    status: Ended
    #: No checkpoint of the run is older than this time.
    since: str
    #: The last checkpoint that an earlier end of the same run has counted.
    counted: str | None
    #: From when the run was created, or due, to when it began; None if it never began.
    wait: float | None
    #: From its beginning to its end.
    execution: float | None
    #: How many attempts followed one that was cut off, and the seconds lost before them.
    retries: int
    recovery: float
    d1: D1Usage


_HISTOGRAMS: Final = ("waits", "executions")
_SUMS: Final = (
    *("runs", "wait_seconds", "execution_seconds", "retries", "recovery_seconds"),
    *("d1_batches", "d1_rows_read", "d1_rows_written", "d1_seconds", "supersteps"),
)

#: How many super-steps run ?2 has committed after checkpoint ?19, or since ?3 without one, from the step numbers of its
#: first and last checkpoint there.
_SUPERSTEPS: Final = f"""
    WITH own AS NOT MATERIALIZED (
        SELECT checkpoint_id, json_extract(metadata, '$.step') AS step, json_extract(metadata, '$.source') AS source
        FROM checkpoints
        WHERE thread_id = ?1 AND checkpoint_ns = '' AND checkpoint_id > COALESCE(?19, {id_at("?3", -1)})
          AND json_extract(metadata, '$.run_id') = ?2
    )
    SELECT COALESCE(
        (SELECT step FROM own ORDER BY checkpoint_id DESC LIMIT 1)
            - (SELECT step - (source <> 'input') FROM own ORDER BY checkpoint_id LIMIT 1),
        0
    )
"""


def _of_one(bucket: str) -> str:
    """An SQL expression: a histogram with one observation, or with none if `bucket` is NULL."""
    nothing = compact_json([0] * (len(BUCKETS) + 1))
    return f"json_replace('{nothing}', '$[' || COALESCE({bucket}, '#') || ']', 1)"


def _grown(histogram: str, bucket: str) -> str:
    path = f"'$[' || {bucket} || ']'"
    more = f"json_replace({histogram}, {path}, json_extract({histogram}, {path}) + 1)"
    return f"{histogram} = CASE WHEN {bucket} IS NULL THEN {histogram} ELSE {more} END"


#: Adds a run that ends in this batch; if ?4 is 1, only if its thread was deleted before.
_ADD: Final = f"""
INSERT INTO run_metrics (graph_id, version, status, updated_at, {", ".join((*_HISTOGRAMS, *_SUMS))})
SELECT ?5, ?6, ?7, ?8, {_of_one("?9")}, {_of_one("?10")}, 1, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ({_SUPERSTEPS})
WHERE (?4 = 0 OR NOT EXISTS (SELECT 1 FROM threads WHERE thread_id = ?1)) AND {UNCHANGED}
ON CONFLICT (graph_id, version, status) DO UPDATE SET
    updated_at = excluded.updated_at,
    {_grown("waits", "?9")},
    {_grown("executions", "?10")},
    {", ".join(f"{name} = {name} + excluded.{name}" for name in _SUMS)}
RETURNING ({_SUPERSTEPS}) AS supersteps
"""


def add(run: Run, tally: Tally, *, only_without_thread: bool = False, now: str) -> Statement:
    """Count the end of a run, if `run` is what is stored; must come before the statement that ends the run.

    Returns the `supersteps` of this run.
    """
    return Statement(
        _ADD,
        (
            *(run.thread_id, run.run_id, tally.since, int(only_without_thread)),
            *(tally.graph_id, tally.version, tally.status, now),
            *(_bucket(tally.wait), _bucket(tally.execution)),
            *(tally.wait or 0, tally.execution or 0, tally.retries, tally.recovery),
            *(tally.d1.batches, tally.d1.rows_read, tally.d1.rows_written, tally.d1.seconds),
            tally.counted,
            *run.identity,
        ),
    )


def _bucket(seconds: float | None) -> str | None:
    """The bucket's index as text, because D1 takes numbers as floats, and `$[3.0]` is no JSON path."""
    return None if seconds is None else str(bisect_left(BUCKETS, seconds))


#: One row for each graph, version and status.
_SELECT: Final = f"""
SELECT graph_id, version, status, {", ".join((*_HISTOGRAMS, *_SUMS))}
FROM run_metrics
ORDER BY graph_id, version, status
"""


def select() -> Statement:
    """All sums. `waits` and `executions` are JSON arrays of counts: one for each of `BUCKETS`, and one for the rest."""
    return Statement(_SELECT)


#: Rows of replaced versions, above all.
_SWEEP: Final = "DELETE FROM run_metrics WHERE updated_at < ?"


def delete_unused(*, since: str) -> Statement:
    """Delete the sums to which no run has been added since a time."""
    return Statement(_SWEEP, (since,))
