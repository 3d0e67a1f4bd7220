"""Semantic search, with embeddings that count letters: similar words have similar vectors."""

import re
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langgraph.store.base import ensure_embeddings
from langgraph.store.memory import InMemoryStore

from project_config.sections import StoreIndex
from store import vectors
from store.d1_store import D1Store
from store.vectors import Vectors
from tests.support.sqlite_database import SqliteDatabase

WORDS = ("hello", "world", "moon", "tea", "cats")


class Embedder:
    """Counts known words; notes what it was asked."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    async def __call__(self, texts: Sequence[str]) -> list[list[float]]:
        self.asked.append(list(texts))
        return [[float(len(re.findall(word, text))) for word in WORDS] for text in texts]


@pytest.fixture
def embedder() -> Embedder:
    return Embedder()


@pytest.fixture
def database() -> SqliteDatabase:
    return SqliteDatabase()


def opened(database: SqliteDatabase, embedder: Embedder, *fields: str) -> D1Store:
    index = StoreIndex(dims=len(WORDS), embed="…", fields=fields or ("$",))
    return D1Store(database, index=Vectors(database, index, lambda: ensure_embeddings(embedder)))


async def found(store: D1Store, query: str, **more: Any) -> list[tuple[str, float | None]]:
    items = await store.asearch((), query=query, **more)
    return [(item.key, None if item.score is None else round(item.score, 4)) for item in items]


async def test_the_most_similar_come_first_and_what_is_not_embedded_last(
    database: SqliteDatabase, embedder: Embedder
) -> None:
    store = opened(database, embedder, "text")
    await store.aput(("a",), "k1", {"text": "hello world moon"})
    await store.aput(("a",), "k2", {"text": "goodbye moon"}, index=False)
    await store.aput(("b",), "k3", {"text": "hello there", "more": "tea"})
    await store.aput(("b",), "k4", {"no": "text"})
    await store.aput(("b",), "k5", {"text": "tea"})
    expected = [("k3", 1.0), ("k1", 0.5774), ("k5", 0.0), ("k4", None), ("k2", None)]
    assert await found(store, "hello") == expected
    assert await found(store, "hello", limit=2, offset=1) == expected[1:3]
    assert await found(store, "hello", limit=2, offset=3) == expected[3:]
    assert await found(store, "hello", filter={"text": "tea"}) == [("k5", 0.0)]
    assert [item.key for item in await store.asearch(("a",), query="hello")] == ["k1", "k2"]


async def test_an_items_best_text_counts_and_is_replaced_with_it(database: SqliteDatabase, embedder: Embedder) -> None:
    store = opened(database, embedder)
    await store.aput(("a",), "k", {"notes": ["tea", "cats cats", "moon"]}, index=["notes[*]"])
    assert await found(store, "cats") == [("k", 1.0)]
    assert embedder.asked == [["tea", "cats cats", "moon"], ["cats"]]
    await store.aput(("a",), "k", {"notes": ["tea"]}, index=["notes[*]"])
    assert await found(store, "cats") == [("k", 0.0)]
    await store.aput(("a",), "k", {"notes": ["cats"]}, index=False)
    assert await found(store, "cats") == [("k", None)]
    await store.adelete(("a",), "k")
    assert database.connection.execute("SELECT COUNT(*) FROM store_vectors").fetchone()[0] == 0


async def test_a_search_reads_a_bounded_number_of_vectors_in_pages(
    database: SqliteDatabase, embedder: Embedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vectors, "MAX_COMPARED", 7)
    monkeypatch.setattr(vectors, "PAGE_CHARS", len(WORDS) * 6 * 3)
    store = opened(database, embedder)
    for number in range(9):
        await store.aput(("a",), str(number), {"text": "tea"})
    before = database.round_trips
    compared = [key for key, score in await found(store, "tea", limit=100) if score is not None]
    assert sorted(compared) == [str(number) for number in range(2, 9)]
    assert database.round_trips - before == 4


async def test_vectors_of_the_wrong_size_are_refused(database: SqliteDatabase) -> None:
    async def embed(texts: Sequence[str]) -> list[list[float]]:
        return [[1.0, 2.0] for _ in texts]

    store = opened(database, embed)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"store.index.dims is 5, but an embedding has 2 dimensions"):
        await store.aput(("a",), "k", {"text": "tea"})
    assert await store.aget(("a",), "k") is None


async def test_many_texts_of_one_item_are_stored_in_parts(
    database: SqliteDatabase, embedder: Embedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vectors.store_items, "_STATEMENT_CHARS", 100)
    store = opened(database, embedder)
    await store.aput(("a",), "k", {"notes": [f"{word} {n}" for n in range(4) for word in WORDS]}, index=["notes[*]"])
    assert database.connection.execute("SELECT COUNT(*) FROM store_vectors").fetchone()[0] == 20
    assert await found(store, "moon") == [("k", 1.0)]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(st.sampled_from(WORDS), min_size=1, max_size=3).map(" ".join), max_size=6), st.integers(1, 4))
async def test_it_ranks_as_the_in_memory_store(texts: list[str], limit: int) -> None:
    embed = Embedder()
    store = opened(SqliteDatabase(), embed)
    theirs = InMemoryStore(index={"dims": len(WORDS), "embed": embed})
    for number, text in enumerate(texts):
        for each in (store, theirs):
            await each.aput(("a",), str(number), {"text": text})
    for query in WORDS:
        mine = await store.asearch(("a",), query=query, limit=limit)
        other = await theirs.asearch(("a",), query=query, limit=limit)
        assert [item.score for item in mine] == pytest.approx([item.score for item in other], abs=1e-6)
