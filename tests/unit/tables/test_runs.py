"""The table `runs` on migrated SQLite: which executor gets a run, and which is refused."""

import asyncio
import re
from dataclasses import replace

import pytest

import clock
from runs import completion
from tables import (
    large_text,
    run_claims,
    runs,
    thread_deletion,
    thread_engagement,
    thread_guard,
    thread_retention,
    threads,
)
from tables.access import EVERYTHING
from tables.run_claims import Claim
from tables.run_history import Stamp
from tables.runs import Run
from tests.support.endings import ending
from tests.support.sqlite_database import SqliteDatabase
from tests.support.stored_runs import DETACHED, NOW, THREAD, new_run, new_thread

NOTHING = Claim(claimed=None, running=None, next_due_at=None, thread_exists=True)


@pytest.fixture
def db() -> SqliteDatabase:
    return SqliteDatabase()


async def claim(db: SqliteDatabase, *, now: str = NOW) -> Claim:
    return await run_claims.claim_oldest_pending(db, THREAD, Stamp(now, "test"))


async def claimed(db: SqliteDatabase) -> Run:
    """The run that is claimed now."""
    run = (await claim(db)).claimed
    assert run
    return run


async def test_nothing_is_claimed_where_there_is_nothing(db: SqliteDatabase) -> None:
    assert await claim(db) == replace(NOTHING, thread_exists=False)


async def test_the_oldest_pending_run_is_claimed_in_one_round_trip(db: SqliteDatabase) -> None:
    await new_thread(db)
    await new_run(db, "2")
    first = await new_run(db, "1")
    trips, rows = db.round_trips, db.rows_written
    later = clock.shifted(NOW, 5)
    found = await claim(db, now=later)
    assert found.claimed
    assert replace(found, claimed=replace(found.claimed, history=None)) == Claim(
        claimed=replace(first, status="running", attempt=1, updated_at=later, started_at=later),
        running=None,
        next_due_at=None,
        thread_exists=True,
    )
    assert (db.round_trips - trips, db.rows_written - rows) == (1, 1)


async def test_only_one_of_many_claims_wins_and_the_others_see_the_winner(db: SqliteDatabase) -> None:
    await new_thread(db)
    await new_run(db, "1")
    await new_run(db, "2")
    found = await asyncio.gather(*(claim(db, now=clock.moment()) for _ in range(5)))
    [winner] = [one.claimed for one in found if one.claimed]
    assert [one.running for one in found if not one.claimed] == [winner] * 4


async def test_another_threads_runs_are_not_claimed(db: SqliteDatabase) -> None:
    await new_thread(db, "other")
    await new_run(db, "1", "other")
    assert await claim(db) == replace(NOTHING, thread_exists=False)


async def test_a_run_that_is_not_due_waits_and_lets_others_pass(db: SqliteDatabase) -> None:
    await new_thread(db)
    due = clock.shifted(NOW, 60)
    await new_run(db, "1", due_at=due)
    assert await claim(db) == Claim(claimed=None, running=None, next_due_at=due, thread_exists=True)
    await new_run(db, "2")
    second = await claim(db)
    assert second.claimed
    assert second.claimed.run_id == "2"
    assert await completion.finish(db, second.claimed, ending("success", has_next=False), Stamp(NOW, "test"))
    first = await claim(db, now=due)
    assert first.claimed
    assert first.claimed.run_id == "1"


async def test_a_resumed_run_voids_the_attempt_before(db: SqliteDatabase) -> None:
    await new_thread(db)
    await new_run(db, "1")
    dead = await claimed(db)
    alive = await run_claims.resume_running(db, dead, Stamp(NOW, "test"))
    assert alive
    assert alive == replace(dead, attempt=2, history=alive.history)
    assert await run_claims.resume_running(db, dead, Stamp(clock.moment(), "test")) is None
    ended = ending(status="success", has_next=False, values='{"by":"dead"}')
    before = await threads.get(db, THREAD, EVERYTHING)
    assert not await completion.finish(db, dead, ended, Stamp(clock.shifted(NOW, 9), "test"))
    assert await threads.get(db, THREAD, EVERYTHING) == before
    assert await completion.finish(db, alive, ended, Stamp(NOW, "test"))


async def test_a_finished_run_is_neither_resumed_nor_claimed_nor_finished_again(db: SqliteDatabase) -> None:
    await new_thread(db)
    await new_run(db, "1")
    run = await claimed(db)
    assert await completion.finish(db, run, ending("success", has_next=False, values="1"), Stamp(NOW, "test"))
    assert await run_claims.resume_running(db, run, Stamp(NOW, "test")) is None
    assert await claim(db) == NOTHING
    assert not await completion.finish(db, run, ending("error", has_next=True, values="2"), Stamp(NOW, "test"))
    stored, thread = await runs.get(db, THREAD, "1"), await threads.get(db, THREAD, EVERYTHING)
    assert stored
    assert thread
    assert (stored.status, thread.status, thread.values_json) == ("success", "idle", "1")


async def test_a_run_cannot_be_inserted_on_a_thread_that_is_gone(db: SqliteDatabase) -> None:
    run = replace(DETACHED, thread_id="gone")
    assert (await db.batch(runs.insert(run, EVERYTHING, only_if_idle=False)))[0] == []
    big = replace(run, kwargs='"' + "x" * 2_000_000 + '"')
    assert (await db.batch(runs.insert(big, EVERYTHING, only_if_idle=False)))[0] == []
    assert db.connection.execute("SELECT COUNT(*) FROM large_texts").fetchone()[0] == 0


async def test_only_if_idle_refuses_while_a_run_is_unfinished(db: SqliteDatabase) -> None:
    await new_thread(db)
    run = await new_run(db, "1")
    second = replace(run, run_id="2")
    assert (await db.batch(runs.insert(second, EVERYTHING, only_if_idle=True)))[0] == []
    assert await completion.finish(db, await claimed(db), ending("success", has_next=False), Stamp(NOW, "test"))
    assert (await db.batch(runs.insert(second, EVERYTHING, only_if_idle=True)))[0] == [{"run_id": "2"}]


async def test_threads_with_stale_runs_are_found_in_pages(db: SqliteDatabase) -> None:
    for thread_id in ("a", "b", "c"):
        await new_thread(db, thread_id)
        await new_run(db, "1", thread_id)
        await new_run(db, "2", thread_id, updated_at=clock.shifted(NOW, 100))
        await new_run(db, "3", thread_id, due_at=clock.shifted(NOW, 100))
        await new_run(db, "4", thread_id, status="success")
    before = clock.shifted(NOW, 50)
    first = await runs.unfinished_older_than(db, before, after="", limit=2)
    assert first == [("a", "1"), ("b", "1")]
    assert await runs.unfinished_older_than(db, before, after="b", limit=2) == [("c", "1")]
    db.connection.execute("UPDATE runs SET status = 'success' WHERE run_id = '1'")
    assert await runs.unfinished_older_than(db, before, after="", limit=100) == []
    late = clock.shifted(NOW, 200)
    assert await runs.unfinished_older_than(db, late, after="a", limit=100) == [("b", "2"), ("c", "2")]


@pytest.mark.parametrize(
    "statement",
    [
        runs.unfinished_of_thread(THREAD).sql,
        run_claims._RUNNING,
        run_claims._REST,
        runs._STALE,
        run_claims._CLAIM,
        runs.insert(DETACHED, EVERYTHING, only_if_idle=True)[0].sql,
        thread_engagement.settle(
            DETACHED, resting="idle", values=None, interrupts=None, error=None, kept_until=None, now=NOW
        )[0].sql,
        thread_deletion.delete_resting([THREAD], EVERYTHING)[0].sql,
        thread_retention.select_resting([THREAD], EVERYTHING).sql,
        thread_retention.select_expired("delete", now=NOW, limit=1).sql,
        thread_guard.rests(THREAD, {}).sql,
    ],
)
async def test_unfinished_runs_are_found_by_their_index_alone(db: SqliteDatabase, statement: str) -> None:
    numbered = [int(number) for number in re.findall(r"\?(\d+)", statement)]
    params = (1,) * (max(numbered) if numbered else statement.count("?"))
    plan = [row["detail"] for row in db.connection.execute(f"EXPLAIN QUERY PLAN {statement}", params)]
    on_runs = [step for step in plan if "runs" in step and "run_id=?" not in step]
    assert on_runs
    assert all("runs_unfinished" in step for step in on_runs), plan


async def test_a_text_is_cut_between_characters_and_comes_back_whole(db: SqliteDatabase) -> None:
    await new_thread(db)
    for text in ("a" * 1_500_000, "a" * 1_500_001, "😀" * 750_001, "x" + "é" * 2_000_000, "y😀é" * 500_000):
        parts = large_text.parts(text)
        assert all(len(part.encode()) <= large_text.PART_BYTES for part in parts)
        assert "".join(parts) == (text if parts else "")
        assert bool(parts) == (len(text.encode()) > large_text.PART_BYTES)


async def test_large_values_shrink_and_grow_without_remains(db: SqliteDatabase) -> None:
    await new_thread(db)
    for number, size in enumerate((4_000_000, 2_000_000, 10, 3_000_000)):
        await new_run(db, str(number), kwargs=DETACHED.kwargs[:-1] + ',"k":"' + "k" * size + '"}')
        run = await claimed(db)
        assert len(run.kwargs) == len(DETACHED.kwargs) + size + 7
        values = '"' + "v" * size + '"'
        assert await completion.finish(db, run, ending("success", has_next=False, values=values), Stamp(NOW, "test"))
        thread = await threads.get(db, THREAD, EVERYTHING)
        assert thread
        assert thread.values_json == values
        assert thread.values_parts == len(large_text.parts(values))
        [[row]] = [db.connection.execute("SELECT COUNT(*) FROM large_texts WHERE owner LIKE 'thread:%'").fetchall()]
        assert row[0] == thread.values_parts
