"""The store over HTTP."""

from typing import Any

import pytest

from tests.support.http_api import Api


@pytest.fixture
def api() -> Api:
    return Api()


async def put(api: Api, namespace: list[str], key: str, value: Any, **more: Any) -> None:
    await api.json("PUT", "/store/items", {"namespace": namespace, "key": key, "value": value, **more}, status=204)


async def found(api: Api, **search: Any) -> list[str]:
    return [item["key"] for item in (await api.json("POST", "/store/items/search", search))["items"]]


@pytest.fixture
async def filled(api: Api) -> Api:
    """The items of the examples; the last one was written last."""
    await put(api, ["a", "b"], "k1", {"text": "hello world", "n": 1})
    await put(api, ["a", "c"], "k2", {"text": "goodbye moon", "n": 2}, index=False)
    await put(api, ["a", "b"], "k3", {"text": "hello there", "n": 3}, ttl=1, index=["text"])
    await put(api, ["z"], "k", {"o": 1})
    await put(api, ["b"], "", {})
    return api


async def test_an_item_reads_back_as_it_was_put(filled: Api) -> None:
    item = await filled.json("GET", "/store/items?key=k1&namespace=a.b")
    assert item == {
        "namespace": ["a", "b"],
        "key": "k1",
        "value": {"text": "hello world", "n": 1},
        "created_at": item["created_at"],
        "updated_at": item["created_at"],
    }
    assert item["created_at"].endswith("+00:00")


async def test_what_is_not_there_is_null(filled: Api) -> None:
    for query in ("key=nope&namespace=a.b", "key=k1&namespace=a", "key=k1&namespace=a&namespace=b"):
        assert await filled.json("GET", f"/store/items?{query}") is None


async def test_overwriting_keeps_the_time_of_creation(filled: Api) -> None:
    before = await filled.json("GET", "/store/items?key=k1&namespace=a.b")
    await put(filled, ["a", "b"], "k1", {"text": "again"})
    after = await filled.json("GET", "/store/items?key=k1&namespace=a.b")
    assert after["created_at"] == before["created_at"] < after["updated_at"]
    assert after["value"] == {"text": "again"}


async def test_deleting_is_idempotent_and_needs_no_namespace(filled: Api) -> None:
    for body in ({"namespace": ["a", "b"], "key": "k1"}, {"namespace": ["a", "b"], "key": "k1"}, {"key": "k1"}):
        await filled.json("DELETE", "/store/items", body, status=204)
    assert await found(filled, namespace_prefix=["a"]) == ["k3", "k2"]
    assert await found(filled, namespace_prefix=["a"], query="world") == ["k3", "k2"]


async def test_a_search_without_a_query_lists_the_last_written_first(filled: Api) -> None:
    assert await found(filled) == await found(filled, namespace_prefix=[]) == ["", "k", "k3", "k2", "k1"]
    assert await found(filled, namespace_prefix=["a"], limit=1, offset=1) == ["k2"]
    assert await found(filled, namespace_prefix=["a"], limit=0) == ["k3", "k2", "k1"]
    assert await found(filled, namespace_prefix=["nope"]) == []


async def test_a_query_ranks_and_the_rest_follows_without_a_score(filled: Api) -> None:
    answer = await filled.json("POST", "/store/items/search", {"namespace_prefix": ["a"], "query": "Hello, WORLD!"})
    assert [item["key"] for item in answer["items"]] == ["k1", "k3", "k2"]
    first, second, third = (item["score"] for item in answer["items"])
    assert first > second > 0
    assert third is None


@pytest.mark.parametrize(
    ("filter", "keys"),
    [
        ({"n": 2}, ["k2"]),
        ({"n": {"$eq": 3}}, ["k3"]),
        ({"n": {"$ne": 1}}, ["k3", "k2"]),
        ({"n": {"$gt": 1}}, ["k3", "k2"]),
        ({"n": {"$gte": 2, "$lt": 3}}, ["k2"]),
        ({"n": {"$lte": 1.5}}, ["k1"]),
        ({"text": "hello there"}, ["k3"]),
        ({"text": {"$gt": "h"}}, ["k3", "k1"]),
        ({"missing": {"$ne": 1}}, []),
        ({"n": "2"}, []),
        ({}, ["", "k", "k3", "k2", "k1"]),
    ],
)
async def test_a_filter_compares_fields_and_passes_over_items_without_them(
    filled: Api, filter: dict[str, Any], keys: list[str]
) -> None:
    assert await found(filled, filter=filter) == keys


@pytest.mark.parametrize(
    ("body", "namespaces"),
    [
        ({}, [["a", "b"], ["a", "c"], ["b"], ["z"]]),
        ({"prefix": ["a"]}, [["a", "b"], ["a", "c"]]),
        ({"suffix": ["b"]}, [["a", "b"], ["b"]]),
        ({"max_depth": 1}, [["a"], ["b"], ["z"]]),
        ({"limit": 1, "offset": 1}, [["a", "c"]]),
        ({"prefix": ["*", "b"]}, [["a", "b"]]),
        ({"prefix": ["a"], "suffix": ["a", "*"]}, [["a", "b"], ["a", "c"]]),
        ({"prefix": ["a", "b", "c"]}, []),
    ],
)
async def test_namespaces_are_listed(filled: Api, body: dict[str, Any], namespaces: list[list[str]]) -> None:
    assert await filled.json("POST", "/store/namespaces", body) == {"namespaces": namespaces}


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        ({"namespace": ["a.b"], "key": "k", "value": {}}, 422, "Namespace label 'a.b' must be a non-empty string"),
        ({"namespace": ["a", ""], "key": "k", "value": {}}, 422, "Namespace label '' must be a non-empty string"),
        ({"namespace": [], "key": "k", "value": {}}, 400, "Namespace cannot be empty."),
        ({"namespace": ["langgraph"], "key": "k", "value": {}}, 400, 'Root label for namespace cannot be "langgraph"'),
        ({"namespace": ["a"], "key": "k", "value": "text"}, 422, "value: "),
        ({"namespace": ["a"], "value": {}}, 422, '"key" is a required property'),
        ({"namespace": "a", "key": "k", "value": {}}, 422, "namespace: "),
        ({"namespace": ["a"], "key": "k", "value": {}, "ttl": 0}, 422, "ttl: "),
        ({"namespace": ["a"], "key": "k", "value": {}, "index": True}, 422, "index"),
        ({"namespace": ["a"], "key": "k", "value": {"v": "x" * 2_000_000}}, 413, "The value of item 'k'"),
    ],
)
async def test_a_bad_item_is_refused_and_nothing_is_written(
    api: Api, body: dict[str, Any], status: int, reason: str
) -> None:
    assert reason in await api.detail("PUT", "/store/items", body, status=status)
    assert api.rows("store_items") == 0


async def test_reading_needs_a_key_and_a_namespace(api: Api) -> None:
    for query in ("namespace=a.b", "namespace=a.b&key="):
        assert await api.detail("GET", f"/store/items?{query}", status=400) == "Key is required"
    assert "Namespace label ''" in await api.detail("GET", "/store/items?key=k1", status=422)


@pytest.mark.parametrize(
    ("filter", "status", "named"),
    [
        ({"n": {"$in": [1]}}, 400, "$in"),
        ({"n": {"$gt": [1]}}, 400, "$gt"),
        ({'a"b': 1}, 422, 'a"b'),
        ({str(n): n for n in range(21)}, 422, "20"),
    ],
)
async def test_a_bad_filter_is_refused_by_name(api: Api, filter: dict[str, Any], status: int, named: str) -> None:
    assert named in await api.detail("POST", "/store/items/search", {"filter": filter}, status=status)


async def test_hostile_names_are_names(api: Api) -> None:
    label = "'; DROP TABLE store_items; --" + '"]\\%_*\u0001'
    await put(api, [label, "x"], label, {label: label})
    assert await found(api, namespace_prefix=[label], query=label) == [label]
    assert await found(api, namespace_prefix=[label[:-1]]) == []
    assert await api.json("POST", "/store/namespaces", {"prefix": [label], "max_depth": 1}) == {"namespaces": [[label]]}
    assert await api.json("POST", "/store/namespaces", {"suffix": [label, "x"], "max_depth": 100}) == {
        "namespaces": [[label, "x"]]
    }
    many = {"prefix": ["a"] * 41, "suffix": ["b"] * 40}
    assert "80 labels" in await api.detail("POST", "/store/namespaces", many, status=422)
    surrogate = b'{"namespace":["a"],"key":"\\ud800","value":{}}'
    assert await api.detail("PUT", "/store/items", surrogate.decode(), status=422)


async def test_each_operation_is_one_round_trip(filled: Api) -> None:
    for method, path, body in (
        ("PUT", "/store/items", {"namespace": ["a"], "key": "k", "value": {}}),
        ("GET", "/store/items?namespace=a&key=k", None),
        ("POST", "/store/items/search", {"query": "hello", "limit": 2, "offset": 2}),
        ("POST", "/store/namespaces", {}),
        ("DELETE", "/store/items", {"namespace": ["a"], "key": "k"}),
    ):
        before = filled.db.round_trips
        await filled.ask(method, path, body)
        assert filled.db.round_trips == before + 1, (method, path)
