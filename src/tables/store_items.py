"""The tables `store_items`, `store_texts` and `store_vectors`: items by namespace and key, their words, their vectors.

An expired item does not exist for any statement here, whether or not the sweep has deleted it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from compact_json import compact_json
from ports import Database, Row, SqlValue, Statement
from tables import store_filter, store_namespaces
from tables.store_namespaces import Namespace

#: How a search ranks items: by an FTS5 expression (`store.search_text`), by scores for each item_id, or not at all.
Ranking: TypeAlias = tuple[Literal["words"], str] | tuple[Literal["scores"], Mapping[int, float]] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredItem:
    """One row of `store_items`; `value` is JSON text."""

    item_id: int
    namespace: str
    key: str
    created_at: str
    updated_at: str
    #: The lifetime that begins with each read; None for an item that never expires.
    ttl_minutes: float | None
    value: str
    #: How well the item matches a search's query, higher is better; None if the query did not rank it.
    score: float | None = None

    @classmethod
    def from_row(cls, row: Row) -> "StoredItem":
        """The item of a row."""
        return cls(**{name: row[name] for name in cls.__dataclass_fields__ if name in row})


_COLUMNS: Final = "item_id, namespace, key, created_at, updated_at, ttl_minutes, value"

_ALIVE: Final = "(expires_at IS NULL OR expires_at > ?)"

#: One item.
_GET: Final = f"""
SELECT {_COLUMNS}
FROM store_items
WHERE namespace = ? AND key = ? AND {_ALIVE}
"""


def select(namespace: Namespace, key: str, *, now: str) -> Statement:
    """One item."""
    return Statement(_GET, (store_namespaces.encode(namespace), key, now))


#: Inserts or overwrites an item; an expired item counts as absent.
_PUT: Final = """
INSERT INTO store_items (namespace, key, created_at, updated_at, ttl_minutes, expires_at, value)
VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (namespace, key) DO UPDATE
SET created_at = iif(expires_at <= excluded.updated_at, excluded.created_at, created_at),
    updated_at = excluded.updated_at,
    ttl_minutes = excluded.ttl_minutes,
    expires_at = excluded.expires_at,
    value = excluded.value
"""

_ITEM_ID: Final = "SELECT item_id FROM store_items WHERE namespace = ? AND key = ?"

#: Replaces the words of an item.
_INDEX: Final = f"""
INSERT OR REPLACE INTO store_texts (rowid, scope, text)
SELECT item_id, ?, ? FROM ({_ITEM_ID})
"""

_UNINDEX: Final = f"""
DELETE FROM store_texts
WHERE rowid = ({_ITEM_ID})
"""

_DELETE_VECTORS: Final = f"""
DELETE FROM store_vectors
WHERE item_id = ({_ITEM_ID})
"""

#: Any number of vectors as one JSON parameter.
_INSERT_VECTORS: Final = f"""
INSERT INTO store_vectors (item_id, part, vector)
SELECT item_id, ? + vectors.key, vectors.value
FROM ({_ITEM_ID}), json_each(?) AS vectors
"""

_DELETE: Final = """
DELETE FROM store_items
WHERE namespace = ? AND key = ?
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundBy:
    """What a query finds an item by: its words or its vectors."""

    #: Its scope and its text, for `store.search_text`.
    words: tuple[str, str] | None = None
    #: 32-bit floats in base64, from `store.vectors`.
    vectors: Sequence[str] = ()


#: For an item that no query can find.
BY_NOTHING: Final = FoundBy()

#: The most characters of vectors that one statement writes: half the limit of a bound value.
_STATEMENT_CHARS: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Put:
    """An item to write."""

    namespace: Namespace
    key: str
    #: JSON text.
    value: str
    ttl_minutes: float | None
    expires_at: str | None
    found_by: FoundBy


def put(item: Put, *, now: str) -> list[Statement]:
    """Write an item together with its words and vectors."""
    place = (store_namespaces.encode(item.namespace), item.key)
    values = (*place, now, now, item.ttl_minutes, item.expires_at, item.value)
    statements = [Statement(_PUT, values), Statement(_DELETE_VECTORS, place)]
    words, vectors = item.found_by.words, item.found_by.vectors
    statements.append(Statement(_INDEX, (*words, *place)) if words else Statement(_UNINDEX, place))
    size = max(1, _STATEMENT_CHARS // len(vectors[0])) if vectors else 1
    for first in range(0, len(vectors), size):
        some = compact_json(vectors[first : first + size])
        statements.append(Statement(_INSERT_VECTORS, (first, *place, some)))
    return statements


def delete(namespace: Namespace, key: str) -> list[Statement]:
    """Delete an item, if there is one, together with its words and vectors."""
    place = (store_namespaces.encode(namespace), key)
    return [Statement(sql, place) for sql in (_UNINDEX, _DELETE_VECTORS, _DELETE)]


#: Renews the expiry of items; items without a time to live are not written.
_REFRESH: Final = """
UPDATE store_items
SET expires_at = ?
WHERE item_id = ? AND ttl_minutes IS NOT NULL
"""


def refresh(item_id: int, *, expires_at: str) -> Statement:
    """Set a later expiry for an item."""
    return Statement(_REFRESH, (expires_at, item_id))


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """The items that a search considers, before any ranking."""

    prefix: Namespace
    filter: Mapping[str, Any]
    now: str

    def where(self) -> tuple[str, list[SqlValue]]:
        """The condition and its parameters."""
        clauses = ["namespace >= ?", "namespace < ?", _ALIVE]
        params: list[SqlValue] = [*store_namespaces.subtree(self.prefix), self.now]
        for clause, texts in store_filter.conditions(self.filter):
            clauses.append(clause)
            params += texts
        return " AND ".join(clauses), params


_BY_WORDS: Final = "SELECT rowid, -bm25(store_texts, 0.0, 1.0) FROM store_texts WHERE store_texts MATCH ?"
_BY_SCORES: Final = "SELECT CAST(key AS INTEGER), value FROM json_each(?)"
_BY_NOTHING: Final = "SELECT NULL, NULL WHERE 0"

_BEST_FIRST: Final = "score IS NULL, score DESC, updated_at DESC, item_id DESC"


def search(wanted: Search, ranking: Ranking, *, limit: int, offset: int) -> Statement:
    """A page of items: ranked ones first, best first, then the others, the last written first."""
    where, params = wanted.where()
    match ranking:
        case None:
            scores, ranked = _BY_NOTHING, ()
        case "words", str(expression):
            scores, ranked = _BY_WORDS, (expression,)
        case _, values:
            scores, ranked = _BY_SCORES, (compact_json(values),)
    # Sorts ids, so that only the values of the page are read.
    sql = f"""
WITH found (item_id, score) AS MATERIALIZED ({scores}),
page AS MATERIALIZED (
    SELECT item_id, score
    FROM store_items LEFT JOIN found USING (item_id)
    WHERE {where}
    ORDER BY {_BEST_FIRST}
    LIMIT ? OFFSET ?
)
SELECT {_COLUMNS}, score
FROM page JOIN store_items USING (item_id)
ORDER BY {_BEST_FIRST}
"""
    return Statement(sql, (*ranked, *params, limit, offset))


def vectors(wanted: Search, *, after: tuple[str, int] | None, limit: int) -> Statement:
    """A page of `item_id`, `updated_at` and `vector` of these items, the last written first."""
    where, params = wanted.where()
    beyond = "(updated_at, item_id) < (?, ?)" if after else "1"
    sql = f"""
SELECT item_id, updated_at, vector
FROM (
    SELECT item_id, updated_at
    FROM store_items
    WHERE {where} AND {beyond} AND EXISTS (SELECT 1 FROM store_vectors WHERE item_id = store_items.item_id)
    ORDER BY updated_at DESC, item_id DESC
    LIMIT ?
) JOIN store_vectors USING (item_id)
ORDER BY updated_at DESC, item_id DESC
"""
    return Statement(sql, (*params, *(after or ()), limit))


def namespaces(
    *, prefix: Namespace, suffix: Namespace, max_depth: int | None, limit: int, offset: int, now: str
) -> Statement:
    """A page of namespaces that contain an item; `*` matches any single label. Deeper ones are cut at `max_depth`.

    Steps from one namespace to the next in the index, however many items each has.
    """
    first, beyond = store_namespaces.subtree(_until_wildcard(prefix))
    clauses, labels = store_namespaces.matching(prefix, suffix)
    next_one = f"""
        SELECT namespace FROM store_items
        WHERE namespace {{}} AND namespace < ? AND {_ALIVE} ORDER BY namespace LIMIT 1"""
    sql = f"""
WITH RECURSIVE present (namespace) AS (
    SELECT * FROM ({next_one.format(">= ?")})
    UNION ALL
    SELECT ({next_one.format("> present.namespace")})
    FROM present
    WHERE namespace IS NOT NULL
)
SELECT DISTINCT {store_namespaces.cut(max_depth)} AS namespace
FROM present
WHERE namespace IS NOT NULL AND {" AND ".join(clauses)}
ORDER BY 1
LIMIT ? OFFSET ?
"""
    return Statement(sql, (first, beyond, now, beyond, now, *labels, limit, offset))


def _until_wildcard(labels: Namespace) -> Namespace:
    return labels[: labels.index("*")] if "*" in labels else labels


#: A page of expired items.
_EXPIRED: Final = """
SELECT item_id FROM store_items INDEXED BY store_items_by_expiry
WHERE expires_at IS NOT NULL AND expires_at <= ? ORDER BY expires_at LIMIT ?
"""


async def delete_expired(db: Database, *, now: str, limit: int) -> int:
    """Delete up to `limit` expired items; returns how many."""
    params = (now, limit)
    *_, deleted = await db.batch(
        [
            Statement(f"DELETE FROM store_texts WHERE rowid IN ({_EXPIRED})", params),
            Statement(f"DELETE FROM store_vectors WHERE item_id IN ({_EXPIRED})", params),
            Statement(f"DELETE FROM store_items WHERE item_id IN ({_EXPIRED}) RETURNING item_id", params),
        ]
    )
    return len(deleted)
