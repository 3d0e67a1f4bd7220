"""The store on real D1: its SQL, full-text search, vectors, and synchronous calls."""

import asyncio

from langgraph.store.base import ensure_embeddings
from langgraph.store.memory import InMemoryStore

from project_config.sections import StoreIndex
from store.d1_store import D1Store
from store.vectors import Vectors

FACTS = {
    "tea": {"text": "Ada likes jasmine tea", "n": 1},
    "cats": {"text": "Ada has two cats", "n": 2.5, "deep": {"a": ["ünï", None, True]}},
    "tokyo": {"text": "彼女は東京都に住んでいます", "n": 3},
    "odd": {'"quoted"': "it's", "n": "4"},
}


async def test_items_namespaces_and_filters_are_those_of_the_in_memory_store(database):
    ours, theirs = D1Store(database), InMemoryStore()
    for root in ("items", 'odd "label"'):
        for key, value in FACTS.items():
            for store in (ours, theirs):
                await store.aput((root, key), key, value)
                await store.aput((root, key, "deeper"), key, value)
    await ours.adelete(("items", "odd"), "odd")
    await theirs.adelete(("items", "odd"), "odd")
    for wanted in (None, {"n": 1}, {"n": 2.5}, {"deep": {"a": ["ünï", None, True]}}, {"text": "x"}):
        mine = await ours.asearch(("items",), filter=wanted, limit=100)
        other = await theirs.asearch(("items",), filter=wanted, limit=100)
        assert sorted((i.namespace, i.key, str(i.value)) for i in mine) == sorted(
            (i.namespace, i.key, str(i.value)) for i in other
        ), wanted
    assert [i.key for i in await ours.asearch(("items",), filter={"n": {"$gt": 2, "$lt": 3}}, limit=1)] == ["cats"]
    theirs._data.pop(("items", "odd"))
    for wanted in ({}, {"prefix": ("*", "tea")}, {"suffix": ("deeper",)}, {"max_depth": 1}, {"prefix": ("odd",)}):
        mine = await ours.alist_namespaces(**wanted)
        assert sorted(mine) == await theirs.alist_namespaces(**wanted), wanted


async def test_words_are_found_and_ranked(database):
    store = D1Store(database)
    for key, value in FACTS.items():
        await store.aput(("words", "ada"), key, value)
        await store.aput(("words", "bob"), key, value)
    for query, keys in {"cat": ["cats"], "東京": ["tokyo"], 'tea" OR *(': ["tea"], "": [], "'": []}.items():
        found = await store.asearch(("words", "ada"), query=query)
        assert [item.key for item in found if item.score] == keys, query
        assert len(found) == 4


async def test_meanings_are_compared(database):
    async def embed(texts):
        return [[float(text.count("tea")), float(text.count("cats"))] for text in texts]

    index = StoreIndex(dims=2, embed="…", fields=("text",))
    store = D1Store(database, index=Vectors(database, index, lambda: ensure_embeddings(embed)))
    for key, value in FACTS.items():
        await store.aput(("vectors",), key, value)
    found = await store.asearch(("vectors",), query="tea")
    assert [(item.key, item.score) for item in found[:1]] == [("tea", 1.0)]
    assert [item.score for item in found[1:]] == [0.0, 0.0, None]


async def test_synchronous_calls_wait_beside_each_other(database):
    store = D1Store(database)

    async def node(number):
        await asyncio.sleep(0)
        store.put(("sync",), str(number), {"n": number})
        item = store.get(("sync",), str(number))
        await asyncio.sleep(0)
        return item.value["n"]

    assert await asyncio.gather(*(node(number) for number in range(8))) == list(range(8))
    assert len(store.search(("sync",), limit=100)) == 8
