"""Delta channels on the D1 saver: their state is in the writes of ancestors, and nothing may lose it."""

import operator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.memory import InMemorySaver

from checkpoints import delta_history
from d1_checkpointer import D1Saver
from tests.support.checkpoint_graphs import deltas
from tests.support.sqlite_database import SqliteDatabase

THREAD: Any = {"configurable": {"thread_id": "thread-1", "checkpoint_ns": ""}}
CHANNELS = ("log", "rare")


@pytest.fixture
def database() -> SqliteDatabase:
    return SqliteDatabase()


async def run(saver: BaseCheckpointSaver[Any], times: int, *, frequency: int = 4, **config: Any) -> dict[str, Any]:
    """Run the graph on a saver `times` times, each as a new instance would; the final state."""
    thread = {"configurable": {**THREAD["configurable"]}, **config}
    graph = deltas(frequency).compile(checkpointer=saver)
    for _ in range(times):
        await graph.ainvoke({"log": ["input"], "count": 1}, thread)
    return (await graph.aget_state(THREAD)).values


@pytest.mark.parametrize("frequency", [1, 2, 5, 1000])
async def test_every_new_instance_finds_the_state_of_one_that_never_stopped(
    database: SqliteDatabase, frequency: int
) -> None:
    memory = InMemorySaver()
    for _ in range(4):
        expected = await run(memory, 1, frequency=frequency)
        assert await run(D1Saver(database), 1, frequency=frequency) == expected
    history = [
        state.values async for state in deltas(frequency).compile(checkpointer=memory).aget_state_history(THREAD)
    ]
    here = deltas(frequency).compile(checkpointer=D1Saver(database))
    assert [state.values async for state in here.aget_state_history(THREAD)] == history


@pytest.mark.parametrize("page", [1, 2, 500])
async def test_the_history_is_that_of_walking_checkpoint_by_checkpoint(
    database: SqliteDatabase, page: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delta_history, "PAGE_ANCESTORS", page)
    saver = D1Saver(database)
    await run(saver, 5)
    async for found in saver.alist(THREAD):
        walked = await BaseCheckpointSaver.aget_delta_channel_history(saver, config=found.config, channels=CHANNELS)
        assert await saver.aget_delta_channel_history(config=found.config, channels=CHANNELS) == walked
    latest = await BaseCheckpointSaver.aget_delta_channel_history(saver, config=THREAD, channels=["log"])
    assert await saver.aget_delta_channel_history(config=THREAD, channels=["log"]) == latest


async def test_the_history_of_a_hundred_ancestors_is_one_round_trip(database: SqliteDatabase) -> None:
    saver = D1Saver(database)
    await run(saver, 25, frequency=1000)
    before = database.round_trips
    history = await saver.aget_delta_channel_history(config=THREAD, channels=CHANNELS)
    assert len(history["log"]["writes"]) == 100
    assert database.round_trips == before + 1


async def test_the_history_of_no_channels_and_of_no_thread_is_empty(database: SqliteDatabase) -> None:
    saver = D1Saver(database)
    assert await saver.aget_delta_channel_history(config=THREAD, channels=[]) == {}
    assert await saver.aget_delta_channel_history(config=THREAD, channels=["log"]) == {"log": {"writes": []}}


async def test_a_thread_from_before_the_channel_was_a_delta_channel_seeds_it(database: SqliteDatabase) -> None:
    saver = D1Saver(database)
    versions = {"log": f"{1:032}.0.5"}
    plain: Any = {
        "v": 4,
        "id": "1",
        "ts": "",
        "versions_seen": {},
        "updated_channels": None,
        "channel_values": {"log": "inline"},
        "channel_versions": versions,
    }
    parent = await saver.aput(THREAD, plain, {"source": "loop", "step": 0, "parents": {}}, versions)
    await saver.aput_writes(parent, [("log", ["later"]), ("other", 1)], "task")
    await saver.aput(parent, {**plain, "id": "2", "channel_values": {}}, {"step": 1}, {})
    history = await saver.aget_delta_channel_history(config=THREAD, channels=["log"])
    assert history == {"log": {"writes": [("task", "log", ["later"])], "seed": "inline"}}


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(frequency=st.integers(1, 12), before=st.integers(1, 4), after=st.integers(0, 3))
async def test_pruning_keeps_what_the_latest_state_is_rebuilt_from(frequency: int, before: int, after: int) -> None:
    database = SqliteDatabase()
    expected = await run(D1Saver(database), before, frequency=frequency)
    await D1Saver(database).aprune(["thread-1"])
    graph = deltas(frequency).compile(checkpointer=D1Saver(database))
    assert (await graph.aget_state(THREAD)).values == expected
    await D1Saver(database).aprune(["thread-1"])
    memory = InMemorySaver()
    whole = await run(memory, before + after, frequency=frequency)
    assert await run(D1Saver(database), after, frequency=frequency) == whole


async def test_pruning_drops_the_ancestors_before_the_snapshots(database: SqliteDatabase) -> None:
    saver = D1Saver(database)
    await run(saver, 10, frequency=1)
    await saver.aprune(["thread-1"])
    kept = [found.metadata["step"] async for found in saver.alist(THREAD)]
    assert 1 <= len(kept) < 12
    unnamed = database.connection.execute(
        "SELECT channel, version FROM checkpoint_blobs EXCEPT"
        " SELECT key, value FROM checkpoints, json_each(checkpoint, '$.blobs')"
    )
    assert unnamed.fetchall() == []


async def test_deleting_a_run_keeps_the_writes_that_later_runs_build_on(database: SqliteDatabase) -> None:
    saver = D1Saver(database)
    for name in ("run-1", "run-2", "run-3"):
        expected = await run(saver, 1, frequency=1000, metadata={"run_id": name})
    await saver.adelete_for_runs(["run-1", "run-2"])
    assert (await deltas(1000).compile(checkpointer=saver).aget_state(THREAD)).values == expected


@pytest.mark.parametrize("frequency", [1, 3, 1000])
async def test_deleting_the_last_run_takes_back_all_that_it_wrote(database: SqliteDatabase, frequency: int) -> None:
    saver = D1Saver(database)
    expected = await run(saver, 1, frequency=frequency, metadata={"run_id": "run-1"})
    await run(saver, 1, frequency=frequency, metadata={"run_id": "run-2"})
    await saver.adelete_for_runs(["run-2"], thread_id="thread-1")
    graph = deltas(frequency).compile(checkpointer=saver)
    assert (await graph.aget_state(THREAD)).values == expected
    memory = InMemorySaver()
    await run(memory, 2, frequency=frequency)
    assert (
        await run(saver, 1, frequency=frequency, metadata={"run_id": "run-3"})
        == (await deltas(frequency).compile(checkpointer=memory).aget_state(THREAD)).values
    )


async def test_a_copy_can_be_rebuilt_and_goes_its_own_way(database: SqliteDatabase) -> None:
    saver = D1Saver(database)
    expected = await run(saver, 3)
    await saver.acopy_thread("thread-1", "thread-2")
    await saver.adelete_thread("thread-1")
    graph = deltas(4).compile(checkpointer=saver)
    copy: Any = {"configurable": {"thread_id": "thread-2", "checkpoint_ns": ""}}
    assert (await graph.aget_state(copy)).values == expected
    await graph.ainvoke({"log": ["input"], "count": 1}, copy)
    assert (await graph.aget_state(copy)).values["log"][: len(expected["log"])] == expected["log"]
    assert (await graph.aget_state(THREAD)).values == {}


async def test_a_fork_does_not_see_the_other_branch(database: SqliteDatabase) -> None:
    memory, saver = InMemorySaver(), D1Saver(database)
    states: list[Any] = []
    for each in (memory, saver):
        await run(each, 2)
        graph = deltas(4).compile(checkpointer=each)
        past = [state.config async for state in graph.aget_state_history(THREAD)][3]
        fork = await graph.aupdate_state(past, {"log": ["forked"]}, as_node="last")
        await graph.ainvoke({"log": ["after"], "count": 1}, fork)
        states.append([state.values async for state in graph.aget_state_history(THREAD)])
    assert states[0] == states[1]


@pytest.mark.parametrize("durability", ["sync", "async", "exit"])
async def test_every_durability_stores_the_whole_state(database: SqliteDatabase, durability: Any) -> None:
    graph = deltas(4).compile(checkpointer=D1Saver(database))
    for _ in range(3):
        result = await graph.ainvoke({"log": ["input"], "count": 1}, THREAD, durability=durability)
    fresh = deltas(4).compile(checkpointer=D1Saver(database))
    assert (await fresh.aget_state(THREAD)).values == result
    assert operator.length_hint(result["log"]) == 12
