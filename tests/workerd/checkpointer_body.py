"""The checkpoint saver on real D1."""

from itertools import chain
from typing import Annotated, TypedDict

from langgraph.channels import DeltaChannel
from langgraph.checkpoint.conformance import checkpointer_test, validate
from langgraph.graph import START, StateGraph
from langgraph.graph.message import add_messages

from checkpoints.group_commit import fence
from d1_checkpointer import D1Saver
from errors import StaleAttempt
from ports import Statement

TABLES = ("checkpoints", "checkpoint_blobs", "checkpoint_writes")


async def test_every_capability_conforms(database):
    @checkpointer_test(name="D1Saver")
    async def d1_saver():
        await database.batch([Statement(f"DELETE FROM {table}") for table in TABLES])
        yield D1Saver(database)

    report = await validate(d1_saver)
    assert [failure for result in report.results.values() for failure in result.failures or []] == []
    return {name: result.tests_passed for name, result in report.results.items()}


async def test_a_value_above_the_row_limit_comes_back_whole(database):
    config = {"configurable": {"thread_id": "large", "checkpoint_ns": ""}}
    value = {"text": "é" * 2_500_000, "bytes": bytes(range(256)) * 4000}
    checkpoint = {
        "v": 4,
        "id": "1",
        "ts": "2026-01-01T00:00:00+00:00",
        "versions_seen": {},
        "updated_channels": None,
        "channel_values": {"large": value},
        "channel_versions": {"large": "1.0"},
    }
    saver = D1Saver(database)
    stored = await saver.aput(config, checkpoint, {"source": "loop", "step": 0, "parents": {}}, {"large": "1.0"})
    await saver.aput_writes(stored, [("large", value), ("small", 1)], "task")
    found = await D1Saver(database).aget_tuple(config)
    assert found.checkpoint == checkpoint
    assert found.pending_writes == [("task", "large", value), ("task", "small", 1)]
    await saver.adelete_thread("large")
    assert await saver.aget_tuple(config) is None


class State(TypedDict):
    messages: Annotated[list, add_messages]
    log: Annotated[list, DeltaChannel(lambda state, writes: [*chain(state, *writes)], snapshot_frequency=3)]


def talks(number):
    return lambda state: {"messages": [("ai", f"{number} " * 500)], "log": [number]}


def graph(saver):
    builder = StateGraph(State)
    builder.add_sequence([(f"node{number}", talks(number)) for number in range(4)])
    builder.add_edge(START, "node0")
    return builder.compile(checkpointer=saver)


async def test_conversations_and_delta_channels_are_rebuilt_by_new_instances(database):
    config = {"configurable": {"thread_id": "conversation"}}
    for _ in range(5):
        final = await graph(D1Saver(database)).ainvoke({"messages": [("user", "go")], "log": ["in"]}, config)
    assert final["log"] == ["in", 0, 1, 2, 3] * 5
    assert len(final["messages"]) == 25
    [[based]] = await database.batch([Statement("SELECT COUNT(base) AS count FROM checkpoint_blobs")])
    assert based["count"] > 5
    saver = D1Saver(database)
    await saver.aprune(["conversation"])
    assert (await graph(saver).aget_state(config)).values == final
    await saver.acopy_thread("conversation", "copy")
    assert (await graph(saver).aget_state({"configurable": {"thread_id": "copy"}})).values == final


async def test_a_stale_attempt_is_fenced_off(database):
    columns = "thread_id, run_id, assistant_id, status, attempt, multitask_strategy, metadata, kwargs, created_at"
    values = "'fenced', 'run', 'a', 'running', 2, 'reject', '{}', '{}', ''"
    await database.batch([Statement(f"INSERT INTO runs ({columns}, updated_at, format) VALUES ({values}, '', 1)")])
    config = {"configurable": {"thread_id": "fenced"}}
    await graph(D1Saver(database, guard=fence("fenced", "run", 2))).ainvoke({"log": ["in"]}, config)
    refused = False
    try:
        await graph(D1Saver(database, guard=fence("fenced", "run", 1))).ainvoke({"log": ["in"]}, config)
    except StaleAttempt:
        refused = True
    assert refused
    assert (await graph(D1Saver(database)).aget_state(config)).values["log"] == ["in", 0, 1, 2, 3]
