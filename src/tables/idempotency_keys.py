"""The table `idempotency_keys`: what a request with an `Idempotency-Key` created, for its retries."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

import clock
from compact_json import compact_json
from ports import Database, SqlValue, Statement

#: A table, and what identifies a row of it.
Place: TypeAlias = tuple[Literal["assistants", "threads", "runs", "crons", "checkpoints"], Mapping[str, SqlValue]]


@dataclass(frozen=True, slots=True, kw_only=True)
class IdempotencyKey:
    """The key of one caller, and the request that carried it."""

    #: A digest of the caller and the key.
    digest: str
    #: A digest of the request.
    fingerprint: str
    #: For how many seconds retries are answered.
    lives_seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """The first request with a key, and what it created."""

    fingerprint: str
    made: Any


#: Fails, and its batch with it, if the key is used already.
_INSERT: Final = """
INSERT INTO idempotency_keys (digest, fingerprint, made, created_at)
SELECT ?, ?, ?, ?
WHERE {exists} (SELECT 1 FROM {table} WHERE {ids})
"""


def remember_made(key: IdempotencyKey | None, made: Any, place: Place) -> list[Statement]:
    """Remember what a batch creates, provided that this exists by now."""
    return _remember(key, made, place, "EXISTS")


def remember_making(key: IdempotencyKey | None, made: Any, place: Place) -> list[Statement]:
    """Remember what the statements after this create, unless it exists already."""
    return _remember(key, made, place, "NOT EXISTS")


def _remember(key: IdempotencyKey | None, made: Any, place: Place, exists: str) -> list[Statement]:
    if key is None:
        return []
    table, ids = place
    sql = _INSERT.format(exists=exists, table=table, ids=" AND ".join(f"{name} = ?" for name in ids))
    return [Statement(sql, (key.digest, key.fingerprint, compact_json(made), clock.now_iso(), *ids.values()))]


#: What was created with a key.
_GET: Final = """
SELECT fingerprint, made
FROM idempotency_keys
WHERE digest = ?
"""


async def get(db: Database, key: IdempotencyKey) -> Remembered | None:
    """What was created with a key; None if nothing was."""
    [rows] = await db.batch([Statement(_GET, (key.digest,))])
    return Remembered(fingerprint=rows[0]["fingerprint"], made=json.loads(rows[0]["made"])) if rows else None


#: Expired keys of one share.
_DELETE_EXPIRED: Final = """
DELETE FROM idempotency_keys
WHERE digest IN (
    SELECT digest FROM idempotency_keys
    WHERE digest BETWEEN ? AND ? AND created_at < ?
    LIMIT ?
)
RETURNING digest
"""

#: Into how many shares the keys are divided, by the first two digits of their digests.
SHARES: Final = 256


async def delete_expired(db: Database, share: int, *, before: str, limit: int) -> int:
    """Delete up to `limit` keys of one share that were created before a time; returns how many."""
    digits = f"{share:02x}"
    [deleted] = await db.batch([Statement(_DELETE_EXPIRED, (digits, f"{digits}g", before, limit))])
    return len(deleted)
