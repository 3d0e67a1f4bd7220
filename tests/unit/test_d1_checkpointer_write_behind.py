"""`D1Saver(write_behind=True)`: puts return before their commit, and no failure gets lost on the way."""

from collections.abc import Sequence
from typing import Any

import pytest
from langgraph.checkpoint.base import empty_checkpoint

from d1_checkpointer import CommittedCheckpoint, D1Saver
from errors import DatabaseError
from ports import Row, Statement
from tests.support.sqlite_database import SqliteDatabase

THREAD = {"configurable": {"thread_id": "thread-1", "checkpoint_ns": ""}}


class BreakingDatabase(SqliteDatabase):
    """Fails every batch once it is told to."""

    is_broken = False

    async def batch(self, statements: Sequence[Statement]) -> list[list[Row]]:
        if self.is_broken:
            raise DatabaseError("D1 is overloaded")
        return await super().batch(statements)


async def put(saver: D1Saver, step: int) -> None:
    """Put a checkpoint of one channel."""
    checkpoint = {**empty_checkpoint(), "channel_values": {"log": [step]}, "channel_versions": {"log": f"{step:032}.0"}}
    versions: Any = checkpoint["channel_versions"]
    await saver.aput(THREAD, checkpoint, {"source": "loop", "step": step, "parents": {}}, versions)  # type: ignore[arg-type]


async def test_fast_super_steps_share_round_trips_and_are_announced_in_order() -> None:
    database, committed = SqliteDatabase(), list[CommittedCheckpoint]()
    saver = D1Saver(database, write_behind=True, on_commit=committed.append)
    for step in range(10):
        await put(saver, step)
    await saver.flush()
    assert [one.step for one in committed] == list(range(10))
    assert database.round_trips < 5


async def test_a_read_sees_what_was_put() -> None:
    saver = D1Saver(SqliteDatabase(), write_behind=True)
    await put(saver, 1)
    found = await saver.aget_tuple(THREAD)
    assert found
    assert found.checkpoint["channel_values"] == {"log": [1]}


async def test_a_failure_stops_later_commits_and_is_raised_by_whoever_comes_next() -> None:
    database, committed = BreakingDatabase(), list[CommittedCheckpoint]()
    saver = D1Saver(database, write_behind=True, on_commit=committed.append)
    await put(saver, 1)
    await saver.flush()
    database.is_broken = True
    await put(saver, 2)
    with pytest.raises(DatabaseError, match="overloaded"):
        await saver.flush()
    database.is_broken = False
    with pytest.raises(DatabaseError, match="overloaded"):
        await put(saver, 3)
    assert [one.step for one in committed] == [1]
    found = await D1Saver(database).aget_tuple(THREAD)
    assert found
    assert found.metadata["step"] == 1


async def test_what_fails_to_be_announced_is_a_failure() -> None:
    def refuse(_committed: CommittedCheckpoint) -> None:
        raise OSError("the event log is full")

    saver = D1Saver(SqliteDatabase(), write_behind=True, on_commit=refuse)
    await put(saver, 1)
    with pytest.raises(OSError, match="event log"):
        await saver.flush()
