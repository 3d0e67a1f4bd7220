"""What a run stores through the D1 saver, at what cost, and what happens when the database fails."""

import enum
import json
from typing import Any, TypedDict

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import StateGraph
from langgraph.types import Command, interrupt
from pydantic import BaseModel

from checkpoints.codec import FORMAT, PART_BYTES
from checkpoints.group_commit import fence
from d1_checkpointer import CommittedCheckpoint, D1Saver
from errors import CheckpointIncomplete, CheckpointTooLarge, DatabaseError, StaleAttempt, UnknownCheckpointFormat
from tests.support.checkpoint_graphs import FailingDatabase, chain, conversation
from tests.support.sqlite_database import SqliteDatabase

THREAD: Any = {"configurable": {"thread_id": "thread-1", "checkpoint_ns": ""}}
METADATA: Any = {"source": "loop", "step": 1, "parents": {}}


@pytest.fixture
def database() -> SqliteDatabase:
    return SqliteDatabase()


def checkpoint(checkpoint_id: str, values: dict[str, Any] | None = None, **more: Any) -> Any:
    values = values or {}
    return {
        "v": 4,
        "id": checkpoint_id,
        "ts": "2026-11-21T07:00:00+00:00",
        "channel_values": values,
        "channel_versions": {channel: f"{int(checkpoint_id):032}.0.5" for channel in values},
        "versions_seen": {},
        "updated_channels": None,
        **more,
    }


async def put(saver: D1Saver, checkpoint_id: str, values: dict[str, Any] | None = None, **metadata: Any) -> Any:
    stored = checkpoint(checkpoint_id, values)
    return await saver.aput(THREAD, stored, {**METADATA, **metadata}, stored["channel_versions"])


async def test_a_super_step_is_one_round_trip_and_three_rows(database: SqliteDatabase) -> None:
    graph = conversation("planner", "researcher", "writer", "editor").compile(checkpointer=D1Saver(database))
    migrated = database.rows_written
    await graph.ainvoke({"messages": [("user", "go")]}, THREAD, durability="sync")
    # One read; then the input, the first step (which has no writes before it) and four nodes.
    assert database.round_trips == 1 + 6
    assert database.rows_written - migrated == 2 + 5 * 3


async def test_an_unchanged_channel_is_not_written_again(database: SqliteDatabase) -> None:
    graph = conversation("planner", "writer").compile(checkpointer=D1Saver(database))
    await graph.ainvoke({"messages": [("user", "go")], "document": {"text": "x" * 5000}}, THREAD)
    versions = database.connection.execute("SELECT version FROM checkpoint_blobs WHERE channel = 'document'").fetchall()
    assert len(versions) == 1
    texts = [len(state.values["document"]["text"]) async for state in graph.aget_state_history(THREAD, limit=3)]
    assert texts == [5000, 5000, 5000]


async def test_a_step_costs_little_more_than_its_new_state(database: SqliteDatabase) -> None:
    class State(TypedDict):
        page: str

    def page(state: State) -> dict[str, str]:
        return {"page": f"{len(state['page']) % 7}" * 20_000}

    steps = 20
    graph = chain(StateGraph(State), {f"page{n}": page for n in range(steps)}).compile(checkpointer=D1Saver(database))
    await graph.ainvoke({"page": ""}, THREAD, durability="sync")
    stored = database.connection.execute(
        "SELECT (SELECT SUM(LENGTH(value)) FROM checkpoint_blobs)"
        " + (SELECT SUM(LENGTH(checkpoint) + LENGTH(metadata)) FROM checkpoints)"
    ).fetchone()[0]
    assert stored < 1.3 * steps * 20_000


@pytest.mark.parametrize(
    "value",
    [
        *(None, True, 0, -(2**70), 1.5, float("inf"), float("-inf"), "", "é\ud800\0", "long " * 100),
        *(b"", b"\x00\xff", [], {"a": [1, None]}, {1, 2}),
    ],
)
async def test_a_value_comes_back_as_it_was(database: SqliteDatabase, value: Any) -> None:
    await put(D1Saver(database), "1", {"channel": value})
    found = await D1Saver(database).aget_tuple(THREAD)
    assert found
    assert found.checkpoint == checkpoint("1", {"channel": value})
    assert type(found.checkpoint["channel_values"]["channel"]) is type(value)


async def test_a_channel_without_a_value_stays_without(database: SqliteDatabase) -> None:
    stored = checkpoint("1", channel_versions={"empty": 3}, versions_seen={"node": {"empty": 2}})
    await D1Saver(database).aput(THREAD, stored, METADATA, {"empty": 3})
    found = await D1Saver(database).aget_tuple(THREAD)
    assert found
    assert found.checkpoint == stored


async def test_values_writes_and_bodies_above_the_row_limit_are_split(database: SqliteDatabase) -> None:
    large = {"bytes": bytes(range(256)) * 40_000, "text": "é" * (PART_BYTES + 1)}
    many = {f"channel-{n}-{'x' * 100}": n for n in range(8000)}
    saver = D1Saver(database)
    stored = await put(saver, "1", {"large": large, **many})
    await saver.aput_writes(stored, [("large", large), ("small", 1)], "task-1")
    found = await D1Saver(database).aget_tuple(THREAD)
    assert found
    assert found.checkpoint == checkpoint("1", {"large": large, **many})
    assert found.pending_writes == [("task-1", "large", large), ("task-1", "small", 1)]


async def test_writes_that_a_crash_cut_off_between_their_parts_do_not_count(database: SqliteDatabase) -> None:
    saver = D1Saver(database)
    stored = await put(saver, "1")
    await saver.aput_writes(stored, [("channel", b"x" * 2 * PART_BYTES)], "task-1")
    database.connection.execute("DELETE FROM checkpoint_writes WHERE part = 1")
    await saver.aput_writes(stored, [("channel", "whole")], "task-2")
    found = await saver.aget_tuple(THREAD)
    assert found
    assert found.pending_writes == [("task-2", "channel", "whole")]


async def test_metadata_too_large_for_a_row_is_refused_by_name(database: SqliteDatabase) -> None:
    with pytest.raises(CheckpointTooLarge, match="metadata has 6000"):
        await put(D1Saver(database), "1", note="x" * 600_000)


async def test_of_two_results_of_a_task_the_first_counts_and_of_two_interrupts_the_last(
    database: SqliteDatabase,
) -> None:
    saver = D1Saver(database)
    stored = await put(saver, "1")
    await saver.aput_writes(stored, [("__interrupt__", "first")], "task-1", "b")
    await saver.aput_writes(stored, [("__interrupt__", "last")], "task-1", "b")
    await saver.aput_writes(stored, [("channel", "first"), ("other", 1)], "task-1", "b")
    await saver.aput_writes(stored, [("channel", "last"), ("other", 1), ("third", 1)], "task-1", "b")
    await saver.aput_writes(stored, [("channel", "earlier path")], "task-2", "a")
    found = await saver.aget_tuple(THREAD)
    assert found
    assert found.pending_writes == [
        ("task-2", "channel", "earlier path"),
        ("task-1", "__interrupt__", "last"),
        ("task-1", "channel", "first"),
        ("task-1", "other", 1),
        ("task-1", "third", 1),
    ]


async def test_what_one_run_wrote_is_told_without_what_others_did(database: SqliteDatabase) -> None:
    saver = D1Saver(database)
    stored = await put(saver, "1")
    for run_id in ("run-1", "run-2"):
        config = {**stored, "configurable": {**stored["configurable"], "run_id": run_id}}
        await saver.aput_writes(config, [("channel", run_id)], "task-1")
    for run_id, written in (("run-1", ["run-1"]), ("run-2", ["run-2"]), ("run-3", [])):
        found = await saver.of_run(run_id).aget_tuple(THREAD)
        assert found
        assert [value for _, _, value in found.pending_writes or ()] == written


@pytest.mark.parametrize("lost", range(2, 8))
async def test_a_lost_batch_fails_the_run_and_the_next_goes_on_from_what_is_stored(
    database: SqliteDatabase, lost: int
) -> None:
    graph = conversation("planner", "researcher", "writer", "editor")
    failing = FailingDatabase(database, [lost])
    with pytest.raises(DatabaseError, match=f"batch {lost} was lost"):
        await graph.compile(checkpointer=D1Saver(failing)).ainvoke(
            {"messages": [HumanMessage("go", id="1")]}, THREAD, durability="sync"
        )
    resumed = graph.compile(checkpointer=D1Saver(database))
    again = {"messages": [HumanMessage("go", id="1")]} if lost == 2 else None
    final = await resumed.ainvoke(again, THREAD, durability="sync")
    assert [message.content for message in final["messages"]] == [
        *("go", "planner answers 1", "researcher answers 2", "writer answers 3", "editor answers 4"),
    ]


async def test_an_executor_that_was_replaced_writes_nothing(database: SqliteDatabase) -> None:
    database.connection.execute(
        "INSERT INTO runs (thread_id, run_id, assistant_id, status, attempt, multitask_strategy, metadata, kwargs,"
        " created_at, updated_at, format)"
        " VALUES ('thread-1', 'run-1', 'a', 'running', 2, 'reject', '{}', '{}', '', '', 1)"
    )
    graph = conversation("planner", "writer")
    await graph.compile(checkpointer=D1Saver(database, guard=fence("thread-1", "run-1", 2))).ainvoke(
        {"messages": []}, THREAD
    )
    before = database.rows_written
    with pytest.raises(StaleAttempt):
        await graph.compile(checkpointer=D1Saver(database, guard=fence("thread-1", "run-1", 1))).ainvoke(
            {"messages": []}, THREAD
        )
    assert database.rows_written == before


async def test_commits_are_announced_in_order_once_they_can_be_read(database: SqliteDatabase) -> None:
    announced: list[CommittedCheckpoint] = []
    readable: list[int] = []

    def on_commit(committed: CommittedCheckpoint) -> None:
        announced.append(committed)
        readable.append(database.connection.execute("SELECT COUNT(*) FROM checkpoints").fetchone()[0])

    graph = conversation("planner", "writer").compile(checkpointer=D1Saver(database, on_commit=on_commit))
    config: Any = {**THREAD, "metadata": {"run_id": "run-1"}}
    await graph.ainvoke({"messages": []}, config)
    assert [(c.thread_id, c.checkpoint_ns, c.step, c.run_id) for c in announced] == [
        ("thread-1", "", step, "run-1") for step in (-1, 0, 1, 2)
    ]
    assert readable == [1, 2, 3, 4]
    history = [state.config["configurable"]["checkpoint_id"] async for state in graph.aget_state_history(THREAD)]
    assert [c.checkpoint_id for c in reversed(announced)] == history


async def test_an_interrupt_is_answered_by_another_instance(database: SqliteDatabase) -> None:
    class State(TypedDict):
        answers: list[str]

    def ask(_: State) -> dict[str, list[str]]:
        return {"answers": [interrupt("first?"), interrupt("second?")]}

    builder = chain(StateGraph(State), {"ask": ask})

    async def say(message: Any) -> Any:
        return await builder.compile(checkpointer=D1Saver(database)).ainvoke(message, THREAD)

    asked = await say({"answers": []})
    assert [question.value for question in asked["__interrupt__"]] == ["first?"]
    asked = await say(Command(resume="one"))
    assert [question.value for question in asked["__interrupt__"]] == ["second?"]
    assert await say(Command(resume="two")) == {"answers": ["one", "two"]}


async def test_a_listing_goes_on_over_pages_and_filters_by_metadata(database: SqliteDatabase) -> None:
    saver = D1Saver(database)
    for number in range(25):
        await put(saver, f"{number:03}", {"n": [number]}, step=number, tags={"even": number % 2 == 0, "by": "me"})

    async def listed(**options: Any) -> list[int]:
        return [found.checkpoint["channel_values"]["n"][0] async for found in saver.alist(THREAD, **options)]

    assert await listed() == list(range(24, -1, -1))
    assert await listed(limit=13) == list(range(24, 11, -1))
    assert await listed(limit=0) == []
    assert await listed(limit=4, before={"configurable": {"checkpoint_id": "011"}}) == [10, 9, 8, 7]
    assert await listed(filter={"tags": {"even": True}}, limit=11) == list(range(24, 3, -2))
    assert await listed(filter={"step": 3, "source": "loop"}) == [3]
    assert await listed(filter={"source": "input"}) == []
    assert await listed(filter={'odd"key': 1}) == []


async def test_a_listing_goes_on_over_any_number_of_pages(database: SqliteDatabase) -> None:
    """D1 takes a hundred parameters."""
    saver = D1Saver(database)
    for number in range(400):
        await put(saver, f"{number:04}")
    assert len([saved async for saved in saver.alist(THREAD)]) == 400


async def test_a_listing_without_a_thread_shows_every_one(database: SqliteDatabase) -> None:
    saver = D1Saver(database)
    await put(saver, "1")
    for number in range(12):
        await saver.acopy_thread("thread-1", f"copy-{number:02}")
    threads = [found.config["configurable"]["thread_id"] async for found in saver.alist(None)]
    assert sorted(threads) == [*(f"copy-{number:02}" for number in range(12)), "thread-1"]


class Colour(enum.StrEnum):
    RED = "red"


class Invoice(BaseModel):
    number: int
    colour: Colour


class Account(TypedDict):
    invoice: Invoice
    colour: Colour
    anything: Any


class Undeclared(BaseModel):
    secret: str


async def test_classes_that_a_graph_declares_come_back_and_others_only_as_data(database: SqliteDatabase) -> None:
    def fill(_: Account) -> Account:
        return {
            "invoice": Invoice(number=1, colour=Colour.RED),
            "colour": Colour.RED,
            "anything": [Undeclared(secret="x"), AIMessage("hello", id="1")],
        }

    builder = chain(StateGraph(Account), {"fill": fill})
    await builder.compile(checkpointer=D1Saver(database)).ainvoke({}, THREAD)
    values = (await builder.compile(checkpointer=D1Saver(database)).aget_state(THREAD)).values
    assert values["invoice"] == Invoice(number=1, colour=Colour.RED)
    assert values["colour"] is Colour.RED
    assert values["anything"] == [{"secret": "x"}, AIMessage("hello", id="1")]


async def test_a_thread_of_another_saver_goes_on_here(database: SqliteDatabase) -> None:
    graph = conversation("planner", "writer")
    memory, saver = InMemorySaver(), D1Saver(database)
    await graph.compile(checkpointer=memory).ainvoke({"messages": [HumanMessage("go", id="1")]}, THREAD)
    for (thread_id, checkpoint_ns, channel, version), (type_, data) in memory.blobs.items():
        if type_ != "empty":
            values = (thread_id, checkpoint_ns, channel, f"~{str(version).lstrip('0')}", 0, FORMAT, type_, None, data)
            database.connection.execute("INSERT INTO checkpoint_blobs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", values)
    found = memory.get_tuple(THREAD)
    assert found
    # No versions are new: the values are those bytes that the other saver's serializer wrote.
    config: Any = {"configurable": {**THREAD["configurable"]}}
    await saver.aput(config, found.checkpoint, found.metadata, {})
    here = graph.compile(checkpointer=saver)
    assert (await here.aget_state(THREAD)).values == found.checkpoint["channel_values"]
    final = await here.ainvoke({"messages": [HumanMessage("again", id="2")]}, THREAD)
    assert len(final["messages"]) == 6


async def test_the_stored_bytes_are_those_of_the_stock_serializer(database: SqliteDatabase) -> None:
    value = [HumanMessage("go", id="1"), AIMessage("done", id="2")]
    await put(D1Saver(database), "1", {"messages": value})
    [row] = database.connection.execute("SELECT type, value FROM checkpoint_blobs").fetchall()
    assert tuple(row) == InMemorySaver().serde.dumps_typed(value)


async def test_a_row_of_a_later_release_is_refused_not_misread(database: SqliteDatabase) -> None:
    await put(D1Saver(database), "1")
    database.connection.execute("UPDATE checkpoints SET format = format + 1")
    with pytest.raises(UnknownCheckpointFormat, match=f"format {FORMAT + 1}; this release reads up to {FORMAT}"):
        await D1Saver(database).aget_tuple(THREAD)


async def test_a_checkpoint_whose_value_is_missing_is_an_error_not_an_empty_channel(database: SqliteDatabase) -> None:
    await put(D1Saver(database), "1", {"messages": ["x"]})
    database.connection.execute("DELETE FROM checkpoint_blobs")
    with pytest.raises(CheckpointIncomplete, match="checkpoint 1 of thread thread-1: the value of channel 'messages'"):
        await D1Saver(database).aget_tuple(THREAD)


async def test_a_row_stored_by_the_first_release_still_loads(database: SqliteDatabase) -> None:
    body = {
        "channel_values": {"small": 1},
        "blobs": {"messages": "~2.0.25"},
        "v": 4,
        "ts": "2026-11-21T07:00:00+00:00",
        "updated_channels": ["messages"],
        "versions": ["~2.0.25", "~1.0.5"],
        "channel_versions": {"messages": 0, "small": 1},
        "versions_seen": {"node": {"small": 1}},
    }
    execute = database.connection.execute
    execute(
        "INSERT INTO checkpoints VALUES ('thread-1', '', 'b', 'a', 1, ?, ?)", (json.dumps(body), '{"step":1}')
    )  # fmt: skip
    execute(
        "INSERT INTO checkpoint_blobs VALUES ('thread-1', '', 'messages', '~2.0.25', 1, 1, 'msgpack', NULL, x'a178')"
    )
    execute(
        "INSERT INTO checkpoint_blobs VALUES ('thread-1', '', 'messages', '~2.0.25', 0, 1, 'msgpack', NULL, x'92a179')"
    )
    execute(
        "INSERT INTO checkpoint_writes VALUES ('thread-1', '', 'b', 'task', 0, 0, 1, 'run', '', ?, x'07')",
        (json.dumps([[0, "small", "msgpack", 1], [-3, "__interrupt__", "null", 0]]),),
    )
    found = await D1Saver(database).aget_tuple(THREAD)
    assert found
    assert found.checkpoint == {
        "v": 4,
        "id": "b",
        "ts": "2026-11-21T07:00:00+00:00",
        "updated_channels": ["messages"],
        "channel_values": {"messages": ["y", "x"], "small": 1},
        "channel_versions": {"messages": f"{2:032}.0.25", "small": f"{1:032}.0.5"},
        "versions_seen": {"node": {"small": f"{1:032}.0.5"}},
    }
    assert found.metadata == {"step": 1}
    assert found.parent_config == {"configurable": {**THREAD["configurable"], "checkpoint_id": "a"}}
    assert found.pending_writes == [("task", "__interrupt__", None), ("task", "small", 7)]


async def test_versions_are_those_of_the_other_savers(database: SqliteDatabase) -> None:
    saver = D1Saver(database)
    first = saver.get_next_version(None, None)
    assert first.startswith(f"{1:032}.0.")
    assert saver.get_next_version(first, None).startswith(f"{2:032}.0.")
    assert saver.get_next_version(first, None) != saver.get_next_version(first, None)
    assert saver.get_next_version(7, None).startswith(f"{8:032}.0.")  # type: ignore[arg-type]


async def test_where_nothing_can_wait_a_synchronous_call_says_so(database: SqliteDatabase) -> None:
    with pytest.raises(NotImplementedError, match="asynchronous"):
        D1Saver(database).get_tuple(THREAD)
