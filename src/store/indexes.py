"""How a search by query finds items: by their words, without any setup, or by embeddings."""

from collections.abc import Iterable, Mapping
from typing import Final, Protocol, TypeAlias

from langgraph.store.base import PutOp

from store import search_text
from tables.store_items import FoundBy, Ranking, Search
from tables.store_namespaces import Namespace

#: For each item to write, the entries by which it is found.
Entries: TypeAlias = Mapping[tuple[Namespace, str], FoundBy]


class Index(Protocol):
    """Makes items findable, and ranks them."""

    async def entries(self, puts: Iterable[PutOp]) -> Entries:
        """The entries of the items to write; empty for items that ask not to be indexed."""
        ...

    async def ranking(self, wanted: Search, query: str, count: int) -> Ranking:
        """The best `count` of the wanted items for a query."""
        ...


class Words:
    """SQLite's full-text search, ranked by BM25."""

    async def entries(self, puts: Iterable[PutOp]) -> Entries:
        """See `Index`."""
        return {
            (op.namespace, op.key): FoundBy(words=search_text.words(op.namespace, op.value, op.index))
            for op in puts
            if op.value is not None and op.index is not False
        }

    async def ranking(self, wanted: Search, query: str, count: int) -> Ranking:  # noqa: ARG002 - the database counts
        """See `Index`."""
        expression = search_text.expression(wanted.prefix, query)
        return ("words", expression) if expression else None


WORDS: Final = Words()
