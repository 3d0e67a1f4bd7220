"""The store as graphs use it, over SQLite; LangGraph's own in-memory store is the oracle."""

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langgraph.store.base import GetOp, InvalidNamespaceError, Op, PutOp, SearchOp
from langgraph.store.memory import InMemoryStore

import clock
from project_config.sections import StoreTtl
from store.d1_store import D1Store
from tables import store_items
from tests.support.sqlite_database import SqliteDatabase

LABELS = st.sampled_from(["a", "b", "ab", "ünï", '"', "\\", "a,b", "]", "%", "*"])
NAMESPACES = st.lists(LABELS, min_size=1, max_size=3).map(tuple)
PATHS = st.lists(LABELS, max_size=3).map(tuple)
KEYS = st.sampled_from(["", "k", "K", "é"])
SCALARS = st.one_of(st.none(), st.integers(-3, 3), st.sampled_from([0.5, 1.5, "", "a", "b"]))
VALUES = st.dictionaries(
    st.sampled_from(["n", "m", "o p"]),
    st.one_of(SCALARS, st.lists(SCALARS, max_size=2), st.dictionaries(st.just("n"), SCALARS, min_size=1)),
    max_size=3,
)
FILTERS = st.dictionaries(
    st.sampled_from(["n", "m", "o p"]),
    st.one_of(
        SCALARS.filter(lambda value: value is not None),
        st.dictionaries(st.just("n"), SCALARS.filter(lambda value: value is not None), min_size=1),
        st.lists(SCALARS, max_size=2),
        st.fixed_dictionaries({"$eq": st.integers(-3, 3)}),
    ),
    max_size=2,
)
COUNTS = st.integers(0, 4)
OPS = st.lists(
    st.one_of(
        st.tuples(NAMESPACES, KEYS, VALUES | st.none()).map(lambda fields: PutOp(*fields)),
        st.tuples(NAMESPACES, KEYS, VALUES).map(lambda fields: PutOp(*fields)),
        st.tuples(NAMESPACES, KEYS).map(lambda fields: GetOp(*fields)),
        st.tuples(PATHS, FILTERS | st.none(), st.just(1000)).map(lambda fields: SearchOp(*fields)),
    ),
    max_size=12,
)


def comparable(op: Op, result: Any) -> Any:
    if isinstance(op, SearchOp):
        return sorted((item.namespace, item.key, str(item.value), item.score) for item in result)
    if isinstance(op, GetOp):
        return result and (result.namespace, result.key, result.value)
    return result


@settings(max_examples=100, deadline=None)
@given(st.lists(OPS, max_size=4))
def test_it_answers_as_the_in_memory_store(batches: list[list[Op]]) -> None:
    ours, theirs = D1Store(SqliteDatabase()), InMemoryStore()
    for batch in batches:
        mine, other = asyncio.run(ours.abatch(batch)), theirs.batch(batch)
        for op, my_result, other_result in zip(batch, mine, other, strict=True):
            assert comparable(op, my_result) == comparable(op, other_result), op


@settings(max_examples=50, deadline=None)
@given(st.lists(NAMESPACES, max_size=8), PATHS, PATHS, st.integers(1, 3) | st.none(), COUNTS, COUNTS)
def test_pages_of_namespaces_are_cut_from_one_sorted_list(
    present: list[tuple[str, ...]],
    prefix: tuple[str, ...],
    suffix: tuple[str, ...],
    max_depth: int | None,
    limit: int,
    offset: int,
) -> None:
    async def check() -> None:
        store, theirs = D1Store(SqliteDatabase()), InMemoryStore()
        for namespace in present:
            await store.aput(namespace, "k", {})
            theirs.put(namespace, "k", {})
        wanted: dict[str, Any] = {"prefix": prefix, "suffix": suffix, "max_depth": max_depth}
        everything = await store.alist_namespaces(**wanted, limit=1000)
        assert sorted(everything) == theirs.list_namespaces(**wanted, limit=1000)
        page = await store.alist_namespaces(**wanted, limit=limit, offset=offset)
        assert page == everything[offset : offset + limit]

    asyncio.run(check())


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=40), st.text(max_size=40))
def test_no_text_is_a_syntax_error(text: str, query: str) -> None:
    async def check() -> None:
        store = D1Store(SqliteDatabase())
        await store.aput(("a",), "k", {"text": text.encode(errors="replace").decode()})
        [item] = await store.asearch(("a",), query=query)
        assert item.key == "k"

    asyncio.run(check())


@pytest.fixture
def database() -> SqliteDatabase:
    return SqliteDatabase()


@pytest.fixture
def store(database: SqliteDatabase) -> D1Store:
    return D1Store(database)


class Watch:
    """The clock, as a test sets it."""

    def __init__(self) -> None:
        self.now = "2026-11-21T04:00:00.000000+00:00"

    def forward(self, minutes: float) -> None:
        self.now = clock.shifted(self.now, minutes * 60)


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Watch:
    watch = Watch()
    monkeypatch.setattr(clock, "now_iso", lambda: watch.now)
    return watch


async def ranked(store: D1Store, prefix: tuple[str, ...], query: str) -> list[str]:
    return [item.key for item in await store.asearch(prefix, query=query) if item.score is not None]


async def test_a_query_finds_words_in_any_form_and_ranks_by_how_many(store: D1Store) -> None:
    await store.aput(("m",), "cats", {"text": "Ada has two cats", "kind": "pet"})
    await store.aput(("m",), "cafe", {"note": {"deep": ["meets at the Café", 42]}})
    await store.aput(("m",), "other", {"text": "nothing of the sort"})
    assert await ranked(store, ("m",), "which CAT?") == ["cats"]
    assert await ranked(store, ("m",), "cafe") == ["cafe"]
    assert await ranked(store, ("m",), "42 cats") == ["cafe", "cats"]
    assert await ranked(store, ("m",), "kind") == []


async def test_a_query_finds_words_that_no_spaces_part(store: D1Store) -> None:
    await store.aput(("m",), "tokyo", {"text": "彼女は東京都に住んでいます"})
    await store.aput(("m",), "kyoto", {"text": "京都に行きました"})
    assert await ranked(store, ("m",), "東京") == ["tokyo"]
    assert set(await ranked(store, ("m",), "京都")) == {"tokyo", "kyoto"}


async def test_a_query_searches_its_subtree_only(store: D1Store) -> None:
    for user in ("ada", "bob", "ada-2"):
        await store.aput(("m", user), user, {"text": "likes tea"})
    assert await ranked(store, ("m", "ada"), "tea") == ["ada"]
    assert len(await ranked(store, ("m",), "tea")) == 3
    assert await ranked(store, ("m", "ad"), "tea") == []


async def test_an_item_is_found_by_what_it_says_now(store: D1Store) -> None:
    await store.aput(("m",), "k", {"text": "tea"})
    await store.aput(("m",), "k", {"text": "coffee", "more": "cake"}, index=["text"])
    assert await ranked(store, ("m",), "tea cake") == []
    assert await ranked(store, ("m",), "coffee") == ["k"]
    await store.aput(("m",), "k", {"text": "coffee"}, index=False)
    assert await ranked(store, ("m",), "coffee") == []
    await store.adelete(("m",), "k")
    assert await store.asearch(("m",), query="coffee") == []


async def test_an_item_lives_as_long_as_it_is_read(store: D1Store, watch: Watch) -> None:
    await store.aput(("m",), "k", {}, ttl=10)
    for read in (store.aget(("m",), "k"), store.asearch(("m",)), store.aget(("m",), "k")):
        watch.forward(9)
        assert await read
    watch.forward(9)
    assert await store.aget(("m",), "k", refresh_ttl=False)
    watch.forward(1)
    assert await store.aget(("m",), "k") is None
    assert await store.asearch(()) == []
    assert await store.alist_namespaces() == []


async def test_what_expired_does_not_come_back(store: D1Store, watch: Watch) -> None:
    await store.aput(("m",), "k", {"v": 1}, ttl=10)
    created = watch.now
    watch.forward(5)
    await store.aput(("m",), "k", {"v": 2}, ttl=10)
    item = await store.aget(("m",), "k")
    assert item is not None
    assert item.created_at.isoformat(timespec="microseconds") == created
    watch.forward(10)
    await store.aput(("m",), "k", {"v": 3})
    item = await store.aget(("m",), "k")
    assert item is not None
    assert item.created_at.isoformat(timespec="microseconds") == watch.now
    watch.forward(10**9)
    assert await store.aget(("m",), "k")


async def test_the_projects_time_to_live_is_the_default(database: SqliteDatabase, watch: Watch) -> None:
    store = D1Store(database, ttl=StoreTtl(default_ttl=10, refresh_on_read=False))
    await store.aput(("m",), "default", {})
    await store.aput(("m",), "longer", {}, ttl=20)
    await store.aput(("m",), "forever", {}, ttl=None)
    watch.forward(9)
    assert len(await store.asearch(())) == 3
    watch.forward(1)
    assert {item.key for item in await store.asearch(())} == {"longer", "forever"}


async def test_reading_an_item_without_a_time_to_live_writes_nothing(store: D1Store, database: SqliteDatabase) -> None:
    await store.aput(("m",), "k", {"text": "tea"})
    before = database.rows_written
    await store.aget(("m",), "k")
    await store.asearch(("m",), query="tea")
    assert database.rows_written == before


async def test_the_sweep_takes_a_bounded_number_with_all_that_finds_them(
    store: D1Store, database: SqliteDatabase, watch: Watch
) -> None:
    for number in range(5):
        await store.aput(("m",), str(number), {"text": "tea"}, ttl=number + 1)
    await store.aput(("m",), "kept", {"text": "tea"})
    watch.forward(4)
    swept = [await store_items.delete_expired(database, now=watch.now, limit=3) for _ in range(3)]
    assert swept == [3, 1, 0]
    left = database.connection.execute("SELECT COUNT(*) FROM store_texts WHERE store_texts MATCH 'tea'").fetchone()
    assert left[0] == 2


async def test_the_reads_of_a_batch_see_what_was_there_before_its_writes(
    store: D1Store, database: SqliteDatabase
) -> None:
    await store.aput(("m",), "k", {"v": 1})
    before = database.round_trips
    results = await store.abatch(
        [PutOp(("m",), "k", {"v": 2}), GetOp(("m",), "k"), PutOp(("m",), "k", {"v": 3}), SearchOp(("m",))]
    )
    assert database.round_trips == before + 1
    assert [results[0], results[2]] == [None, None]
    assert results[1].value == results[3][0].value == {"v": 1}  # type: ignore[union-attr, index]
    item = await store.aget(("m",), "k")
    assert item is not None
    assert item.value == {"v": 3}
    assert await store.abatch([]) == []


async def test_a_batch_that_fails_writes_nothing(store: D1Store, database: SqliteDatabase) -> None:
    before = database.rows_written
    with pytest.raises(InvalidNamespaceError):
        await store.abatch([PutOp(("m",), "k", {}), PutOp(("m.n",), "k", {})])
    with pytest.raises(TypeError):
        await store.abatch([PutOp(("m",), "k", {}), PutOp(("m",), "l", {"not json": object()})])
    assert database.rows_written == before


def test_where_nothing_can_wait_a_synchronous_call_says_so(store: D1Store) -> None:
    with pytest.raises(NotImplementedError, match="asynchronous"):
        store.get(("m",), "k")
