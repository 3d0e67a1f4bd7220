"""Threads over HTTP."""

from collections.abc import Sequence

import pytest

from errors import Unavailable
from http_messages import HttpResponse
from ports import Row, Statement
from tests.support.http_api import Api

UNKNOWN = "0b4211ba-46f4-4cdb-830a-6ba6412ee448"


@pytest.fixture
def api() -> Api:
    return Api()


async def test_a_new_thread_is_idle_and_empty(api: Api) -> None:
    thread = await api.json("POST", "/threads", {"metadata": {"a": 1}})
    now = thread["created_at"]
    assert thread == {
        "thread_id": thread["thread_id"],
        "created_at": now,
        "updated_at": now,
        "state_updated_at": now,
        "metadata": {"a": 1},
        "status": "idle",
        "config": {},
        "values": None,
        "error": None,
        "interrupts": {},
    }
    assert await api.json("GET", f"/threads/{thread['thread_id']}?include=ttl") == thread


async def test_creating_a_thread_takes_one_round_trip(api: Api) -> None:
    await api.new_thread()
    assert (api.db.round_trips, api.db.rows_written) == (1, 1)


async def test_a_taken_id_is_refused_or_returns_the_thread_that_has_it(api: Api) -> None:
    first = await api.json("POST", "/threads", {"thread_id": UNKNOWN, "metadata": {"user": "a"}})
    detail = await api.detail("POST", "/threads", {"thread_id": UNKNOWN.upper()}, status=409)
    assert detail == f"Thread with ID {UNKNOWN} already exists"
    again = {"thread_id": UNKNOWN, "if_exists": "do_nothing", "metadata": {"user": "b"}}
    assert await api.json("POST", "/threads", again) == first


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"thread_id": "abc"}, "Invalid thread ID: must be a UUID"),
        ({"thread_id": 1}, "thread_id"),
        ({"metadata": "x"}, "metadata"),
        ({"metadata": []}, "metadata"),
        ({"if_exists": "nope"}, "if_exists: Input should be 'raise' or 'do_nothing', not 'nope'"),
        ({"ttl": 5}, "ttl"),
        ({"ttl": {"ttl": -1}}, "ttl.ttl"),
        ({"ttl": {"ttl": 1e12}}, "ttl.ttl"),
        ({"ttl": {"strategy": "delete"}}, '"ttl.ttl" is a required property'),
        ({"ttl": {"ttl": 5, "strategy": "archive"}}, "ttl.strategy"),
        ([], "The body"),
    ],
)
async def test_a_wrong_field_is_named(api: Api, body: object, says: str) -> None:
    assert (await api.detail("POST", "/threads", body, status=422)).startswith(says)
    assert api.rows("threads") == 0


async def test_an_unknown_thread_is_404_everywhere(api: Api) -> None:
    expected = f"Thread with ID {UNKNOWN} not found"
    for path in ("", "/state", "/state/x", "/history", "/runs"):
        assert await api.detail("GET", f"/threads/{UNKNOWN}{path}", status=404) == expected
    assert await api.detail("POST", f"/threads/{UNKNOWN}/history", {}, status=404) == expected
    assert await api.detail("DELETE", f"/threads/{UNKNOWN}", status=404) == expected
    assert await api.detail("PATCH", f"/threads/{UNKNOWN}", {}, status=404) == "Not Found"


async def test_a_patch_merges_the_top_level_of_the_metadata(api: Api) -> None:
    thread_id = await api.new_thread(metadata={"a": {"x": 1}, "b": 12345678901234567890, 'q"': 1})
    patched = await api.json("PATCH", f"/threads/{thread_id}", {"metadata": {"a": {"y": 2}, "n": None}})
    assert patched["metadata"] == {"a": {"y": 2}, "b": 12345678901234567890, 'q"': 1, "n": None}
    assert patched["updated_at"] > patched["created_at"]
    assert await api.json("GET", f"/threads/{thread_id}") == patched
    answer = await api.ask(
        "PATCH", f"/threads/{thread_id}", {"metadata": {"c": 1}}, headers={"prefer": "return=minimal"}
    )
    assert isinstance(answer, HttpResponse)
    assert (answer.status, answer.body) == (204, "")


async def test_deleting_a_thread_deletes_its_runs_and_checkpoints(api: Api) -> None:
    thread_id = await api.new_thread()
    run = await api.json(
        "POST",
        f"/threads/{thread_id}/runs",
        {"assistant_id": "sequence", "input": {"topic": "x" * 2_000_000}},
        status=202,
    )
    graph = api.registry.graphs["sequence"].copy(update={"checkpointer": api.saver})
    config = {"configurable": {"thread_id": thread_id}}
    await graph.ainvoke({"topic": "t"}, config)
    detail = await api.detail("DELETE", f"/threads/{thread_id}", status=409)
    assert detail == f"Thread {thread_id} still has run {run['run_id']} to finish; join it before deleting the thread."
    api.db.connection.execute("UPDATE runs SET status = 'success'")
    assert await api.json("DELETE", f"/threads/{thread_id}", status=204) is None
    assert [api.rows(table) for table in ("threads", "runs", "large_texts")] == [0, 0, 0]
    assert await api.saver.aget_tuple(config) is None
    await api.detail("DELETE", f"/threads/{thread_id}", status=404)


async def test_a_run_that_comes_while_its_thread_is_deleted_keeps_all_of_the_thread(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    thread_id = await api.new_thread()
    config = {"configurable": {"thread_id": thread_id}}
    graph = api.registry.graphs["sequence"].copy(update={"checkpointer": api.saver})
    await graph.ainvoke({"topic": "t"}, config)
    batch = api.db.batch

    async def batch_before_a_run(statements: Sequence[Statement]) -> list[list[Row]]:
        found = await batch(statements)
        monkeypatch.undo()
        await api.json("POST", f"/threads/{thread_id}/runs", {"assistant_id": "sequence"}, status=202)
        return found

    monkeypatch.setattr(api.db, "batch", batch_before_a_run)
    assert "was changed by others" in await api.detail("DELETE", f"/threads/{thread_id}", status=409)
    assert (await graph.aget_state(config)).values == {"topic": "t", "log": ["plan", "write"]}
    assert (api.rows("threads"), api.rows("runs")) == (1, 1)


async def test_a_thread_is_deleted_also_when_its_object_does_not_answer(api: Api) -> None:
    thread_id = await api.new_thread()
    api.thread_objects.failures = [Unavailable("the object is being reset")]
    await api.json("DELETE", f"/threads/{thread_id}", status=204)
    assert api.rows("threads") == 0
