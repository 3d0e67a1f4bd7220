"""LangGraph's store on D1: the same for HTTP callers and for graphs (`runtime.store`, `get_store()`)."""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import chain
from typing import Final, assert_never

from langgraph.store.base import (
    BaseStore,
    GetOp,
    Item,
    ListNamespacesOp,
    Op,
    PutOp,
    Result,
    SearchItem,
    SearchOp,
    TTLConfig,
    validate_op_namespace,
)

import clock
from compact_json import compact_json
from errors import ValueTooLarge
from ports import Database, Row, Statement
from project_config.sections import StoreTtl
from store.indexes import WORDS, Index
from tables import store_items, store_namespaces
from tables.store_items import BY_NOTHING, FoundBy, StoredItem

#: The most bytes of a value as JSON; leaves room in its row for the other columns.
MAX_VALUE_BYTES: Final = 1_900_000

#: The largest limit and offset. From 2**53 - 1 on, a number would become a BigInt, which D1 refuses.
_MAX_COUNT: Final = 2**31 - 1
#: The longest time to live: a hundred years.
_MAX_TTL_MINUTES: Final = 100 * 365 * 24 * 60


class D1Store(BaseStore):
    """LangGraph's `BaseStore` over `ports.Database`.

    A batch is one round trip, and one more if it renews the time to live of items that it read; with embeddings, each
    query costs a few more. Its reads see the state before its writes; of several writes to one key, the last one
    counts.
    """

    supports_ttl = True
    __slots__ = ("_database", "_index", "ttl_config")

    def __init__(
        self,
        database: Database,
        *,
        index: Index = WORDS,
        ttl: StoreTtl | None = None,
    ) -> None:
        self._database = database
        self._index = index
        self.ttl_config = TTLConfig(refresh_on_read=ttl.refresh_on_read, default_ttl=ttl.default_ttl) if ttl else None

    def batch(self, ops: Iterable[Op]) -> list[Result]:
        """See `abatch`."""
        return self._database.wait(self.abatch(ops))

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        """Carry out the operations in one transaction; returns a result for each."""
        operations, now = list(ops), clock.now_iso()
        for op in operations:
            validate_op_namespace(op)
        reads = {n: await self._read(op, now) for n, op in enumerate(operations) if not isinstance(op, PutOp)}
        puts = {(op.namespace, op.key): op for op in operations if isinstance(op, PutOp)}
        entries = await self._index.entries(puts.values())
        writes = [_write(op, entries.get(place, BY_NOTHING), now) for place, op in puts.items()]
        found = await self._database.batch([*reads.values(), *chain.from_iterable(writes)])
        results: list[Result] = [None] * len(operations)
        living_on: list[Statement] = []
        for number, rows in zip(reads, found, strict=False):
            results[number] = _result(operations[number], rows)
            living_on += _refresh(operations[number], rows, now)
        if living_on:
            await self._database.batch(living_on)
        return results

    async def _read(self, op: GetOp | SearchOp | ListNamespacesOp, now: str) -> Statement:
        match op:
            case GetOp():
                return store_items.select(op.namespace, op.key, now=now)
            case SearchOp():
                wanted = store_items.Search(prefix=op.namespace_prefix, filter=op.filter or {}, now=now)
                limit, offset = _count(op.limit), _count(op.offset)
                ranking = await self._index.ranking(wanted, op.query, limit + offset) if op.query else None
                return store_items.search(wanted, ranking, limit=limit, offset=offset)
            case ListNamespacesOp():
                paths = {condition.match_type: condition.path for condition in op.match_conditions or ()}
                return store_items.namespaces(
                    prefix=paths.get("prefix", ()),
                    suffix=paths.get("suffix", ()),
                    max_depth=op.max_depth,
                    limit=_count(op.limit),
                    offset=_count(op.offset),
                    now=now,
                )
            case _:
                assert_never(op)


def _write(op: PutOp, found_by: FoundBy, now: str) -> list[Statement]:
    if op.value is None:
        return store_items.delete(op.namespace, op.key)
    value = compact_json(op.value)
    if len(value.encode()) > MAX_VALUE_BYTES:
        raise ValueTooLarge(
            f"The value of item {op.key!r} has {len(value.encode())} bytes of at most {MAX_VALUE_BYTES}"
        )
    item = store_items.Put(
        namespace=op.namespace,
        key=op.key,
        value=value,
        ttl_minutes=op.ttl,
        expires_at=None if op.ttl is None else _expiry(op.ttl, now),
        found_by=found_by,
    )
    return store_items.put(item, now=now)


def _result(op: Op, rows: Sequence[Row]) -> Result:
    match op:
        case GetOp():
            return _item(StoredItem.from_row(rows[0])) if rows else None
        case SearchOp():
            return [_search_item(StoredItem.from_row(row)) for row in rows]
        case ListNamespacesOp():
            return [store_namespaces.decode(row["namespace"]) for row in rows]
        case PutOp():
            return None
        case _:
            assert_never(op)


def _refresh(op: Op, rows: Sequence[Row], now: str) -> list[Statement]:
    """Statements that renew the time to live of items that were read."""
    if not isinstance(op, GetOp | SearchOp) or not op.refresh_ttl:
        return []
    return [
        store_items.refresh(row["item_id"], expires_at=_expiry(row["ttl_minutes"], now))
        for row in rows
        if row["ttl_minutes"] is not None
    ]


def _expiry(ttl_minutes: float, now: str) -> str:
    return clock.shifted(now, max(0, min(ttl_minutes, _MAX_TTL_MINUTES)) * 60)


def _count(number: int) -> int:
    return max(0, min(number, _MAX_COUNT))


def _item(stored: StoredItem) -> Item:
    return Item(
        value=json.loads(stored.value),
        key=stored.key,
        namespace=store_namespaces.decode(stored.namespace),
        created_at=datetime.fromisoformat(stored.created_at),
        updated_at=datetime.fromisoformat(stored.updated_at),
    )


def _search_item(stored: StoredItem) -> SearchItem:
    item = _item(stored)
    # D1 returns a whole number as an integer.
    score = None if stored.score is None else float(stored.score)
    return SearchItem(item.namespace, item.key, item.value, item.created_at, item.updated_at, score)
