"""The table `node_cache`: results of nodes with a cache policy."""

from collections.abc import Sequence
from typing import Final

from compact_json import compact_json
from ports import Database, Statement

_SELECT: Final = """
    SELECT wanted.key AS position, node_cache.type, hex(node_cache.value) AS value
    FROM json_each(?2) AS wanted
    JOIN node_cache ON release = ?1
        AND namespace = json_extract(wanted.value, '$[0]') AND node_cache.key = json_extract(wanted.value, '$[1]')
    WHERE expires_at > ?3
"""

_PUT: Final = """
    INSERT INTO node_cache (release, namespace, key, type, value, expires_at) VALUES (?, ?, ?, ?, unhex(?), ?)
    ON CONFLICT (release, namespace, key)
    DO UPDATE SET type = excluded.type, value = excluded.value, expires_at = excluded.expires_at
"""

_DELETE_EXPIRED: Final = """
    DELETE FROM node_cache WHERE (release, namespace, key) IN (
        SELECT release, namespace, key FROM node_cache INDEXED BY node_cache_by_expiry
        WHERE expires_at <= ? ORDER BY expires_at LIMIT ?
    )
    RETURNING 1 AS deleted
"""


def select(release: str, keys: Sequence[tuple[str, str]], *, now_ms: int) -> Statement:
    """The existing entries of these (namespace, key): `position` in `keys`, `type`, and `value` in hexadecimal."""
    return Statement(_SELECT, (release, compact_json([list(key) for key in keys]), now_ms))


def put(release: str, key: tuple[str, str], kind: str, value: bytes, *, expires_at_ms: int) -> Statement:
    """Insert or replace an entry."""
    return Statement(_PUT, (release, *key, kind, value.hex(), expires_at_ms))


def delete(release: str, namespace: str | None) -> Statement:
    """Delete the entries of a namespace, or of all."""
    if namespace is None:
        return Statement("DELETE FROM node_cache WHERE release = ?", (release,))
    return Statement("DELETE FROM node_cache WHERE release = ? AND namespace = ?", (release, namespace))


async def delete_expired(db: Database, *, now_ms: int, limit: int) -> int:
    """Delete up to `limit` expired entries; returns how many."""
    [deleted] = await db.batch([Statement(_DELETE_EXPIRED, (now_ms, limit))])
    return len(deleted)
