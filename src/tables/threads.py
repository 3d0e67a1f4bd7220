"""The table `threads`: what a client sees of a conversation; its state itself is in the checkpoints."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, TypeAlias

from langgraph_sdk.schema import SortOrder, ThreadSortBy, ThreadStatus

from ports import Database, Row, SqlValue, Statement
from tables import json_filter, large_text
from tables.access import Access
from tables.runs import Run

#: The version of the shape of this table's JSON that this code writes.
FORMAT: Final = 1

#: A thread's status when it has no run to do.
RestingStatus: TypeAlias = Literal["idle", "interrupted", "error"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Thread:
    """One row; `metadata`, `config`, `values_json`, `interrupts` and `error` are JSON texts."""

    thread_id: str
    status: ThreadStatus
    metadata: str
    config: str
    values_json: str | None
    values_parts: int
    interrupts: str
    error: str | None
    created_at: str
    updated_at: str
    state_updated_at: str

    @classmethod
    def from_row(cls, row: Row) -> "Thread":
        """The thread as stored; when `values_parts` is not 0, `values_json` is still to be loaded."""
        return cls(**{name: row[name] for name in cls.__dataclass_fields__})


def new(thread_id: str, *, metadata: str, config: str, now: str) -> Thread:
    """A thread that never ran."""
    return Thread(
        thread_id=thread_id,
        status="idle",
        metadata=metadata,
        config=config,
        values_json=None,
        values_parts=0,
        interrupts="{}",
        error=None,
        created_at=now,
        updated_at=now,
        state_updated_at=now,
    )


_COLUMNS: Final = """thread_id, status, metadata, config, values_json, values_parts, interrupts, error,
    created_at, updated_at, state_updated_at"""

#: A thread that never ran, unless the id is taken.
_INSERT: Final = f"""
INSERT INTO threads (thread_id, status, metadata, config, created_at, updated_at, state_updated_at, format)
VALUES (?, ?, ?, ?, ?, ?, ?, {FORMAT})
ON CONFLICT (thread_id) DO NOTHING
RETURNING thread_id
"""


def insert(thread: Thread) -> Statement:
    """Insert a thread that never ran; returns a row exactly when the id was free."""
    values = (thread.thread_id, thread.status, thread.metadata, thread.config)
    return Statement(_INSERT, (*values, thread.created_at, thread.updated_at, thread.state_updated_at))


#: One thread.
_GET: Final = f"""
SELECT {_COLUMNS}
FROM threads
WHERE thread_id = ?
"""


def select(thread_id: str, access: Access) -> Statement:
    """One thread, for `first_from_rows`."""
    return _within(access, _GET, thread_id)


def _within(access: Access, sql: str, thread_id: str) -> Statement:
    where, params = access.where()
    return Statement(f"{sql}  AND {where}\n", (thread_id, *params))


#: The parts of a thread that creating a run depends on: no state, which may be large.
_HEAD: Final = """
SELECT metadata, config
FROM threads
WHERE thread_id = ?
"""


def select_head(thread_id: str, access: Access) -> Statement:
    """`metadata` and `config` of one thread."""
    return _within(access, _HEAD, thread_id)


async def get(db: Database, thread_id: str, access: Access) -> Thread | None:
    """One thread."""
    [rows] = await db.batch([select(thread_id, access)])
    return await first_from_rows(db, rows)


#: A thread is busy from the moment a run is created on it.
_ENGAGE: Final = """
UPDATE threads
SET status = 'busy',
    metadata = json_set(metadata, '$.graph_id', ?, '$.assistant_id', ?),
    config = ?,
    updated_at = ?
WHERE thread_id = ?
  AND EXISTS (SELECT 1 FROM runs WHERE thread_id = ? AND run_id = ?)
"""


def engage(run: Run, *, graph_id: str, config: str) -> Statement:
    """Mark the thread of a run as busy with it, provided that the run was inserted."""
    return Statement(
        _ENGAGE,
        (graph_id, run.assistant_id, config, run.created_at, run.thread_id, run.thread_id, run.run_id),
    )


#: The thread after a run: busy while others are left, otherwise resting; under the run's fencing token.
_SETTLE: Final = """
UPDATE threads
SET status = CASE
        WHEN EXISTS (
            SELECT 1 FROM runs AS other INDEXED BY runs_unfinished
            WHERE other.thread_id = ? AND other.status IN ('pending', 'running') AND other.run_id <> ?
        ) THEN 'busy'
        WHEN ? IS NOT NULL THEN ?
        WHEN error IS NOT NULL THEN 'error'
        WHEN interrupts <> '{}' THEN 'interrupted'
        ELSE 'idle'
    END,
    values_json = CASE WHEN ? THEN ? ELSE values_json END,
    values_parts = CASE WHEN ? THEN ? ELSE values_parts END,
    interrupts = COALESCE(?, interrupts),
    error = CASE WHEN ? IS NOT NULL THEN ? ELSE error END,
    updated_at = ?,
    state_updated_at = CASE WHEN ? THEN ? ELSE state_updated_at END
WHERE thread_id = ?
  AND EXISTS (SELECT 1 FROM runs WHERE thread_id = ? AND run_id = ? AND status = ? AND attempt = ?)
"""


def settle(
    run: Run,
    *,
    resting: RestingStatus | None,
    values: str | None,
    interrupts: str | None,
    error: str | None,
    now: str,
) -> list[Statement]:
    """Write what a run did to its thread; `values` and `interrupts` of None leave the stored ones.

    With `resting` None it did nothing: the thread rests as it did before, `error` included.

    Holds only while `run` is what is stored, so it must stand before the statement that finishes the run.
    """
    has_values = int(values is not None)
    texts = large_text.parts(values) if values is not None else []
    statement = Statement(
        _SETTLE,
        (
            *(run.thread_id, run.run_id, resting, resting),
            *(has_values, None if texts else values),
            *(has_values, len(texts)),
            interrupts,
            *(resting, error),
            now,
            *(has_values, now),
            run.thread_id,
            *(run.thread_id, run.run_id, run.status, run.attempt),
        ),
    )
    if values is None:
        return [statement]
    parts = large_text.replace(f"thread:{run.thread_id}", texts, (run.thread_id, run.run_id, run.attempt))
    return [statement, *parts]


#: New metadata, provided that the old is still what the caller has read.
_REPLACE_METADATA: Final = f"""
UPDATE threads
SET metadata = ?, updated_at = ?
WHERE thread_id = ? AND metadata = ?
RETURNING {_COLUMNS}
"""


async def replace_metadata(db: Database, thread: Thread, metadata: str, *, now: str) -> Thread | None:
    """Compare-and-set the metadata; None when they changed since `thread` was read, or the thread is gone."""
    [rows] = await db.batch([Statement(_REPLACE_METADATA, (metadata, now, thread.thread_id, thread.metadata))])
    return await first_from_rows(db, rows)


#: A thread with nothing left to do.
_DELETE_RESTING: Final = """
DELETE FROM threads
WHERE thread_id = ?
  AND NOT EXISTS (
    SELECT 1 FROM runs INDEXED BY runs_unfinished WHERE thread_id = ? AND status IN ('pending', 'running')
  )
RETURNING thread_id
"""


def delete_resting(thread_id: str) -> Statement:
    """Delete a thread unless it has an unfinished run; returns a row exactly when it did."""
    return Statement(_DELETE_RESTING, (thread_id, thread_id))


#: The temporary thread of a stateless run, under the run's fencing token.
_DELETE_TEMPORARY: Final = """
DELETE FROM threads
WHERE thread_id = ?
  AND EXISTS (SELECT 1 FROM runs WHERE thread_id = ? AND run_id = ? AND status = ? AND attempt = ?)
RETURNING thread_id
"""


def delete_temporary(run: Run) -> Statement:
    """Delete the thread of `run`, provided that `run` is what is stored; returns a row exactly when it did."""
    return Statement(_DELETE_TEMPORARY, (run.thread_id, run.thread_id, run.run_id, run.status, run.attempt))


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What to look for; an empty field looks for nothing in particular."""

    metadata: Mapping[str, Any]
    values: Mapping[str, Any]
    ids: Sequence[str]
    status: ThreadStatus | None
    access: Access

    def where(self) -> tuple[str, list[SqlValue]]:
        """The condition and its parameters."""
        clauses, texts = json_filter.conditions(metadata=self.metadata, values_json=self.values)
        params: list[SqlValue] = [*texts]
        if self.ids:
            clauses.append("thread_id IN (SELECT value FROM json_each(?))")
            params.append("[" + ",".join(f'"{thread_id}"' for thread_id in self.ids) + "]")
        if self.status:
            clauses.append("status = ?")
            params.append(self.status)
        allowed, allowed_params = self.access.where()
        return " AND ".join([*clauses, allowed]), [*params, *allowed_params]


async def search(
    db: Database, wanted: Search, *, sort_by: ThreadSortBy, sort_order: SortOrder, limit: int, offset: int
) -> list[Thread]:
    """A page of threads. Only the order by `updated_at` is read from an index; others sort all that match."""
    where, params = wanted.where()
    # `sort_by` and `sort_order` are literals that the body's model has checked.
    sql = f"""
SELECT {_COLUMNS}
FROM threads
WHERE {where}
ORDER BY {sort_by} {sort_order}, thread_id {sort_order}
LIMIT ? OFFSET ?
"""
    [rows] = await db.batch([Statement(sql, (*params, limit, offset))])
    return [await _whole(db, Thread.from_row(row)) for row in rows]


async def count(db: Database, wanted: Search) -> int:
    """How many threads match."""
    where, params = wanted.where()
    [[row]] = await db.batch([Statement(f"SELECT COUNT(*) AS number FROM threads WHERE {where}", tuple(params))])
    return row["number"]


async def first_from_rows(db: Database, rows: Sequence[Row]) -> Thread | None:
    """The thread of a statement that returns at most one."""
    return await _whole(db, Thread.from_row(rows[0])) if rows else None


async def _whole(db: Database, thread: Thread) -> Thread:
    if not thread.values_parts:
        return thread
    return replace(thread, values_json=await large_text.load(db, f"thread:{thread.thread_id}"))
