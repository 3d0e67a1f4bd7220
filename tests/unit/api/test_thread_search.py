"""Searching threads over HTTP."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import clock
from compact_json import compact_json
from errors import Unprocessable
from http_messages import HttpResponse
from runs import completion
from tables import run_claims, thread_search, threads, values_outline
from tables.access import EVERYTHING, Access
from tables.large_text import PART_BYTES
from tables.run_history import Stamp
from tables.thread_search import Search
from tests.support.endings import ending
from tests.support.http_api import Api
from tests.support.sqlite_database import SqliteDatabase
from wire import extract_paths
from wire.extract_paths import ExtractPath

UNKNOWN = "0b4211ba-46f4-4cdb-830a-6ba6412ee448"


@pytest.fixture
def api() -> Api:
    return Api()


async def search(api: Api, **body: Any) -> list[str]:
    """The ids of the threads found."""
    return [thread["thread_id"] for thread in await api.json("POST", "/threads/search", body)]


async def test_search_by_metadata_is_containment(api: Api) -> None:
    a = await api.new_thread(metadata={"n": {"a": 1, "b": [1, 2]}, "t": True, "z": None, "s": "é", "o": {}})
    await api.new_thread(metadata={"n": {"a": 2}, "t": 1, "s": "e"})
    for wanted in (
        {"n": {"a": 1}},
        {"n": {"b": [1, 2]}},
        {"t": True},
        {"z": None},
        {"s": "é"},
        {"o": {}},
        {"n": {"a": 1}, "t": True},
    ):
        assert await search(api, metadata=wanted) == [a], wanted
        assert await api.json("POST", "/threads/count", {"metadata": wanted}) == 1
    for wanted in ({"n": {"b": [1]}}, {"n": {"a": "1"}}, {"t": "true"}, {"missing": None}, {"n": 1}, {"s": {"x": 1}}):
        assert await search(api, metadata=wanted) == [], wanted
    assert len(await search(api, metadata={})) == 2


async def test_search_by_values_status_and_ids(api: Api) -> None:
    a, b = await api.new_thread(), await api.new_thread()
    api.db.connection.execute(
        "UPDATE threads SET values_json = ?, status = 'interrupted' WHERE thread_id = ?",
        ('{"topic":"aa","messages":["x","y"]}', a),
    )
    assert await search(api, values={"topic": "aa"}) == [a]
    assert await search(api, values={"messages": ["x"]}) == []
    assert await search(api, values={"nope": 1}) == []
    assert await search(api, status="interrupted") == [a]
    assert await search(api, status="idle") == [b]
    assert await search(api, ids=[b, UNKNOWN]) == [b]
    assert (
        await api.json("POST", "/threads/count", {"values": {"topic": "aa"}, "status": "interrupted", "ids": [a]}) == 1
    )


async def test_search_pages_by_last_update_and_says_whether_there_is_more(api: Api) -> None:
    ids = [await api.new_thread() for _ in range(3)]
    await api.json("PATCH", f"/threads/{ids[0]}", {"metadata": {}})
    newest_first = [ids[0], ids[2], ids[1]]
    assert await search(api) == newest_first
    assert await search(api, sort_by="created_at", sort_order="asc") == ids
    for offset, limit, headers in (
        (0, 2, {"x-pagination-total": "3", "x-pagination-next": "2"}),
        (2, 2, {"x-pagination-total": "3"}),
        (1, 2, {"x-pagination-total": "3"}),
        (9, 2, {"x-pagination-total": "9"}),
    ):
        answer = await api.ask("POST", "/threads/search", {"limit": limit, "offset": offset, "select": ["thread_id"]})
        assert isinstance(answer, HttpResponse)
        assert {name: value for name, value in answer.headers.items() if name.startswith("x-p")} == headers
        expected = [f'{{"thread_id":"{thread_id}"}}' for thread_id in newest_first[offset : offset + limit]]
        assert answer.body == f"[{','.join(expected)}]"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"limit": 0}, "limit"),
        ({"limit": 1001}, "limit"),
        ({"limit": "10"}, "limit"),
        ({"offset": -1}, "offset"),
        ({"offset": 10**30}, "offset"),
        ({"status": "bogus"}, "status"),
        ({"ids": ["abc"]}, "ids.0: Invalid thread ID"),
        ({"sort_by": "metadata"}, "sort_by"),
        ({"sort_order": "DESC; DROP TABLE threads"}, "sort_order"),
        ({"select": ["bogus"]}, "select.0"),
        ({"metadata": {'a"b': 1}}, "A filter's keys may not contain quotes"),
        ({"metadata": {"a": {"\\": 1}}}, "A filter's keys may not contain quotes"),
        ({"metadata": {str(n): n for n in range(21)}}, "A filter may compare at most 20 values, not 21"),
        ({"values": {str(n): n for n in range(21)}}, "A filter may compare at most 20 values, not 21"),
        ({"extract": {"x": "bogus.path"}}, "Extract path 'bogus.path' must start with one of: config, interrupts"),
        ({"extract": {"x": "values[a]"}}, "Extract path 'values[a]' cannot be read from '[a]' on"),
        ({"extract": {"x": 1}}, "extract.x"),
        ({"extract": {str(n): "values" for n in range(11)}}, "extract"),
    ],
)
async def test_a_search_that_cannot_be_done_is_refused(api: Api, body: dict[str, Any], says: str) -> None:
    assert (await api.detail("POST", "/threads/search", body, status=422)).startswith(says)


@pytest.mark.parametrize("key", ["", "a.b", "$", "[0]", "#", "a'b", "é", "0", "a]b", "%", "\ufffd"])
async def test_any_printable_key_can_be_searched_for(api: Api, key: str) -> None:
    thread_id = await api.new_thread(metadata={key: {key: "v"}})
    await api.new_thread()
    assert await search(api, metadata={key: {key: "v"}}) == [thread_id]


async def finish_with(api: Api, values: str) -> str:
    """The id of a thread whose run ended with these values."""
    thread_id = await api.new_thread()
    await api.json("POST", f"/threads/{thread_id}/runs", {"assistant_id": "sequence"}, status=202)
    run = (await run_claims.claim_oldest_pending(api.db, thread_id, Stamp(clock.now_iso(), "test"))).claimed
    assert run
    ended = ending(status="success", has_next=False, values=values)
    assert await completion.finish(api.db, run, ended, Stamp(clock.now_iso(), "test"))
    return thread_id


async def test_extract_follows_paths_into_a_thread(api: Api) -> None:
    thread_id = await finish_with(
        api, '{"topic":"z","messages":[{"content":"a"},{"content":"b"}],"n":9007199254740993}'
    )
    paths = {
        "t": "values.topic",
        "first": "values.messages[0].content",
        "last": "values.messages[-1]",
        "beyond": "values.messages[2]",
        "g": "metadata.graph_id",
        "n": "values.n",
        "c": "config",
        "i": "interrupts.x",
        "nope": "values.zzz",
        "no_list": "values.topic[0]",
    }
    [thread] = await api.json("POST", "/threads/search", {"extract": paths, "select": ["thread_id"]})
    assert thread == {
        "thread_id": thread_id,
        "extracted": {
            "t": "z",
            "first": "a",
            "last": {"content": "b"},
            "beyond": None,
            "g": "sequence",
            "n": 9007199254740993,
            "c": {"configurable": {}},
            "i": None,
            "nope": None,
            "no_list": None,
        },
    }
    whole = await api.json("POST", "/threads/search", {"extract": {"t": "values.topic"}})
    assert whole == [await api.json("GET", f"/threads/{thread_id}") | {"extracted": {"t": "z"}}]


async def test_extract_of_a_thread_without_values_is_null(api: Api) -> None:
    await api.new_thread()
    [thread] = await api.json("POST", "/threads/search", {"extract": {"v": "values", "t": "values.topic"}})
    assert thread["extracted"] == {"v": None, "t": None}


async def test_values_too_large_for_a_row_are_found_by_what_is_small_in_them(api: Api) -> None:
    document = "x" * (PART_BYTES + 1)
    values = {"topic": "aa", "document": document, "deep": {"n": [1], "document": document}, "lost": {"d": document}}
    thread_id = await finish_with(api, json.dumps(values))
    for wanted in ({"topic": "aa"}, {"deep": {"n": [1]}}, {"topic": "aa", "deep": {"n": [1]}}):
        assert await search(api, values=wanted) == [thread_id], wanted
        assert await api.json("POST", "/threads/count", {"values": wanted}) == 1
    for wanted in ({"topic": "bb"}, {"document": document}, {"lost": {}}, {"lost": None}, {"deep": {"n": [2]}}):
        assert await search(api, values=wanted) == [], list(wanted)
    [thread] = await api.json("POST", "/threads/search", {"extract": {"d": "values.deep.document"}})
    assert (thread["values"], thread["extracted"]) == (values, {"d": document})
    assert (await api.json("GET", f"/threads/{thread_id}"))["values"] == values


def test_an_outline_has_room_for_what_comes_first() -> None:
    many = {f"k{number}": "v" * 500 for number in range(10_000)}
    kept = json.loads(values_outline.outline(json.dumps(many)) or "")
    assert 0 < len(kept) < len(many)
    assert list(kept) == list(many)[: len(kept)]
    assert values_outline.outline("[1,2]") is None


@pytest.mark.parametrize("sort_by", ["updated_at", "created_at", "state_updated_at", "status", "thread_id"])
@pytest.mark.parametrize("sort_order", ["asc", "desc"])
async def test_every_order_is_total_and_can_be_paged(api: Api, sort_by: str, sort_order: str) -> None:
    ids = [await api.new_thread(metadata={"n": number % 2}) for number in range(6)]
    api.db.connection.execute("UPDATE threads SET created_at = 'x', updated_at = 'y', state_updated_at = 'z'")
    whole = await search(api, sort_by=sort_by, sort_order=sort_order)
    assert whole == sorted(ids, reverse=sort_order == "desc")
    paged = [
        thread_id
        for offset in range(0, 6, 2)
        for thread_id in await search(api, sort_by=sort_by, sort_order=sort_order, limit=2, offset=offset)
    ]
    assert paged == whole


@pytest.mark.parametrize("sort_by", ["updated_at", "created_at", "state_updated_at", "status", "thread_id"])
async def test_which_threads_are_on_a_page_is_decided_in_the_index_alone(api: Api, sort_by: str) -> None:
    """The rows themselves may be megabytes each."""
    access = Access(equals={"owner": "me"}, contains={"tags": ("a",)})
    wanted = Search(metadata={"a": {"b": 1}}, values={}, ids=(), status="idle", access=access)
    source, params = wanted.source()
    page = f"SELECT thread_id FROM {source} ORDER BY {sort_by} DESC, thread_id DESC LIMIT 10"
    plan = [row["detail"] for row in api.db.connection.execute(f"EXPLAIN QUERY PLAN {page}", params)]
    assert plan[0] == "SCAN listed USING COVERING INDEX threads_search"
    assert any("TEMP B-TREE" in step for step in plan) == (sort_by != "updated_at")
    some = Search(metadata={}, values={}, ids=(UNKNOWN,), status=None, access=access)
    source, params = some.source()
    plan = [row["detail"] for row in api.db.connection.execute(f"EXPLAIN QUERY PLAN SELECT 1 FROM {source}", params)]
    assert plan[0] == "SEARCH listed USING PRIMARY KEY (thread_id=?)"


async def test_a_page_takes_one_round_trip_and_one_more_for_large_values(api: Api) -> None:
    for _ in range(3):
        await finish_with(api, json.dumps({"document": "x" * (PART_BYTES + 1)}))
    before = api.db.round_trips
    await search(api, select=["thread_id"])
    assert api.db.round_trips == before + 1
    await search(api)
    assert api.db.round_trips == before + 3


#: Small enough that wrong answers meet right ones often.
TEXTS = st.sampled_from(["", "a", "1", "true", 'q"', "\\", "é", "😀", "\n"])
KEYS = st.sampled_from(["a", "b", "a b", "é", "0", "", "a'b", "a]b"])
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(0, 2)
    | st.sampled_from(["", "a", "1", "true", 'q"', "\\", "é", "😀", "\n"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=6,
)
OBJECTS = st.dictionaries(KEYS, JSON, max_size=3)


def contains(actual: Any, wanted: Any) -> bool:
    """What a filter means: an object with members is contained member by member, everything else is equal."""
    if isinstance(wanted, dict) and wanted:
        return isinstance(actual, dict) and all(k in actual and contains(actual[k], v) for k, v in wanted.items())
    return compact_json(actual) == compact_json(wanted)


@given(st.lists(OBJECTS, max_size=5), OBJECTS, st.sampled_from(["metadata", "values"]))
@settings(max_examples=200, deadline=None)
async def test_a_filter_finds_exactly_what_contains_it(stored: list[Any], wanted: Any, column: str) -> None:
    db = SqliteDatabase()
    texts = {f"thread {number}": compact_json(each) for number, each in enumerate(stored)}
    for thread_id, text in texts.items():
        row = {"metadata": "{}", "values": "{}", column: text}
        insert = threads.insert(threads.new(thread_id, metadata=row["metadata"], config="{}", now="now"))
        refresh = threads.refresh(thread_id, status="idle", values=row["values"], interrupts="{}", now=clock.now_iso())
        await db.batch([insert, *refresh])
    search = Search(**{"metadata": {}, "values": {}, column: wanted}, ids=(), status=None, access=EVERYTHING)
    found = await thread_search.search(db, search, sort_by="thread_id", sort_order="asc", limit=9, offset=0)
    expected = [f"thread {number}" for number, each in enumerate(stored) if not wanted or contains(each, wanted)]
    assert [thread.thread_id for thread in found] == expected
    assert await thread_search.count(db, search) == len(expected)
    db.close()


STEPS = st.lists(st.text(st.characters(exclude_characters=".[]"), min_size=1) | st.integers(-3, 3), max_size=4)


@given(st.sampled_from(extract_paths.ROOTS), STEPS)
def test_a_path_is_read_as_it_is_written(root: str, steps: list[str | int]) -> None:
    text = root + "".join(f".{step}" if isinstance(step, str) else f"[{step}]" for step in steps)
    assert ExtractPath.parse(text) == ExtractPath(root, tuple(steps))


@given(st.text())
def test_any_text_is_a_path_or_is_refused(text: str) -> None:
    for path in (text, f"values{text}", f"values.{text}", f"values[{text}"):
        with contextlib.suppress(Unprocessable):
            ExtractPath.parse(path).follow({"a": [1]})


@given(JSON, STEPS)
def test_a_path_leads_where_its_steps_lead_one_by_one(value: Any, steps: list[str | int]) -> None:
    expected = value
    for step in steps:
        try:
            expected = expected[step] if isinstance(expected, dict if isinstance(step, str) else list) else None
        except (KeyError, IndexError):
            expected = None
    assert ExtractPath("values", tuple(steps)).follow(value) == expected
