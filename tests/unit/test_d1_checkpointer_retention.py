"""What deletions leave in the tables, apart from delta channels."""

from typing import Any, TypedDict

import pytest
from langgraph.graph import StateGraph
from langgraph.types import Command, interrupt

from checkpoints import deletion
from d1_checkpointer import D1Saver
from tests.support.checkpoint_graphs import chain, conversation
from tests.support.sqlite_database import SqliteDatabase

THREAD: Any = {"configurable": {"thread_id": "thread-1", "checkpoint_ns": ""}}
TABLES = ("checkpoints", "checkpoint_blobs", "checkpoint_writes")


@pytest.fixture
def database() -> SqliteDatabase:
    return SqliteDatabase()


def counts(database: SqliteDatabase) -> list[int]:
    return [database.connection.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0] for table in TABLES]


def unused_values(database: SqliteDatabase) -> list[Any]:
    """The values that no checkpoint needs, neither by name nor because another builds on them."""
    return database.connection.execute(
        """
        WITH RECURSIVE needed (channel, version) AS (
            SELECT key, value FROM checkpoints, json_each(checkpoint, '$.blobs')
            UNION
            SELECT b.channel, b.base FROM needed JOIN checkpoint_blobs AS b USING (channel, version)
        )
        SELECT channel, version FROM checkpoint_blobs EXCEPT SELECT * FROM needed
        """
    ).fetchall()


def namespaces(database: SqliteDatabase) -> list[str]:
    rows = database.connection.execute("SELECT DISTINCT checkpoint_ns FROM checkpoints ORDER BY 1").fetchall()
    return [row["checkpoint_ns"].split(":")[0] for row in rows]


async def converse(saver: D1Saver, *run_ids: str) -> dict[str, Any]:
    """One run of the graph for each id; the state after the last."""
    graph = conversation("planner", "writer").compile(checkpointer=saver)
    document = {"text": "x" * 1000}
    for run_id in run_ids:
        config: Any = {**THREAD, "metadata": {"run_id": run_id}}
        await graph.ainvoke({"messages": [("user", "go")], "document": document}, config)
    return (await graph.aget_state(THREAD)).values


async def test_pruning_keeps_one_checkpoint_and_only_its_values(database: SqliteDatabase) -> None:
    saver = D1Saver(database)
    final = await converse(saver, "run-1", "run-2", "run-3")
    await saver.aprune(["thread-1"])
    assert counts(database)[::2] == [1, 0]
    assert unused_values(database) == []
    graph = conversation("planner", "writer").compile(checkpointer=saver)
    state = await graph.aget_state(THREAD)
    assert state.values == final
    assert state.parent_config is None


async def test_pruning_more_checkpoints_than_a_page_ends_the_same(
    database: SqliteDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deletion, "PAGE_OUTLINES", 2)
    await converse(D1Saver(database), "run-1", "run-2", "run-3")
    await D1Saver(database).aprune(["thread-1"])
    assert counts(database)[::2] == [1, 0]
    assert unused_values(database) == []


async def test_an_unknown_strategy_is_refused(database: SqliteDatabase) -> None:
    with pytest.raises(ValueError, match="unknown pruning strategy 'all'"):
        await D1Saver(database).aprune(["thread-1"], strategy="all")


@pytest.mark.parametrize("thread_id", [None, "thread-1"])
async def test_deleting_a_run_deletes_what_only_it_stored(database: SqliteDatabase, thread_id: str | None) -> None:
    saver = D1Saver(database)
    first = await converse(saver, "run-1")
    before = counts(database)
    await converse(saver, "run-2")
    await saver.adelete_for_runs(["run-2"], thread_id=thread_id)
    assert counts(database) == before
    assert (await conversation("planner", "writer").compile(checkpointer=saver).aget_state(THREAD)).values == first


async def test_deleting_a_thread_leaves_nothing_of_it(database: SqliteDatabase) -> None:
    saver = D1Saver(database)
    await converse(saver, "run-1")
    await saver.acopy_thread("thread-1", "thread-2")
    whole = counts(database)
    await saver.adelete_thread("thread-2")
    assert counts(database) == [count // 2 for count in whole]
    await saver.adelete_thread("thread-1")
    assert counts(database) == [0, 0, 0]


async def test_copying_twice_changes_nothing(database: SqliteDatabase) -> None:
    saver = D1Saver(database)
    await converse(saver, "run-1")
    await saver.acopy_thread("thread-1", "thread-2")
    whole = counts(database)
    await saver.acopy_thread("thread-1", "thread-2")
    assert counts(database) == whole


class State(TypedDict):
    answer: str


def with_subgraph(**compile_options: Any) -> StateGraph:
    inner = chain(StateGraph(State), {"ask": lambda _: {"answer": interrupt("what?")}}).compile(**compile_options)
    return chain(StateGraph(State), {"before": lambda _: {"answer": "none"}, "inner": inner})


async def test_pruning_spares_a_subgraph_that_waits_for_an_answer(database: SqliteDatabase) -> None:
    graph = with_subgraph().compile(checkpointer=D1Saver(database))
    await graph.ainvoke({"answer": ""}, THREAD)
    await D1Saver(database).aprune(["thread-1"])
    assert namespaces(database) == ["", "inner"]
    assert await graph.ainvoke(Command(resume="that"), THREAD) == {"answer": "that"}


async def test_pruning_drops_the_namespace_of_a_finished_subgraph_call(database: SqliteDatabase) -> None:
    graph = with_subgraph().compile(checkpointer=D1Saver(database))
    await graph.ainvoke({"answer": ""}, THREAD)
    await graph.ainvoke(Command(resume="that"), THREAD)
    await D1Saver(database).aprune(["thread-1"])
    assert namespaces(database) == [""]
    assert (await graph.aget_state(THREAD)).values == {"answer": "that"}


async def test_pruning_keeps_a_subgraph_with_memory_of_its_own(database: SqliteDatabase) -> None:
    graph = with_subgraph(checkpointer=True).compile(checkpointer=D1Saver(database))
    await graph.ainvoke({"answer": ""}, THREAD)
    await graph.ainvoke(Command(resume="that"), THREAD)
    await D1Saver(database).aprune(["thread-1"])
    assert namespaces(database) == ["", "inner"]
