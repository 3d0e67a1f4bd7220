"""The checkpoint saver on real D1."""

from langgraph.checkpoint.conformance import checkpointer_test, validate

from d1_checkpointer import D1Saver
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
