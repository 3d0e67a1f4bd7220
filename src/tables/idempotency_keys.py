"""The table `idempotency_keys`: what a request with an `Idempotency-Key` has made, for the retry that asks again."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

import clock
from compact_json import compact_json
from ports import Database, Statement

#: The table of what was made, and its id there.
Place: TypeAlias = tuple[Literal["assistants", "threads", "runs", "crons"], Mapping[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class IdempotencyKey:
    """One caller's key, and the request that it came with."""

    #: Of the caller and the key.
    digest: str
    #: Of the request.
    fingerprint: str
    #: How long a retry is answered.
    lives_seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """What the first request with a key was, and has made."""

    fingerprint: str
    made: Any


#: A key that is used already fails, and with it its batch.
_INSERT: Final = """
INSERT INTO idempotency_keys (digest, fingerprint, made, created_at)
SELECT ?, ?, ?, ?
WHERE {exists} (SELECT 1 FROM {table} WHERE {ids})
"""


def remember_made(key: IdempotencyKey | None, made: Any, place: Place) -> list[Statement]:
    """Remember what a batch has made before this; nothing if it did not."""
    return _remember(key, made, place, "EXISTS")


def remember_making(key: IdempotencyKey | None, made: Any, place: Place) -> list[Statement]:
    """Remember what a batch makes after this; nothing if it is there already."""
    return _remember(key, made, place, "NOT EXISTS")


def _remember(key: IdempotencyKey | None, made: Any, place: Place, exists: str) -> list[Statement]:
    if key is None:
        return []
    table, ids = place
    sql = _INSERT.format(exists=exists, table=table, ids=" AND ".join(f"{name} = ?" for name in ids))
    return [Statement(sql, (key.digest, key.fingerprint, compact_json(made), clock.now_iso(), *ids.values()))]


#: What a key has made.
_GET: Final = """
SELECT fingerprint, made
FROM idempotency_keys
WHERE digest = ?
"""


async def get(db: Database, key: IdempotencyKey) -> Remembered | None:
    """What is remembered of a key; None when nothing was made with it."""
    [rows] = await db.batch([Statement(_GET, (key.digest,))])
    return Remembered(fingerprint=rows[0]["fingerprint"], made=json.loads(rows[0]["made"])) if rows else None


#: Keys of one share that are old enough.
_DELETE_EXPIRED: Final = """
DELETE FROM idempotency_keys
WHERE digest IN (
    SELECT digest FROM idempotency_keys
    WHERE digest BETWEEN ? AND ? AND created_at < ?
    LIMIT ?
)
RETURNING digest
"""

#: Into how many shares the keys fall, by the first two digits of their digests.
SHARES: Final = 256


async def delete_expired(db: Database, share: int, *, before: str, limit: int) -> int:
    """Delete keys of one share that were made before a time; how many."""
    digits = f"{share:02x}"
    [deleted] = await db.batch([Statement(_DELETE_EXPIRED, (digits, f"{digits}g", before, limit))])
    return len(deleted)
