"""Group commit: statements that come together share one batch, and every caller learns the result of its own."""

import asyncio
from collections.abc import Sequence

import pytest

from checkpoints import group_commit
from checkpoints.group_commit import GroupCommit, fence
from errors import DatabaseError, StaleAttempt
from ports import Row, Statement
from tests.support.checkpoint_graphs import FailingDatabase
from tests.support.sqlite_database import SqliteDatabase


class RecordingDatabase:
    """Keeps the first parameter of every statement, batch by batch; a batch takes until `release` is set."""

    def __init__(self) -> None:
        self.batches: list[list[object]] = []
        self.release = asyncio.Event()
        self.release.set()

    async def batch(self, statements: Sequence[Statement]) -> list[list[Row]]:
        self.batches.append([statement.params[0] for statement in statements])
        await self.release.wait()
        return []


def write(name: str, count: int = 1) -> list[Statement]:
    return [Statement("…", (f"{name}{n}" if count > 1 else name,)) for n in range(count)]


async def turns(count: int = 10) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_what_is_submitted_in_one_turn_travels_in_one_batch() -> None:
    database = RecordingDatabase()
    commits = GroupCommit(database)
    await asyncio.gather(commits.commit(write("a")), commits.commit(write("b")), commits.commit(write("c")))
    assert database.batches == [["a", "b", "c"]]


async def test_what_is_submitted_while_a_batch_is_under_way_travels_in_the_next() -> None:
    database = RecordingDatabase()
    commits = GroupCommit(database)
    database.release.clear()
    first = asyncio.create_task(commits.commit(write("a")))
    await turns()
    others = [asyncio.create_task(commits.commit(write(name))) for name in "bcd"]
    await turns()
    assert database.batches == [["a"]]
    assert not first.done()
    database.release.set()
    await asyncio.gather(first, *others)
    assert database.batches == [["a"], ["b", "c", "d"]]


async def test_whoever_waits_for_a_commit_does_not_wait_for_those_who_never_cease() -> None:
    class Slow(RecordingDatabase):
        async def batch(self, statements: Sequence[Statement]) -> list[list[Row]]:
            await turns()
            return await super().batch(statements)

    database = Slow()
    commits = GroupCommit(database)

    async def talk() -> None:
        for _ in range(100):
            commits.submit(write("b"))
            await asyncio.sleep(0)

    talking = asyncio.create_task(talk())
    await turns()
    commits.submit(write("a"))
    await commits.flush()
    assert "a" in database.batches[-1]
    assert not talking.done()
    await talking


async def test_everyone_in_a_lost_batch_sees_the_error_and_the_next_batch_is_its_own() -> None:
    commits = GroupCommit(FailingDatabase(RecordingDatabase(), [1]))
    outcomes = await asyncio.gather(commits.commit(write("a")), commits.commit(write("b")), return_exceptions=True)
    assert [str(outcome) for outcome in outcomes] == ["batch 1 was lost"] * 2
    await commits.commit(write("c"))


async def test_an_error_of_any_kind_reaches_the_caller() -> None:
    class Broken:
        async def batch(self, statements: Sequence[Statement]) -> list[list[Row]]:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await GroupCommit(Broken()).commit(write("a"))


async def test_a_cancelled_callers_statements_are_committed_all_the_same() -> None:
    database = RecordingDatabase()
    commits = GroupCommit(database)
    cancelled = asyncio.create_task(commits.commit(write("a")))
    await asyncio.sleep(0)
    cancelled.cancel()
    await commits.commit(write("b"))
    assert database.batches == [["a", "b"]]
    assert cancelled.cancelled()


async def test_a_submission_is_not_split_if_it_fits_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_commit, "MAX_BATCH_STATEMENTS", 3)
    database = RecordingDatabase()
    commits = GroupCommit(database)
    await asyncio.gather(*(commits.commit(write(name, 2)) for name in "abc"))
    assert database.batches == [["a0", "a1"], ["b0", "b1"], ["c0", "c1"]]


async def test_a_submission_larger_than_a_batch_stops_at_the_first_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_commit, "MAX_BATCH_CHARS", 5)
    database = RecordingDatabase()
    commits = GroupCommit(FailingDatabase(database, [2]))
    with pytest.raises(DatabaseError):
        await commits.commit(write("a", 6))
    assert database.batches == [["a0", "a1"]]


async def test_a_stale_attempt_is_fenced_off_and_the_current_one_is_not() -> None:
    database = SqliteDatabase()
    database.connection.execute(
        "INSERT INTO runs (thread_id, run_id, assistant_id, status, attempt, multitask_strategy, metadata, kwargs,"
        " created_at, updated_at, format) VALUES ('t', 'r', 'a', 'running', 2, 'reject', '{}', '{}', '', '', 1)"
    )
    insert = Statement("INSERT INTO large_texts VALUES ('owner', ?, '')", (1,))
    for stale in (fence("t", "r", 1), fence("t", "r", 3), fence("t", "other", 2), fence("other", "r", 2)):
        with pytest.raises(StaleAttempt):
            await GroupCommit(database, stale).commit([insert])
    assert database.connection.execute("SELECT COUNT(*) FROM large_texts").fetchone()[0] == 0
    await GroupCommit(database, fence("t", "r", 2)).commit([insert])
    assert database.connection.execute("SELECT COUNT(*) FROM large_texts").fetchone()[0] == 1
