"""Semantic search: the texts of items as embeddings in D1, compared with the query's in Python.

D1 has no vector index, so a search reads the vectors of its subtree, the last written first. That is exact and needs no
other service, but it is bounded: items written before the last `MAX_COMPARED` follow without a score, like items that
were never embedded.
"""

import base64
import heapq
import math
import operator
from array import array
from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeAlias

from langchain_core.embeddings import Embeddings
from langgraph.store.base import PutOp, get_text_at_path

from ports import Database
from project_config.sections import StoreIndex
from store.indexes import Entries
from tables import store_items
from tables.store_items import FoundBy, Ranking, Search

MAX_COMPARED: Final = 2000
#: How many characters of vectors one round trip reads, limited by the memory of a Worker.
PAGE_CHARS: Final = 800_000

#: 32 bits for each dimension, in base64.
_CHARS_PER_DIMENSION: Final = 4 * 4 / 3

Vector: TypeAlias = "array[float]"


class Vectors:
    """An `Index` by cosine similarity."""

    def __init__(self, database: Database, index: StoreIndex, make_embeddings: Callable[[], Embeddings]) -> None:
        self._database = database
        self._index = index
        self._make_embeddings = make_embeddings

    async def entries(self, puts: Iterable[PutOp]) -> Entries:
        """See `Index`; embeds all texts in one call."""
        texts = {(op.namespace, op.key): self._texts(op) for op in puts}
        distinct = list(dict.fromkeys(text for item in texts.values() for text in item))
        if not distinct:
            return {}
        embedded = await self._make_embeddings().aembed_documents(distinct)
        vectors = dict(zip(distinct, (_written(self._unit(vector)) for vector in embedded), strict=True))
        return {place: FoundBy(vectors=[vectors[text] for text in item]) for place, item in texts.items()}

    def _texts(self, op: PutOp) -> list[str]:
        if op.value is None or op.index is False:
            return []
        paths = self._index.fields if op.index is None else op.index
        return [text for path in paths for text in get_text_at_path(op.value, path)]

    async def ranking(self, wanted: Search, query: str, count: int) -> Ranking:
        """See `Index`. For an item with several vectors, the most similar one counts."""
        asked = self._unit(await self._make_embeddings().aembed_query(query))
        scores: dict[int, float] = {}
        after: tuple[str, int] | None = None
        page_items = max(1, int(PAGE_CHARS / (self._index.dims * _CHARS_PER_DIMENSION)))
        for compared in range(0, MAX_COMPARED, page_items):
            limit = min(page_items, MAX_COMPARED - compared)
            [rows] = await self._database.batch([store_items.vectors(wanted, after=after, limit=limit)])
            for row in rows:
                score = _dot(asked, _read(row["vector"]))
                scores[row["item_id"]] = max(score, scores.get(row["item_id"], score))
            if len(scores) < compared + limit:
                break
            after = (rows[-1]["updated_at"], rows[-1]["item_id"])
        return "scores", dict(heapq.nlargest(count, scores.items(), key=operator.itemgetter(1)))

    def _unit(self, vector: Sequence[float]) -> Vector:
        """The vector of length 1 in the same direction; the dot product of such vectors is their cosine."""
        if len(vector) != self._index.dims:
            raise ValueError(f"store.index.dims is {self._index.dims}, but an embedding has {len(vector)} dimensions")
        length = math.hypot(*vector)
        return array("f", (component / length for component in vector) if length else vector)


def _dot(left: Vector, right: Vector) -> float:
    return sum(map(operator.mul, left, right))


def _written(vector: Vector) -> str:
    return base64.b64encode(vector.tobytes()).decode()


def _read(text: str) -> Vector:
    return array("f", base64.b64decode(text))
