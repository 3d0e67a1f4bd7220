"""Copying, measuring, pruning and expiring threads over HTTP."""

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

import clock
from errors import DatabaseError, Unavailable
from ports import Row, Statement
from project_config.reading import read_sections
from runs import completion
from runs.threads import thread_deletion, thread_pruning
from tables import run_claims
from tables.large_text import PART_BYTES
from tables.run_history import Stamp
from tests.support.endings import ending
from tests.support.http_api import Api

UNKNOWN = "0b4211ba-46f4-4cdb-830a-6ba6412ee448"
LATER = "9000-01-01T00:00:00.000000+00:00"
TABLES = ("threads", "runs", "large_texts", "checkpoints", "checkpoint_blobs", "checkpoint_writes")


@pytest.fixture
def api() -> Api:
    return Api()


async def run(api: Api, graph_id: str, *, thread_id: str | None = None, values: Any = None) -> str:
    """The id of a thread on which the graph ran, as an executor would have left it."""
    thread_id = thread_id or await api.new_thread(metadata={"owner": "me"})
    await api.json("POST", f"/threads/{thread_id}/runs", {"assistant_id": graph_id}, status=202)
    claimed = (await run_claims.claim_oldest_pending(api.db, thread_id, Stamp(clock.now_iso(), "test"))).claimed
    assert claimed
    graph = api.registry.graphs[graph_id].copy(update={"checkpointer": api.saver})
    config: Any = {"configurable": {"thread_id": thread_id}}
    await graph.ainvoke({"topic": "t" * 300, "log": ["in"]}, config)
    state = await graph.aget_state(config)
    interrupts = {task.id: [{"id": i.id, "value": i.value} for i in task.interrupts] for task in state.tasks}
    ended = ending(
        status="success",
        has_next=bool(state.next),
        values=json.dumps(state.values if values is None else values),
        interrupts=json.dumps(interrupts),
    )
    assert await completion.finish(api.db, claimed, ended, Stamp(clock.now_iso(), "test"))
    return thread_id


def rows_of(api: Api, thread_id: str) -> list[int]:
    """How many rows each table has of a thread."""
    counts = [
        api.db.connection.execute(f"SELECT COUNT(*) FROM {table} WHERE thread_id = ?", (thread_id,)).fetchone()[0]
        for table in TABLES
        if table != "large_texts"
    ]
    large = "SELECT COUNT(*) FROM large_texts WHERE owner = 'thread:' || ?"
    return [*counts, api.db.connection.execute(large, (thread_id,)).fetchone()[0]]


async def test_a_copy_has_the_state_and_the_history_of_its_original(api: Api) -> None:
    source = await run(api, "approval")
    original = await api.json("GET", f"/threads/{source}")
    trips = api.db.round_trips
    copied = await api.json("POST", f"/threads/{source}/copy")
    assert api.db.round_trips == trips + 2
    target = copied["thread_id"]
    times = ("thread_id", "created_at", "updated_at", "state_updated_at")
    assert {k: v for k, v in copied.items() if k not in times} == {k: v for k, v in original.items() if k not in times}
    assert copied["created_at"] > original["updated_at"]
    assert await api.json("GET", f"/threads/{target}") == copied
    history = await api.json("POST", f"/threads/{source}/history", {"limit": 100})
    of_copy = await api.json("POST", f"/threads/{target}/history", {"limit": 100})
    assert json.loads(json.dumps(of_copy).replace(target, source)) == history


async def test_a_copy_goes_on_by_itself(api: Api) -> None:
    source = await run(api, "sequence")
    target = (await api.json("POST", f"/threads/{source}/copy"))["thread_id"]
    await run(api, "sequence", thread_id=target)
    assert len(await api.json("POST", f"/threads/{target}/history", {"limit": 100})) == 8
    assert len(await api.json("POST", f"/threads/{source}/history", {"limit": 100})) == 4
    await api.json("DELETE", f"/threads/{target}", status=204)
    assert (await api.json("GET", f"/threads/{source}/state"))["values"]["log"] == ["in", "plan", "write"]
    assert rows_of(api, target) == [0] * len(TABLES)


async def test_values_over_a_rows_size_are_copied(api: Api) -> None:
    values = {"document": "x" * (PART_BYTES + 1), "topic": "a"}
    source = await run(api, "sequence", values=values)
    assert (await api.json("POST", f"/threads/{source}/copy"))["values"] == values


async def test_a_copy_of_a_busy_thread_rests(api: Api) -> None:
    source = await run(api, "approval")
    await api.json("POST", f"/threads/{source}/runs", {"assistant_id": "approval"}, status=202)
    copied = await api.json("POST", f"/threads/{source}/copy")
    assert copied["status"] == "interrupted"
    assert await api.json("GET", f"/threads/{copied['thread_id']}/runs") == []


async def test_only_what_exists_is_copied_or_measured(api: Api) -> None:
    assert "Conflict" in await api.detail("POST", f"/threads/{UNKNOWN}/copy", status=409)
    assert UNKNOWN in await api.detail("GET", f"/threads/{UNKNOWN}/storage", status=404)
    assert api.rows("threads") == 0


async def test_storage_counts_each_byte_once(api: Api) -> None:
    thread_id = await run(api, "sequence")
    trips = api.db.round_trips
    measured = await api.json("GET", f"/threads/{thread_id}/storage")
    assert api.db.round_trips == trips + 1
    values = measured["channel_values"]
    total = """
        SELECT (SELECT SUM(length(CAST(checkpoint || metadata AS BLOB))) FROM checkpoints)
            + (SELECT SUM(length(value)) FROM checkpoint_blobs) + (SELECT SUM(length(value)) FROM checkpoint_writes)
    """
    assert measured["total_bytes"] == api.db.connection.execute(total).fetchone()[0]
    assert measured["total_bytes"] == sum(
        measured[k]["bytes"] for k in ("checkpoints", "channel_values", "pending_writes")
    )
    assert measured["checkpoints"]["count"] == 4
    # `topic` is a blob of one version, `log` grew with each of its three.
    assert (values["by_channel"]["topic"]["versions"], values["by_channel"]["log"]["versions"]) == (1, 3)
    assert values["by_channel"]["topic"]["bytes"] > 300
    assert values["count"] == sum(channel["versions"] for channel in values["by_channel"].values())
    empty = await api.json("GET", f"/threads/{await api.new_thread()}/storage")
    assert (empty["total_bytes"], empty["channel_values"]) == (0, {"count": 0, "bytes": 0, "by_channel": {}})


async def test_pruning_deletes_what_exists_and_has_nothing_to_do(api: Api) -> None:
    kept, busy = await run(api, "sequence"), await run(api, "sequence")
    doomed = [await run(api, "sequence"), await run(api, "approval", values={"d": "x" * (PART_BYTES + 1)})]
    await api.json("POST", f"/threads/{busy}/runs", {"assistant_id": "sequence"}, status=202)
    body = {"thread_ids": [*doomed, busy, UNKNOWN, doomed[0]]}
    before = rows_of(api, kept), rows_of(api, busy)
    trips = api.db.round_trips
    assert await api.json("POST", "/threads/prune", body) == {"pruned_count": 2}
    assert api.db.round_trips == trips + 2
    for thread_id in doomed:
        assert rows_of(api, thread_id) == [0] * len(TABLES)
    assert (rows_of(api, kept), rows_of(api, busy)) == before
    assert await api.json("POST", "/threads/prune", {"thread_ids": []}) == {"pruned_count": 0}


@pytest.mark.parametrize("graph_id", ["sequence", "approval", "nested"])
async def test_pruning_to_the_latest_keeps_the_state(api: Api, graph_id: str) -> None:
    thread_id = await run(api, graph_id)
    state = await api.json("GET", f"/threads/{thread_id}/state?subgraphs=true")
    thread = await api.json("GET", f"/threads/{thread_id}")
    body = {"thread_ids": [thread_id, UNKNOWN], "strategy": "keep_latest"}
    assert await api.json("POST", "/threads/prune", body) == {"pruned_count": 1}
    pruned = await api.json("GET", f"/threads/{thread_id}/state?subgraphs=true")
    assert without_parents(pruned) == without_parents(state)
    assert await api.json("GET", f"/threads/{thread_id}") == thread
    assert len(await api.json("POST", f"/threads/{thread_id}/history", {"limit": 100})) == 1
    await run(api, "sequence", thread_id=thread_id)


def without_parents(state: Any) -> Any:
    """A state without what names earlier checkpoints."""
    tasks = [task | {"state": task["state"] and without_parents(task["state"])} for task in state["tasks"]]
    return state | {"parent_checkpoint": None, "parent_checkpoint_id": None, "tasks": tasks}


async def test_a_run_that_comes_while_its_thread_is_pruned_finds_all_checkpoints(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    thread_id = await run(api, "sequence")
    batch, calls = api.db.batch, 0

    async def batch_before_a_run(statements: Sequence[Statement]) -> list[list[Row]]:
        nonlocal calls
        calls += 1
        if calls == 3:  # the outlines are read
            monkeypatch.undo()
            await api.json("POST", f"/threads/{thread_id}/runs", {"assistant_id": "sequence"}, status=202)
        return await batch(statements)

    monkeypatch.setattr(api.db, "batch", batch_before_a_run)
    body = {"thread_ids": [thread_id], "strategy": "keep_latest"}
    assert await api.json("POST", "/threads/prune", body) == {"pruned_count": 0}
    assert api.rows("checkpoints") == 4


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({}, '"thread_ids" is a required property'),
        ({"thread_ids": ["abc"]}, "thread_ids.0: Invalid thread ID"),
        ({"thread_ids": [UNKNOWN] * 1001}, "thread_ids"),
        ({"thread_ids": [], "strategy": "shrink"}, "strategy"),
    ],
)
async def test_pruning_what_cannot_be_is_refused(api: Api, body: object, says: str) -> None:
    assert (await api.detail("POST", "/threads/prune", body, status=422)).startswith(says)


async def test_a_ttl_shows_when_it_is_asked_for(api: Api) -> None:
    thread_id = await api.new_thread(ttl={"ttl": 10})
    path = f"/threads/{thread_id}"
    assert "ttl" not in await api.json("GET", path)
    assert "ttl" not in await api.json("GET", f"{path}?include=bogus")
    thread = await api.json("GET", f"{path}?include=ttl")
    expected = clock.shifted(thread["created_at"], 600)
    assert thread["ttl"] == {"strategy": "delete", "ttl_minutes": 10, "expires_at": expected}
    await api.json("PATCH", path, {"metadata": {"a": 1}})
    assert (await api.json("GET", f"{path}?include=ttl"))["ttl"] == thread["ttl"]
    patched = await api.json("PATCH", path, {"ttl": {"ttl": 0.5, "strategy": "keep_latest"}})
    assert patched["metadata"] == {"a": 1}
    assert (await api.json("GET", f"{path}?include=ttl"))["ttl"] == {
        "strategy": "keep_latest",
        "ttl_minutes": 0.5,
        "expires_at": clock.shifted(patched["updated_at"], 30),
    }


async def test_threads_live_as_long_as_langgraph_json_says(api: Api) -> None:
    config = read_sections({"checkpointer": {"ttl": {"strategy": "keep_latest", "default_ttl": 7}}})
    api.services = replace(api.services, config=config)
    ttls = [
        (await api.json("GET", f"/threads/{await api.new_thread(**body)}?include=ttl"))["ttl"]
        for body in ({}, {"ttl": {"ttl": 3}})
    ]
    assert [(ttl["strategy"], ttl["ttl_minutes"]) for ttl in ttls] == [("keep_latest", 7), ("delete", 3)]
    conditional = {"assistant_id": "sequence", "if_not_exists": "create"}
    await api.json("POST", f"/threads/{UNKNOWN}/runs", conditional, status=202)
    assert (await api.json("GET", f"/threads/{UNKNOWN}?include=ttl"))["ttl"]["ttl_minutes"] == 7
    for on_completion, lives in (("keep", 7), ("delete", None)):
        run = await api.json("POST", "/runs", {**conditional, "on_completion": on_completion}, status=202)
        thread = await api.json("GET", f"/threads/{run['thread_id']}?include=ttl")
        assert thread.get("ttl", {}).get("ttl_minutes") == lives


async def test_the_time_begins_anew_when_a_run_ends(api: Api) -> None:
    thread_id = await api.new_thread(ttl={"ttl": 10})
    await run(api, "sequence", thread_id=thread_id)
    thread = await api.json("GET", f"/threads/{thread_id}?include=ttl")
    expected = clock.epoch_ms(clock.shifted(thread["updated_at"], 600))
    assert abs(clock.epoch_ms(thread["ttl"]["expires_at"]) - expected) <= 1
    assert len(thread["ttl"]["expires_at"]) == len(thread["updated_at"])


async def retire(api: Api, *, now: str = LATER, limit: int = 100) -> int:
    deleted = await thread_pruning.delete_expired_threads(api.db, api.thread_objects, now=now, limit=limit)
    return deleted + await thread_pruning.prune_expired_threads(api.db, now=now, limit=limit)


async def test_expired_threads_are_deleted_or_pruned(api: Api) -> None:
    doomed, shrunk = [await api.new_thread(ttl={"ttl": 1, "strategy": s}) for s in ("delete", "keep_latest")]
    eternal, busy = await run(api, "sequence"), await api.new_thread(ttl={"ttl": 1})
    for thread_id in (doomed, shrunk):
        await run(api, "sequence", thread_id=thread_id)
    await api.json("POST", f"/threads/{busy}/runs", {"assistant_id": "sequence"}, status=202)
    assert await retire(api, now=clock.now_iso()) == 0
    assert await retire(api) == 2
    assert rows_of(api, doomed) == [0] * len(TABLES)
    assert [rows_of(api, thread_id)[2] for thread_id in (shrunk, eternal, busy)] == [1, 4, 0]
    assert (await api.json("GET", f"/threads/{busy}"))["status"] == "busy"
    assert (await api.json("GET", f"/threads/{shrunk}?include=ttl"))["ttl"]["expires_at"] is None
    trips = api.db.round_trips
    assert await retire(api) == 0
    assert api.db.round_trips <= trips + 3
    await run(api, "sequence", thread_id=shrunk)
    assert await retire(api) == 1


async def test_threads_are_retired_a_few_at_a_time(api: Api) -> None:
    for _ in range(5):
        await api.new_thread(ttl={"ttl": 1})
    assert [await retire(api, limit=2) for _ in range(4)] == [2, 2, 1, 0]


async def test_activity_between_the_look_and_the_deletion_keeps_the_thread(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    thread_id = await api.new_thread(ttl={"ttl": 1})
    now = clock.shifted(clock.now_iso(), 61)
    batch = api.db.batch

    async def batch_before_a_patch(statements: Sequence[Statement]) -> list[list[Row]]:
        found = await batch(statements)
        monkeypatch.undo()
        await api.json("PATCH", f"/threads/{thread_id}", {"ttl": {"ttl": 10}})
        return found

    monkeypatch.setattr(api.db, "batch", batch_before_a_patch)
    assert await retire(api, now=now) == 0
    assert api.rows("threads") == 1


async def test_a_crash_at_any_moment_of_retiring_leaves_work_for_the_next_time(api: Api) -> None:
    crashes = 0
    while True:
        for strategy in ("delete", "keep_latest"):
            await run(api, "sequence", thread_id=await api.new_thread(ttl={"ttl": 1, "strategy": strategy}))
        try:
            with api.db.dying_after(crashes):
                await retire(api)
            break
        except DatabaseError:
            crashes += 1
    assert crashes > 3
    await retire(api)
    unfinished = "SELECT COUNT(*) FROM threads WHERE expires_at IS NOT NULL OR ttl_strategy = 'delete'"
    assert api.db.connection.execute(unfinished).fetchone()[0] == 0
    assert api.rows("checkpoints") == api.rows("threads")


async def test_an_object_that_did_not_answer_is_told_later(api: Api) -> None:
    """It has the events of the thread's runs, which would stay for ever."""
    thread_ids = [await api.new_thread() for _ in range(3)]
    api.thread_objects.failures = [Unavailable("the object is being reset")]
    assert await api.json("POST", "/threads/prune", {"thread_ids": thread_ids}) == {"pruned_count": 3}
    assert api.rows("deleted_threads") == 1
    api.thread_objects.failures = [Unavailable("it still is")]
    await thread_deletion.tell_objects(api.db, api.thread_objects)
    assert api.rows("deleted_threads") == 1
    await thread_deletion.tell_objects(api.db, api.thread_objects)
    assert api.rows("deleted_threads") == 0


async def test_a_crash_right_after_a_deletion_does_not_keep_the_object_from_knowing(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    woken: list[str] = []

    async def wake(thread_id: str) -> None:
        woken.append(thread_id)

    thread_id = await api.new_thread()
    with monkeypatch.context() as dying:
        dying.setattr(api.thread_objects, "wake", None)
        await api.ask("DELETE", f"/threads/{thread_id}")
    assert api.rows("threads") == 0
    monkeypatch.setattr(api.thread_objects, "wake", wake)
    await thread_deletion.tell_objects(api.db, api.thread_objects)
    assert woken == [thread_id]


async def test_a_large_backlog_goes_in_small_transactions(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(45):
        await api.new_thread(ttl={"ttl": 1})
    trips = api.db.round_trips
    assert await thread_pruning.delete_expired_threads(api.db, api.thread_objects, now=LATER, limit=1000) == 45
    assert api.db.round_trips == trips + 1 + 2 * 3


@pytest.mark.parametrize("strategy", ["delete", "keep_latest"])
async def test_a_thread_that_cannot_go_does_not_keep_the_others(
    api: Api, monkeypatch: pytest.MonkeyPatch, strategy: str
) -> None:
    monkeypatch.setattr(thread_deletion, "AT_ONCE", 2)
    threads = [await api.new_thread(ttl={"ttl": 1, "strategy": strategy}) for _ in range(9)]
    batch = api.db.batch

    async def refusing(statements: Sequence[Statement]) -> list[list[Row]]:
        if any(threads[0] in str(statement.params) for statement in statements):
            raise DatabaseError("D1 DB exceeded its CPU time limit")
        return await batch(statements)

    monkeypatch.setattr(api.db, "batch", refusing)
    for _ in range(100):
        with suppress(DatabaseError):
            await retire(api)
    left = api.db.connection.execute("SELECT thread_id FROM threads WHERE expires_at IS NOT NULL").fetchall()
    assert [row["thread_id"] for row in left] == threads[:1]
