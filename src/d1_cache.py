"""The node cache of graphs without a cache of their own: results of nodes with a `CachePolicy`, in D1, for all threads.

It is in D1 because the memory of an isolate lives too briefly for hits. An entry is a hint: if the database does not
answer, that is a miss and never an error of a run.
"""

import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Final, TypeAlias, TypeVar

from langgraph.cache.base import BaseCache, FullKey, Namespace
from langgraph.checkpoint.serde.base import SerializerProtocol

import clock
from compact_json import compact_json
from errors import DatabaseError
from ports import Database
from tables import node_cache

logger = logging.getLogger(__name__)

T = TypeVar("T")

#: How long results are kept if the node's policy names no time to live.
DEFAULT_TTL_SECONDS: Final = 30 * 24 * 3600
#: Longer values are not cached: a row takes 2 MB, and a value is sent as text of twice its length.
MAX_VALUE_BYTES: Final = 900_000


#: Opens the cache for a graph, whose serializer knows the classes that its values may have.
OpenCache: TypeAlias = Callable[[SerializerProtocol], BaseCache[Any]]


class D1Cache(BaseCache[Any]):
    """LangGraph's `BaseCache` over `ports.Database`; `release` names the code whose results these are."""

    def __init__(self, database: Database, release: str, serde: SerializerProtocol) -> None:
        super().__init__(serde=serde)
        self._database = database
        self._release = release

    async def aget(self, keys: Sequence[FullKey]) -> dict[FullKey, Any]:
        """The values that exist; one round trip."""
        wanted = [(_text(namespace), key) for namespace, key in keys]
        statement = node_cache.select(self._release, wanted, now_ms=clock.now_ms())
        try:
            [rows] = await self._database.batch([statement])
        except DatabaseError as error:
            logger.warning("the node cache could not be read: its nodes run", exc_info=error)
            return {}
        return {
            keys[row["position"]]: self.serde.loads_typed((row["type"], bytes.fromhex(row["value"]))) for row in rows
        }

    async def aset(self, pairs: Mapping[FullKey, tuple[Any, int | None]]) -> None:
        """Store values with their times to live in seconds; one round trip."""
        statements = [
            node_cache.put(self._release, (_text(namespace), key), kind, value, expires_at_ms=_expiry_ms(ttl))
            for (namespace, key), (writes, ttl) in pairs.items()
            for kind, value in [self.serde.dumps_typed(writes)]
            if len(value) <= MAX_VALUE_BYTES
        ]
        try:
            if statements:
                await self._database.batch(statements)
        except DatabaseError as error:
            logger.warning("the node cache could not be written: its nodes will run again", exc_info=error)

    async def aclear(self, namespaces: Sequence[Namespace] | None = None) -> None:
        """Delete the values of these namespaces, or all of this release."""
        texts = [None] if namespaces is None else [_text(namespace) for namespace in namespaces]
        if texts:
            await self._database.batch([node_cache.delete(self._release, text) for text in texts])

    def get(self, keys: Sequence[FullKey]) -> dict[FullKey, Any]:
        """See `aget`."""
        return self._wait(self.aget(keys))

    def set(self, pairs: Mapping[FullKey, tuple[Any, int | None]]) -> None:
        """See `aset`."""
        self._wait(self.aset(pairs))

    def clear(self, namespaces: Sequence[Namespace] | None = None) -> None:
        """See `aclear`."""
        self._wait(self.aclear(namespaces))

    def _wait(self, call: Coroutine[Any, Any, T]) -> T:
        return self._database.wait(call)


def _text(namespace: Namespace) -> str:
    return compact_json(list(namespace))


def _expiry_ms(ttl: int | None) -> int:
    return clock.now_ms() + (DEFAULT_TTL_SECONDS if ttl is None else ttl) * 1000
