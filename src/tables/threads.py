"""The table `threads`: what a client sees of a conversation; its state itself is in the checkpoints."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias

from langgraph_sdk.schema import ThreadStatus

import clock
from ports import Database, Row, Statement
from tables import large_text, values_outline
from tables.access import EVERYTHING, Access
from tables.run_fence import UNCHANGED
from tables.runs import Run

#: The version of the shape of this table's JSON that this code writes.
FORMAT: Final = 1

#: A thread's status when it has no run to do.
RestingStatus: TypeAlias = Literal["idle", "interrupted", "error"]

TtlStrategy: TypeAlias = Literal["delete", "keep_latest"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ttl:
    """How long a thread lives after its last activity, and what becomes of it then."""

    minutes: float
    strategy: TtlStrategy


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
    ttl_minutes: float | None
    ttl_strategy: TtlStrategy | None
    expires_at: str | None

    @classmethod
    def from_row(cls, row: Row) -> "Thread":
        """The thread as stored; when `values_parts` is not 0, `values_json` is only an outline of its values."""
        return cls(**{name: row[name] for name in cls.__dataclass_fields__})


def new(thread_id: str, *, metadata: str, config: str, now: str, ttl: Ttl | None = None) -> Thread:
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
        ttl_minutes=ttl and ttl.minutes,
        ttl_strategy=ttl and ttl.strategy,
        expires_at=ttl and clock.shifted(now, ttl.minutes * 60),
    )


COLUMNS: Final = """thread_id, status, metadata, config, values_json, values_parts, interrupts, error,
    created_at, updated_at, state_updated_at, ttl_minutes, ttl_strategy, expires_at"""

#: The time ? and the thread's TTL; NULL without one.
EXPIRY: Final = "strftime('%Y-%m-%dT%H:%M:%f000+00:00', ?, '+' || ttl_minutes || ' minutes')"

#: A thread that never ran, unless the id is taken.
_INSERT: Final = f"""
INSERT INTO threads (
    thread_id, status, metadata, config, created_at, updated_at, state_updated_at,
    ttl_minutes, ttl_strategy, expires_at, format
)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, {FORMAT})
ON CONFLICT (thread_id) DO NOTHING
RETURNING thread_id
"""


def insert(thread: Thread) -> Statement:
    """Insert a thread that never ran; returns a row exactly when the id was free."""
    return Statement(
        _INSERT,
        (
            *(thread.thread_id, thread.status, thread.metadata, thread.config),
            *(thread.created_at, thread.updated_at, thread.state_updated_at),
            *(thread.ttl_minutes, thread.ttl_strategy, thread.expires_at),
        ),
    )


#: One thread.
_GET: Final = f"""
SELECT {COLUMNS}
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


#: What waits on a thread for an answer.
_INTERRUPTS: Final = """
SELECT metadata, interrupts
FROM threads
WHERE thread_id = ?
"""


def select_interrupts(thread_id: str, access: Access) -> Statement:
    """`metadata` and `interrupts` of one thread."""
    return _within(access, _INTERRUPTS, thread_id)


async def get(db: Database, thread_id: str, access: Access) -> Thread | None:
    """One thread."""
    [rows] = await db.batch([select(thread_id, access)])
    return await first_from_rows(db, rows)


async def values_text(db: Database, thread_id: str) -> str:
    """What a thread shows as its values, as JSON text; for Superstep's own work."""
    thread = await get(db, thread_id, EVERYTHING)
    return (thread and thread.values_json) or "null"


#: A thread is busy from the moment a run is created on it.
_ENGAGE: Final = """
UPDATE threads
SET status = 'busy',
    metadata = json_set(metadata, '$.graph_id', ?, '$.assistant_id', ?),
    config = ?,
    updated_at = ?
WHERE thread_id = ?
  AND EXISTS (SELECT 1 FROM runs WHERE thread_id = ? AND run_id = ?)
RETURNING thread_id
"""


def engage(run: Run, *, graph_id: str, config: str) -> Statement:
    """Mark the thread of a run as busy with it; returns a row exactly when the run was inserted."""
    return Statement(
        _ENGAGE,
        (graph_id, run.assistant_id, config, run.created_at, run.thread_id, run.thread_id, run.run_id),
    )


#: The thread after a run: busy while others are left, otherwise resting; under the run's fencing token.
_SETTLE: Final = f"""
UPDATE threads
SET status = CASE
        WHEN EXISTS (
            SELECT 1 FROM runs AS other INDEXED BY runs_unfinished
            WHERE other.thread_id = ? AND other.status IN ('pending', 'running') AND other.run_id <> ?
        ) THEN 'busy'
        WHEN ? IS NOT NULL THEN ?
        WHEN error IS NOT NULL THEN 'error'
        WHEN interrupts <> '{{}}' THEN 'interrupted'
        ELSE 'idle'
    END,
    values_json = CASE WHEN ? THEN ? ELSE values_json END,
    values_parts = CASE WHEN ? THEN ? ELSE values_parts END,
    interrupts = COALESCE(?, interrupts),
    error = CASE WHEN ? IS NOT NULL THEN ? ELSE error END,
    updated_at = ?,
    state_updated_at = CASE WHEN ? THEN ? ELSE state_updated_at END,
    expires_at = {EXPIRY}
WHERE thread_id = ? AND {UNCHANGED}
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
            *(has_values, values_outline.outline(values) if texts and values else values),
            *(has_values, len(texts)),
            interrupts,
            *(resting, error),
            now,
            *(has_values, now),
            now,
            run.thread_id,
            *run.identity,
        ),
    )
    if values is None:
        return [statement]
    parts = large_text.replace(f"thread:{run.thread_id}", texts, run.identity)
    return [statement, *parts]


#: The thread belongs to another graph once more, unless a run is to come; under the fence of the run that left.
_RETURN: Final = f"""
UPDATE threads
SET metadata = json_set(metadata, '$.graph_id', ?, '$.assistant_id', ?)
WHERE thread_id = ?
  AND NOT EXISTS (
    SELECT 1 FROM runs AS other INDEXED BY runs_unfinished
    WHERE other.thread_id = ? AND other.status IN ('pending', 'running') AND other.run_id <> ?
  )
  AND {UNCHANGED}
"""


def give_back(run: Run, *, graph_id: str, assistant_id: str) -> Statement:
    """Undo what `engage` wrote for a run that leaves nothing behind, while `run` is what is stored."""
    params = (graph_id, assistant_id, run.thread_id, run.thread_id, run.run_id, *run.identity)
    return Statement(_RETURN, params)


#: The thread after its state was changed by a caller.
_REFRESH: Final = f"""
UPDATE threads
SET status = ?, values_json = ?, values_parts = ?, interrupts = ?, error = NULL,
    updated_at = ?, state_updated_at = ?, expires_at = {EXPIRY}
WHERE thread_id = ?
"""


def refresh(thread_id: str, *, status: RestingStatus, values: str, interrupts: str, now: str) -> list[Statement]:
    """Show a new state; whether that may be done, another statement of the batch must say."""
    texts = large_text.parts(values)
    shown = (values_outline.outline(values) if texts else values, len(texts), interrupts)
    return [
        Statement(_REFRESH, (status, *shown, now, now, now, thread_id)),
        *large_text.put(f"thread:{thread_id}", texts),
    ]


#: New metadata and TTL, provided that the old metadata are still what the caller has read.
_UPDATE: Final = f"""
UPDATE threads
SET metadata = ?,
    ttl_minutes = COALESCE(?, ttl_minutes),
    ttl_strategy = COALESCE(?, ttl_strategy),
    expires_at = COALESCE(?, expires_at),
    updated_at = ?
WHERE thread_id = ? AND metadata = ?
RETURNING {COLUMNS}
"""


async def update(db: Database, thread: Thread, metadata: str, ttl: Ttl | None, *, now: str) -> Thread | None:
    """Compare-and-set the metadata; None when they changed since `thread` was read, or the thread is gone.

    With `ttl` None the thread keeps the one it has, and the time it expires at.
    """
    lives = (ttl.minutes, ttl.strategy, clock.shifted(now, ttl.minutes * 60)) if ttl else (None, None, None)
    [rows] = await db.batch([Statement(_UPDATE, (metadata, *lives, now, thread.thread_id, thread.metadata))])
    return await first_from_rows(db, rows)


#: The temporary thread of a stateless run, unless another run was put on it; under the run's fence.
_DELETE_TEMPORARY: Final = f"""
DELETE FROM threads
WHERE thread_id = ?
  AND NOT EXISTS (SELECT 1 FROM runs AS other WHERE other.thread_id = ? AND other.run_id <> ?)
  AND {UNCHANGED}
RETURNING thread_id
"""


def delete_temporary(run: Run) -> Statement:
    """Delete the thread of `run`, its only one, while `run` is what is stored; returns a row exactly when it did."""
    return Statement(_DELETE_TEMPORARY, (run.thread_id, run.thread_id, run.run_id, *run.identity))


#: The thread of a run that gave up goes some time after it; under the run's fence.
_LET_EXPIRE: Final = f"""
UPDATE threads
SET ttl_minutes = ?, ttl_strategy = 'delete'
WHERE thread_id = ? AND ttl_minutes IS NULL AND {UNCHANGED}
"""


def let_expire(run: Run, *, minutes: float) -> Statement:
    """Give a thread without a TTL one, while `run` is what is stored; `settle` begins it."""
    return Statement(_LET_EXPIRE, (minutes, run.thread_id, *run.identity))


async def first_from_rows(db: Database, rows: Sequence[Row]) -> Thread | None:
    """The thread of a statement that returns at most one, with all its values."""
    [thread] = await whole(db, [Thread.from_row(row) for row in rows]) or [None]
    return thread


async def whole(db: Database, found: Sequence[Thread]) -> list[Thread]:
    """The threads with all their values; those over a row's size cost one round trip more, all together."""
    owners = {thread.thread_id: f"thread:{thread.thread_id}" for thread in found if thread.values_parts}
    texts = await large_text.load_all(db, list(owners.values())) if owners else {}
    return [replace(each, values_json=texts.get(owners.get(each.thread_id, ""), each.values_json)) for each in found]
