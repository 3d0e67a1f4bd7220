"""The table `threads`: what clients see of a conversation. The state itself is in the checkpoints.

`thread_engagement.py` has the changes that runs make to the row of their thread.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias

from langgraph_sdk.schema import ThreadStatus

import clock
from ports import Database, Row, Statement
from tables import large_text, values_outline
from tables.access import EVERYTHING, Access

#: The version of the format of this table's JSON that this code writes.
FORMAT: Final = 1

#: The status of a thread without unfinished runs.
RestingStatus: TypeAlias = Literal["idle", "interrupted", "error"]

TtlStrategy: TypeAlias = Literal["delete", "keep_latest"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ttl:
    """How long a thread lives after its last activity, and what happens to it then."""

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
        """The thread as stored; if `values_parts` is not 0, `values_json` is only an outline of its values."""
        return cls(**{name: row[name] for name in cls.__dataclass_fields__})


def new(thread_id: str, *, metadata: str, config: str, now: str, ttl: Ttl | None = None) -> Thread:
    """A thread without runs."""
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

#: The time `?` plus the thread's TTL; NULL without a TTL.
EXPIRY: Final = "strftime('%Y-%m-%dT%H:%M:%f000+00:00', ?, '+' || ttl_minutes || ' minutes')"

#: A thread without runs, unless the id is taken.
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
    """Insert a thread without runs; returns a row exactly when the id was free."""
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


#: The columns of a thread that creating a run needs, without its state, which may be large.
_HEAD: Final = """
SELECT metadata, config
FROM threads
WHERE thread_id = ?
"""


def select_head(thread_id: str, access: Access) -> Statement:
    """`metadata` and `config` of one thread."""
    return _within(access, _HEAD, thread_id)


#: The interrupts of a thread that wait for an answer.
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
    """The values of a thread as JSON text, without any check of access."""
    thread = await get(db, thread_id, EVERYTHING)
    return (thread and thread.values_json) or "null"


#: The thread after a caller has updated its state.
_REFRESH: Final = f"""
UPDATE threads
SET status = ?, values_json = ?, values_parts = ?, interrupts = ?, error = NULL,
    updated_at = ?, state_updated_at = ?, expires_at = {EXPIRY}
WHERE thread_id = ?
"""


def refresh(thread_id: str, *, status: ThreadStatus, values: str, interrupts: str, now: str) -> list[Statement]:
    """Show a new state; another statement of the batch must check that this is allowed."""
    texts = large_text.parts(values)
    shown = (values_outline.outline(values) if texts else values, len(texts), interrupts)
    return [
        Statement(_REFRESH, (status, *shown, now, now, now, thread_id)),
        *large_text.put(f"thread:{thread_id}", texts),
    ]


#: Sets metadata and TTL, provided that the metadata is still what the caller has read.
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
    """Compare-and-set the metadata. Returns None if it changed since `thread` was read, or if the thread is gone.

    With `ttl` None the thread keeps its TTL and its expiry.
    """
    lives = (ttl.minutes, ttl.strategy, clock.shifted(now, ttl.minutes * 60)) if ttl else (None, None, None)
    [rows] = await db.batch([Statement(_UPDATE, (metadata, *lives, now, thread.thread_id, thread.metadata))])
    return await first_from_rows(db, rows)


async def first_from_rows(db: Database, rows: Sequence[Row]) -> Thread | None:
    """The thread of a statement that returns at most one, with all its values."""
    [thread] = await whole(db, [Thread.from_row(row) for row in rows]) or [None]
    return thread


async def whole(db: Database, found: Sequence[Thread]) -> list[Thread]:
    """The threads with all their values; values that exceed their rows cost one more round trip, all together."""
    owners = {thread.thread_id: f"thread:{thread.thread_id}" for thread in found if thread.values_parts}
    texts = await large_text.load_all(db, list(owners.values())) if owners else {}
    return [replace(each, values_json=texts.get(owners.get(each.thread_id, ""), each.values_json)) for each in found]
