"""Lists that only grow are stored as what was appended, and come back byte for byte."""

from dataclasses import replace
from typing import Any

import ormsgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, HumanMessage

import appended_values
from appended_values import AppendedValues, restored
from checkpoint_codec import Blob
from d1_checkpointer import D1Saver
from errors import CheckpointIncomplete, DatabaseError
from tests.support.checkpoint_graphs import conversation
from tests.support.sqlite_database import SqliteDatabase

THREAD: Any = {"configurable": {"thread_id": "thread-1", "checkpoint_ns": ""}}
LONG = "a long text " * 100


def blob(version: int, value: Any) -> Blob:
    return Blob("channel", str(version), "msgpack", ormsgpack.packb(value))


@given(st.lists(st.lists(st.integers() | st.text(max_size=5), max_size=30), max_size=8), st.integers(0, 7))
def test_every_value_comes_back_from_what_is_stored(pieces: list[list[Any]], replaced_at: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(appended_values, "MIN_BASE_BYTES", 1)
        known = AppendedValues()
        database: dict[str | None, Blob] = {}
        value: list[Any] = []
        for version, piece in enumerate(pieces):
            value = piece if version == replaced_at else value + piece
            try:
                whole = blob(version, value)
            except TypeError:  # an integer that MessagePack does not take
                return
            stored = known.shortened("thread", "", whole)
            known.learn("thread", "", [stored])
            database[stored.version] = stored
            assert stored == whole or restored(stored.data, database[stored.base].data) == whole.data
            assert stored.base is None or database[stored.base].base is None


def test_only_the_appended_items_are_stored() -> None:
    known = AppendedValues()
    known.learn("thread", "", [blob(1, [LONG] * 20)])
    assert (
        known.shortened("thread", "", blob(2, [*[LONG] * 20, "new"])).data
        == ormsgpack.packb([None] * 21)[:3] + b"\xa3new"
    )


@pytest.mark.parametrize("value", [[LONG], [*[LONG] * 19, "changed", LONG], {"a": LONG}, LONG * 20, b""])
def test_anything_else_is_stored_whole(value: Any) -> None:
    known = AppendedValues()
    known.learn("thread", "", [blob(1, [LONG] * 20)])
    assert known.shortened("thread", "", blob(2, value)) == blob(2, value)


def test_a_value_of_another_thread_or_namespace_is_no_base() -> None:
    known = AppendedValues()
    known.learn("thread", "", [blob(1, [LONG] * 20)])
    longer = blob(2, [LONG] * 21)
    assert known.shortened("other", "", longer) == known.shortened("thread", "other", longer) == longer


def test_a_value_is_stored_whole_again_before_the_appended_rows_outgrow_their_base() -> None:
    known = AppendedValues()
    value, stored_bytes, whole = [LONG] * 10, 0, 0
    for version in range(200):
        value = [*value, LONG]
        stored = known.shortened("thread", "", blob(version, value))
        known.learn("thread", "", [stored])
        stored_bytes += len(stored.data)
        whole += stored.base is None
    assert stored_bytes < 2.1 * sum(len(blob(0, [LONG] * n).data) for n in range(11, 211)) / 10
    assert 5 < whole < 40


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
    assert stored < whole / 4


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
    assert stored_values(database)[0] == 1


async def test_a_base_that_is_gone_fails_the_write_and_the_read(database: SqliteDatabase) -> None:
    saver = D1Saver(database)
    versions = {"messages": "1"}
    checkpoint: Any = {"v": 4, "id": "1", "ts": "", "versions_seen": {}, "channel_versions": versions}
    messages = [AIMessage(LONG, id=str(n)) for n in range(9)]
    stored = await saver.aput(THREAD, {**checkpoint, "channel_values": {"messages": messages}}, {"step": 1}, versions)
    longer: Any = {**checkpoint, "id": "2", "channel_values": {"messages": [*messages, "new"]}}
    versions["messages"] = "2"
    stored = await saver.aput(stored, longer, {"step": 2}, versions)
    assert stored_values(database)[0] == 1
    database.connection.execute("DELETE FROM checkpoint_blobs WHERE version = '1'")
    with pytest.raises(CheckpointIncomplete, match="'messages' at version 2"):
        await saver.aget_tuple(stored)
    versions["messages"] = "3"
    with pytest.raises(DatabaseError):
        await saver.aput(stored, {**longer, "id": "3"}, {"step": 3}, versions)


async def test_a_lost_batch_is_no_base(database: SqliteDatabase) -> None:
    known = AppendedValues()
    first = blob(1, [LONG] * 20)
    assert known.shortened("thread", "", first) == first  # sent, never learned: the batch was lost
    assert known.shortened("thread", "", replace(first, version="2")) == replace(first, version="2")
