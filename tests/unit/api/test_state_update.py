"""Updating a thread's state over HTTP: its rules, concurrent requests, and that it is one write."""

import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import StateUpdate

import clock
from errors import DatabaseError, Unavailable
from ports import Row, Statement
from runs import completion
from tables import run_claims
from tables.large_text import PART_BYTES
from tables.run_history import Stamp
from tests.support.checkpoint_graphs import deltas
from tests.support.endings import ending
from tests.support.http_api import Api

UNKNOWN = "2a91c740-f094-4a4c-b61a-0c5397d5b612"
TABLES = ("threads", "large_texts", "checkpoints", "checkpoint_blobs", "checkpoint_writes")


@pytest.fixture
def api() -> Api:
    return Api()


async def run(api: Api, graph_id: str, value: Any = None) -> str:
    """A thread on which the graph ran."""
    thread_id = await api.new_thread(metadata={"graph_id": graph_id})
    graph = api.registry.graphs[graph_id].copy(update={"checkpointer": api.saver})
    await graph.ainvoke({"topic": "t"} if value is None else value, {"configurable": {"thread_id": thread_id}})
    return thread_id


async def state(api: Api, thread_id: str) -> Any:
    return await api.json("GET", f"/threads/{thread_id}/state")


def contents(api: Api) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of all tables."""
    return {table: [tuple(row) for row in api.db.connection.execute(f"SELECT * FROM {table}")] for table in TABLES}


async def test_an_update_is_a_checkpoint_and_the_thread_shows_it(api: Api) -> None:
    thread_id = await api.new_thread(metadata={"graph_id": "sequence"}, ttl={"ttl": 10})
    trips = api.db.round_trips
    answer = await api.json("POST", f"/threads/{thread_id}/state", {"values": {"topic": "z"}, "as_node": "plan"})
    assert api.db.round_trips == trips + 2
    checkpoint = {"thread_id": thread_id, "checkpoint_ns": "", "checkpoint_id": answer["checkpoint_id"]}
    assert answer == {**checkpoint_only(checkpoint), "checkpoint_id": answer["checkpoint_id"]}
    now = await state(api, thread_id)
    assert (now["checkpoint"], now["values"], now["next"]) == (checkpoint, {"topic": "z", "log": []}, ["write"])
    source = {key: now["metadata"][key] for key in ("source", "step", "parents", "graph_id")}
    assert source == {"source": "update", "step": 0, "parents": {}, "graph_id": "sequence"}
    thread = await api.json("GET", f"/threads/{thread_id}?include=ttl")
    assert (thread["status"], thread["values"], thread["error"]) == ("interrupted", now["values"], None)
    assert thread["created_at"] < thread["state_updated_at"] == thread["updated_at"]
    assert thread["ttl"]["expires_at"] > clock.shifted(thread["created_at"], 600)


def checkpoint_only(checkpoint: dict[str, Any]) -> dict[str, Any]:
    return {"checkpoint": checkpoint, "configurable": checkpoint}


async def test_followers_of_the_thread_are_told_unless_its_object_is_away(api: Api) -> None:
    thread_id = await run(api, "approval")
    body = {"values": {"log": ["a"]}, "as_node": "ask"}
    await api.json("POST", f"/threads/{thread_id}/state", body)
    assert api.thread_objects.state_updates == [(thread_id, await state(api, thread_id))]
    api.thread_objects.failures = [Unavailable("the object is being reset")]
    await api.json("POST", f"/threads/{thread_id}/state", body)
    assert (await state(api, thread_id))["values"]["log"] == ["a", "a"]


async def test_the_writes_of_several_updates_add_up(api: Api) -> None:
    thread_id = await run(api, "sequence")
    for body in (
        {"values": {"log": ["a"]}, "as_node": "plan"},
        {"values": {"unknown": 1, "log": ["b"]}, "as_node": "plan"},
        {"values": None},
        {},
        {"values": {"log": ["c"]}},
    ):
        await api.json("POST", f"/threads/{thread_id}/state", body)
    assert (await state(api, thread_id))["values"]["log"] == ["plan", "write", "a", "b", "c"]


async def test_the_end_can_be_declared_and_a_checkpoint_be_copied(api: Api) -> None:
    thread_id = await run(api, "approval")
    path = f"/threads/{thread_id}/state"
    before = await state(api, thread_id)
    await api.json("POST", path, {"values": None, "as_node": "__copy__"})
    copied = await state(api, thread_id)
    assert (copied["next"], copied["metadata"]["source"]) == (["ask"], "fork")
    assert copied["parent_checkpoint_id"] == before["parent_checkpoint_id"]
    await api.json("POST", path, {"values": None, "as_node": "__end__"})
    ended = await state(api, thread_id)
    assert (ended["next"], ended["values"]) == ([], before["values"])
    thread = await api.json("GET", f"/threads/{thread_id}")
    assert (thread["status"], thread["interrupts"]) == ("idle", {})


async def test_an_update_after_a_failure_clears_the_error(api: Api) -> None:
    thread_id = await api.new_thread(metadata={"graph_id": "sequence"})
    api.db.connection.execute("UPDATE threads SET status = 'error', error = '{}'")
    await api.json("POST", f"/threads/{thread_id}/state", {"values": {"topic": "a"}, "as_node": "write"})
    thread = await api.json("GET", f"/threads/{thread_id}")
    assert (thread["status"], thread["error"]) == ("idle", None)


@pytest.mark.parametrize("form", ["checkpoint_id", "checkpoint", "both"])
async def test_a_fork_begins_at_an_earlier_checkpoint_and_becomes_the_latest(api: Api, form: str) -> None:
    thread_id = await run(api, "sequence")
    path = f"/threads/{thread_id}/state"
    earlier = (await api.json("POST", f"/threads/{thread_id}/history", {"limit": 9}))[1]
    named = {"checkpoint_id": earlier["checkpoint_id"], "checkpoint": {**earlier["checkpoint"], "thread_id": UNKNOWN}}
    address = named if form == "both" else {form: named[form]}
    trips = api.db.round_trips
    forked = await api.json("POST", path, {"values": {"topic": "FORK"}, **address})
    assert api.db.round_trips == trips + 2
    now = await state(api, thread_id)
    assert now["checkpoint_id"] == forked["checkpoint_id"]
    assert now["parent_checkpoint_id"] == earlier["checkpoint_id"]
    assert (now["values"], now["next"]) == ({"topic": "FORK", "log": ["plan"]}, ["write"])
    assert (await api.json("GET", f"/threads/{thread_id}"))["values"] == now["values"]
    assert len(await api.json("POST", f"/threads/{thread_id}/history", {"limit": 9})) == 5


async def test_a_subgraph_is_updated_by_its_namespace(api: Api) -> None:
    thread_id = await run(api, "nested")
    [task] = (await state(api, thread_id))["tasks"]
    body = {"values": {"log": ["inner"]}, "checkpoint": task["checkpoint"], "as_node": "ask"}
    answer = await api.json("POST", f"/threads/{thread_id}/state", body)
    assert answer["checkpoint"]["checkpoint_ns"] == task["checkpoint"]["checkpoint_ns"]
    [nested] = (await api.json("GET", f"/threads/{thread_id}/state?subgraphs=true"))["tasks"]
    assert (nested["state"]["values"]["log"], nested["state"]["next"]) == (["inner"], [])
    thread = await api.json("GET", f"/threads/{thread_id}")
    assert (thread["status"], thread["values"]) == ("interrupted", {"topic": "t", "log": []})


async def test_values_of_any_size_are_written(api: Api) -> None:
    thread_id = await api.new_thread(metadata={"graph_id": "sequence"})
    body = {"values": {"topic": "x" * 6_000_000}, "as_node": "write"}
    await api.json("POST", f"/threads/{thread_id}/state", body)
    assert (await state(api, thread_id))["values"] == {"log": [], **body["values"]}
    assert (await api.json("GET", f"/threads/{thread_id}"))["values"] == {"log": [], **body["values"]}
    await api.json("POST", f"/threads/{thread_id}/state", {"values": {"topic": "short"}, "as_node": "write"})
    assert (await api.json("GET", f"/threads/{thread_id}"))["values"]["topic"] == "short"
    assert api.rows("large_texts") == 0


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        ({"values": {"topic": "z"}, "as_node": "bogus"}, 400, "Node bogus does not exist"),
        ({"values": ["a", "b"]}, 400, "Expected dict, got ['a', 'b']"),
        ({"values": {"log": 1}, "as_node": "plan"}, 400, "The graph refuses this: TypeError: "),
        ({"values": {}, "checkpoint": {"checkpoint_ns": "nope:1"}}, 400, "Subgraph nope not found"),
        ({"values": {}, "checkpoint_id": UNKNOWN}, 404, f"The thread has no checkpoint {UNKNOWN}"),
        ({"values": {}, "checkpoint": {"checkpoint_id": "x"}}, 404, "The thread has no checkpoint x"),
        ({"values": "str"}, 422, "values"),
        ({"values": 1}, 422, "values"),
        ({"as_node": 1}, 422, "as_node"),
        ({"checkpoint": "x"}, 422, "checkpoint"),
        ({"checkpoint_id": 1}, 422, "checkpoint_id"),
    ],
)
async def test_what_the_graph_does_not_take_is_refused_and_nothing_is_written(
    api: Api, body: object, status: int, says: str
) -> None:
    thread_id = await run(api, "sequence")
    before = contents(api)
    assert (await api.detail("POST", f"/threads/{thread_id}/state", body, status=status)).startswith(says)
    assert contents(api) == before


async def test_only_a_thread_with_a_known_graph_has_a_state_to_update(api: Api) -> None:
    path = f"/threads/{UNKNOWN}/state"
    assert await api.detail("POST", path, {}, status=404) == f"Thread with ID {UNKNOWN} not found"
    thread_id = await api.new_thread()
    assert "has no assigned graph ID" in await api.detail("POST", f"/threads/{thread_id}/state", {}, status=400)
    for graph_id in ("gone", 1, ["sequence"]):
        thread_id = await api.new_thread(metadata={"graph_id": graph_id})
        await api.detail("POST", f"/threads/{thread_id}/state", {}, status=404)
    await api.detail("PATCH", f"/threads/{thread_id}/state", {}, status=405)


async def test_a_busy_thread_is_not_updated(api: Api) -> None:
    thread_id = await run(api, "sequence")
    created = await api.json("POST", f"/threads/{thread_id}/runs", {"assistant_id": "sequence"}, status=202)
    before = contents(api)
    detail = await api.detail("POST", f"/threads/{thread_id}/state", {"values": {"topic": "x"}}, status=409)
    assert detail.startswith(f"Thread {thread_id} has in-flight runs: ['{created['run_id']}']")
    assert contents(api) == before


Meanwhile = Callable[[], Awaitable[None]]


def between_reading_and_writing(api: Api, monkeypatch: pytest.MonkeyPatch, meanwhile: Meanwhile) -> None:
    """Something else happens just before the next batch that writes checkpoints."""
    batch = api.db.batch

    async def interrupted_batch(statements: Sequence[Statement]) -> list[list[Row]]:
        if any("INSERT INTO checkpoints" in statement.sql for statement in statements):
            monkeypatch.undo()
            await meanwhile()
        return await batch(statements)

    monkeypatch.setattr(api.db, "batch", interrupted_batch)


async def test_a_run_that_is_created_meanwhile_wins(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    thread_id = await run(api, "sequence")

    async def meanwhile() -> None:
        await api.json("POST", f"/threads/{thread_id}/runs", {"assistant_id": "sequence"}, status=202)

    between_reading_and_writing(api, monkeypatch, meanwhile)
    await api.detail("POST", f"/threads/{thread_id}/state", {"values": {"topic": "x"}}, status=409)
    assert (await state(api, thread_id))["values"] == {"topic": "t", "log": ["plan", "write"]}
    assert (await api.json("GET", f"/threads/{thread_id}"))["status"] == "busy"


async def test_a_run_that_came_and_went_meanwhile_is_built_upon(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    thread_id = await run(api, "sequence")

    async def meanwhile() -> None:
        await api.json("POST", f"/threads/{thread_id}/runs", {"assistant_id": "sequence"}, status=202)
        claimed = (await run_claims.claim_oldest_pending(api.db, thread_id, Stamp(clock.now_iso(), "test"))).claimed
        assert claimed
        graph = api.registry.graphs["sequence"].copy(update={"checkpointer": api.saver})
        await graph.ainvoke({"topic": "run"}, {"configurable": {"thread_id": thread_id}})
        ended = ending(status="success", has_next=False, values="{}")
        assert await completion.finish(api.db, claimed, ended, Stamp(clock.now_iso(), "test"))

    between_reading_and_writing(api, monkeypatch, meanwhile)
    await api.json("POST", f"/threads/{thread_id}/state", {"values": {"log": ["mine"]}, "as_node": "write"})
    expected = {"topic": "run", "log": ["plan", "write", "plan", "write", "mine"]}
    assert (await state(api, thread_id))["values"] == expected
    assert (await api.json("GET", f"/threads/{thread_id}"))["values"] == expected


async def test_two_updates_at_the_same_time_both_count(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    thread_id = await run(api, "sequence")
    path = f"/threads/{thread_id}/state"

    async def meanwhile() -> None:
        await api.json("POST", path, {"values": {"log": ["other"]}, "as_node": "write"})

    between_reading_and_writing(api, monkeypatch, meanwhile)
    await api.json("POST", path, {"values": {"log": ["mine"]}, "as_node": "write"})
    assert (await state(api, thread_id))["values"]["log"] == ["plan", "write", "other", "mine"]


async def test_a_thread_that_is_deleted_meanwhile_stays_deleted(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    thread_id = await run(api, "sequence")

    async def meanwhile() -> None:
        await api.json("DELETE", f"/threads/{thread_id}", status=204)

    between_reading_and_writing(api, monkeypatch, meanwhile)
    await api.detail("POST", f"/threads/{thread_id}/state", {"values": {"topic": "x"}}, status=404)
    assert [api.rows(table) for table in TABLES] == [0] * len(TABLES)


async def test_updates_without_end_by_others_are_a_conflict(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    thread_id = await run(api, "sequence")
    batch = api.db.batch

    async def outpaced_batch(statements: Sequence[Statement]) -> list[list[Row]]:
        if any("INSERT INTO checkpoints" in statement.sql for statement in statements):
            raise DatabaseError("JSON path error near 'changed'")
        return await batch(statements)

    monkeypatch.setattr(api.db, "batch", outpaced_batch)
    detail = await api.detail("POST", f"/threads/{thread_id}/state", {"values": {"topic": "x"}}, status=409)
    assert "is being changed by others" in detail


@pytest.mark.parametrize("size", [1, PART_BYTES * 6])
async def test_a_crash_at_any_moment_leaves_the_old_state_or_the_new(api: Api, size: int) -> None:
    thread_id = await run(api, "nested")
    old = await state(api, thread_id), await api.json("GET", f"/threads/{thread_id}")
    crashes = 0
    body = {"values": {"topic": "x" * size}, "as_node": "child"}
    while True:
        with api.db.dying_after(crashes):
            answer: Any = await api.ask("POST", f"/threads/{thread_id}/state", body)
        now = await state(api, thread_id), await api.json("GET", f"/threads/{thread_id}")
        if answer.status == 200:
            break
        assert answer.status == 503
        assert now == old
        crashes += 1
    assert crashes >= 2
    assert now[0]["values"] == now[1]["values"] == {"topic": "x" * size, "log": []}


# --- supersteps -----------------------------------------------------------------------------------------------------

STEPS = [
    {"updates": [{"values": {"topic": "ss"}, "as_node": "__input__"}]},
    {"updates": [{"values": {"log": ["p"]}, "as_node": "plan"}]},
]


async def test_a_thread_is_created_with_its_history(api: Api) -> None:
    trips = api.db.round_trips
    thread = await api.json("POST", "/threads", {"metadata": {"graph_id": "sequence"}, "supersteps": STEPS})
    assert api.db.round_trips == trips + 3
    assert (thread["status"], thread["values"]) == ("interrupted", {"log": ["p"]})
    assert await api.json("GET", f"/threads/{thread['thread_id']}") == thread
    history = await api.json("POST", f"/threads/{thread['thread_id']}/history", {"limit": 9})
    assert [(each["metadata"]["source"], each["next"]) for each in history] == [
        ("update", ["write"]),
        ("input", ["__start__"]),
    ]


async def test_a_superstep_may_be_a_command(api: Api) -> None:
    steps = [*STEPS, {"updates": [{"command": {"update": {"log": ["c"]}, "goto": "plan"}, "as_node": "write"}]}]
    thread = await api.json("POST", "/threads", {"metadata": {"graph_id": "sequence"}, "supersteps": steps})
    now = await state(api, thread["thread_id"])
    assert (now["values"]["log"], now["next"]) == (["p", "c"], ["plan"])


@pytest.mark.parametrize(
    ("metadata", "steps", "says"),
    [
        ({}, STEPS, "has no assigned graph ID"),
        ({"graph_id": "gone"}, STEPS, "gone"),
        ({"graph_id": "sequence"}, [*STEPS, {"updates": [{"as_node": "bogus"}]}], "Node bogus does not exist"),
    ],
)
async def test_a_state_that_cannot_be_made_leaves_a_thread_without_one(
    api: Api, metadata: object, steps: object, says: str
) -> None:
    body = {"thread_id": UNKNOWN, "metadata": metadata, "supersteps": steps}
    answer = await api.json("POST", "/threads", body, status=201)
    assert answer["detail"].startswith(f"Thread {UNKNOWN} was created, but there were problems updating the state: ")
    assert says in answer["detail"]
    thread = await api.json("GET", f"/threads/{UNKNOWN}")
    assert (thread["metadata"], thread["values"], thread["status"]) == (metadata, None, "idle")
    assert api.rows("checkpoints") == 0


async def test_a_thread_that_exists_keeps_its_state(api: Api) -> None:
    existing = await api.json("POST", "/threads", {"thread_id": UNKNOWN, "metadata": {"graph_id": "sequence"}})
    for graph_id in ("sequence", "gone"):
        body = {"thread_id": UNKNOWN, "metadata": {"graph_id": graph_id}, "supersteps": STEPS}
        await api.detail("POST", "/threads", body, status=409)
        assert await api.json("POST", "/threads", {**body, "if_exists": "do_nothing"}) == existing
    assert api.rows("checkpoints") == 0


@pytest.mark.parametrize(
    ("steps", "says"),
    [
        ([{"updates": []}], "supersteps.0.updates"),
        ([{}], '"supersteps.0.updates" is a required property'),
        ([{"updates": [{"values": {}}]}], '"supersteps.0.updates.0.as_node" is a required property'),
        ([{"updates": [{"as_node": "plan", "values": 1}]}], "supersteps.0.updates.0.values"),
        ([{"updates": [{"as_node": "plan"}]}] * 201, "supersteps"),
        ("x", "supersteps"),
    ],
)
async def test_supersteps_of_the_wrong_shape_are_refused(api: Api, steps: object, says: str) -> None:
    body = {"metadata": {"graph_id": "sequence"}, "supersteps": steps}
    assert (await api.detail("POST", "/threads", body, status=422)).startswith(says)
    assert api.rows("threads") == 0


# --- as LangGraph itself does it ------------------------------------------------------------------------------------

UPDATES = st.lists(st.sampled_from([("left", 0), ("right", 0), ("last", 0), ("left", 1), ("last", 2)]), max_size=6)


@given(UPDATES, st.integers(0, 3), st.sampled_from([1, 2, 5, 1000]))
@settings(max_examples=40, deadline=None)
async def test_updates_give_what_langgraph_gives_on_another_saver(
    updates: list[tuple[str, int]], runs_before: int, frequency: int
) -> None:
    """Delta channels' values lie in the writes of ancestors, some of which are only drafted."""
    api, graph = Api(), deltas(frequency).compile()
    api.registry.graphs["deltas"] = graph
    thread_id = await api.new_thread(metadata={"graph_id": "deltas"})
    ours, theirs = graph.copy({"checkpointer": api.saver}), graph.copy({"checkpointer": InMemorySaver()})
    config: Any = {"configurable": {"thread_id": thread_id, "checkpoint_ns": ""}}
    for _ in range(runs_before):
        for each in (ours, theirs):
            await each.ainvoke({"log": ["in"], "count": 1}, config)
    for number, (node, back) in enumerate(updates):
        values = {"log": [f"u{number}"], "rare": [f"r{number}"], "count": 1}
        history = [[found async for found in each.aget_state_history(config)] for each in (ours, theirs)]
        at = [each[back].config["configurable"]["checkpoint_id"] if len(each) > back else None for each in history]
        body = {"values": values, "as_node": node, **({"checkpoint_id": at[0]} if at[0] and back else {})}
        await api.json("POST", f"/threads/{thread_id}/state", body)
        fork = {"checkpoint_id": at[1]} if at[1] and back else {}
        await theirs.abulk_update_state(
            {"configurable": {**config["configurable"], **fork}}, [[StateUpdate(values, node)]]
        )
        expected = await theirs.aget_state(config)
        found = await ours.aget_state(config)
        assert (found.values, found.next, found.metadata["step"]) == (
            expected.values,
            expected.next,
            expected.metadata["step"],
        )
        assert json.loads(json.dumps(expected.values)) == (await api.json("GET", f"/threads/{thread_id}"))["values"]


@given(UPDATES.filter(bool), st.sampled_from([1, 2, 1000]))
@settings(max_examples=20, deadline=None)
async def test_supersteps_give_what_langgraph_gives_on_another_saver(
    updates: list[tuple[str, int]], frequency: int
) -> None:
    api, graph = Api(), deltas(frequency).compile()
    api.registry.graphs["deltas"] = graph
    steps = [
        {"updates": [{"values": {"log": [f"{node}{n}"], "count": 1}, "as_node": node}]}
        for n, (node, _) in enumerate(updates)
    ]
    thread = await api.json("POST", "/threads", {"metadata": {"graph_id": "deltas"}, "supersteps": steps})
    theirs = graph.copy({"checkpointer": InMemorySaver()})
    config: Any = {"configurable": {"thread_id": thread["thread_id"]}}
    await theirs.abulk_update_state(
        config, [[StateUpdate(each["values"], each["as_node"]) for each in step["updates"]] for step in steps]
    )
    expected = [found.values async for found in theirs.aget_state_history(config)]
    history = await api.json("POST", f"/threads/{thread['thread_id']}/history", {"limit": 100})
    assert [each["values"] for each in history] == expected
    assert thread["values"] == expected[0]
