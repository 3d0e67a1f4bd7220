"""Lists that only grow are stored as the appended items, and restored byte for byte."""

from typing import Any

import ormsgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, HumanMessage

from checkpoints import appended_values
from checkpoints.appended_values import AppendedValues, Whole, restored
from checkpoints.codec import Blob
from d1_checkpointer import D1Saver
from errors import CheckpointIncomplete, DatabaseError
from ports import Statement
from tests.support.checkpoint_graphs import conversation
from tests.support.sqlite_database import SqliteDatabase

THREAD: Any = {"configurable": {"thread_id": "thread-1", "checkpoint_ns": ""}}
LONG = "a long text " * 100


def blob(version: int, value: Any) -> Blob:
    return Blob("channel", str(version), "msgpack", ormsgpack.packb(value))


@given(st.lists(st.lists(st.integers(0, 300) | st.text(max_size=5), max_size=30), max_size=8), st.integers(0, 7))
def test_every_value_comes_back_from_what_is_stored(pieces: list[list[Any]], replaced_at: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(appended_values, "MIN_BASE_BYTES", 1)
        patch.setattr(appended_values, "MAX_APPENDED", 3)
        known = AppendedValues()
        database: dict[tuple[str, str], Blob] = {}
        value: list[Any] = []
        for version, piece in enumerate(pieces):
            value = piece if version == replaced_at else value + piece
            whole = blob(version, value)
            stored = store(known, whole, database)
            found = restored("channel", str(version), database)
            assert found.typed == (whole.type, whole.data)
            assert found.appended <= 3
            assert (found.appended == 0) == (stored.base is None)


def store(known: AppendedValues, whole: Blob, database: dict[tuple[str, str], Blob]) -> Blob:
    stored = known.shortened("thread", "", whole)
    known.learn_stored("thread", "", whole, stored)
    database["channel", stored.version] = stored
    return stored


def test_only_the_appended_items_are_stored() -> None:
    known = AppendedValues()
    known.learn("thread", "", Whole(blob(1, [LONG] * 20), 0))
    header_of_21_items = b"\xdc\x00\x15"
    assert known.shortened("thread", "", blob(2, [*[LONG] * 20, "new"])).data == header_of_21_items + b"\xa3new"


@pytest.mark.parametrize("value", [[LONG], [*[LONG] * 19, "changed", LONG], {"a": LONG}, LONG * 20, b""])
def test_anything_else_is_stored_whole(value: Any) -> None:
    known = AppendedValues()
    known.learn("thread", "", Whole(blob(1, [LONG] * 20), 0))
    assert known.shortened("thread", "", blob(2, value)) == blob(2, value)


def test_a_value_of_another_thread_or_namespace_is_no_base() -> None:
    known = AppendedValues()
    known.learn("thread", "", Whole(blob(1, [LONG] * 20), 0))
    longer = blob(2, [LONG] * 21)
    assert known.shortened("other", "", longer) == known.shortened("thread", "other", longer) == longer


def test_a_value_that_was_not_stored_is_no_base() -> None:
    known = AppendedValues()
    assert known.shortened("thread", "", blob(1, [LONG] * 20)) == blob(1, [LONG] * 20)
    assert known.shortened("thread", "", blob(2, [LONG] * 21)) == blob(2, [LONG] * 21)


def test_a_list_that_grows_by_equal_pieces_costs_little_more_than_the_pieces() -> None:
    known = AppendedValues()
    database: dict[tuple[str, str], Blob] = {}
    for version in range(200):
        store(known, blob(version, [LONG] * (version + 1)), database)
    stored_bytes = sum(len(stored.data) for stored in database.values())
    assert sum(stored.base is None for stored in database.values()) == 200 // 33 + 1
    assert stored_bytes < 5 * 200 * len(LONG)


@pytest.fixture
def database() -> SqliteDatabase:
    return SqliteDatabase()


async def converse(database: SqliteDatabase, runs: int, **metadata: Any) -> dict[str, Any]:
    """Each run on a saver of its own, as each run of a thread is."""
    for _ in range(runs):
        graph = conversation("planner", "writer").compile(checkpointer=D1Saver(database))
        config: Any = {**THREAD, "metadata": metadata}
        result = await graph.ainvoke({"messages": [HumanMessage(LONG)]}, config)
    return result


def stored_values(database: SqliteDatabase) -> tuple[int, int]:
    """How many values name a base, and the bytes of all."""
    return tuple(database.connection.execute("SELECT COUNT(base), SUM(LENGTH(value)) FROM checkpoint_blobs").fetchone())


async def test_a_conversation_over_many_runs_is_not_stored_as_often_as_it_has_steps(database: SqliteDatabase) -> None:
    final = await converse(database, 30)
    graph = conversation("planner", "writer").compile(checkpointer=D1Saver(database))
    assert (await graph.aget_state(THREAD)).values == final
    lengths = [len(state.values.get("messages", [])) async for state in graph.aget_state_history(THREAD)]
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[:3] == [90, 89, 88]
    serde = D1Saver(database).serde
    whole = sum(len(serde.dumps_typed(final["messages"][:length])[1]) for length in lengths)
    based, stored = stored_values(database)
    assert based > 60
    assert stored < whole / 8


async def test_pruning_and_deleting_runs_keep_the_bases_in_use(database: SqliteDatabase) -> None:
    runs = [f"run-{number}" for number in range(7)]
    for run_id in runs:
        await converse(database, 1, run_id=run_id)
    saver = D1Saver(database)
    graph = conversation("planner", "writer").compile(checkpointer=saver)
    expected = (await graph.aget_state(THREAD)).values
    await saver.adelete_for_runs(runs[:-1])
    assert (await graph.aget_state(THREAD)).values == expected
    await saver.aprune(["thread-1"])
    assert (await graph.aget_state(THREAD)).values == expected
    await saver.acopy_thread("thread-1", "thread-2")
    await saver.adelete_thread("thread-1")
    copy: Any = {"configurable": {"thread_id": "thread-2"}}
    assert (await graph.aget_state(copy)).values == expected
    assert stored_values(database)[0] > 0


async def test_a_base_that_is_gone_fails_the_write_and_the_read(database: SqliteDatabase) -> None:
    saver = D1Saver(database, guard=Statement("SELECT 1"))
    versions = {"messages": "1"}
    checkpoint: Any = {"v": 4, "id": "1", "ts": "", "versions_seen": {}, "channel_versions": versions}
    messages = [AIMessage(LONG, id=str(n)) for n in range(9)]
    stored = await saver.aput(THREAD, {**checkpoint, "channel_values": {"messages": messages}}, {"step": 1}, versions)
    longer: Any = {**checkpoint, "id": "2", "channel_values": {"messages": [*messages, "new"]}}
    versions["messages"] = "2"
    stored = await saver.aput(stored, longer, {"step": 2}, versions)
    assert stored_values(database)[0] == 1
    database.connection.execute("DELETE FROM checkpoint_blobs WHERE version = '1'")
    with pytest.raises(CheckpointIncomplete, match="'messages' at version 1"):
        await saver.aget_tuple(stored)
    database.connection.execute("DELETE FROM checkpoint_blobs WHERE version = '2'")
    versions["messages"] = "3"
    # Not as a run that was taken over: this attempt may go on with a saver that stores the value whole.
    with pytest.raises(DatabaseError, match="integer overflow"):
        await saver.aput(stored, {**longer, "id": "3"}, {"step": 3}, versions)
