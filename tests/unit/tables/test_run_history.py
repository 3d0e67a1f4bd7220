"""The entries of `runs.history` after each event of a run."""

import json
from dataclasses import replace

import pytest

import clock
from d1_checkpointer import D1Saver
from runs import completion
from tables import run_claims, run_history, run_stops, runs
from tables.access import EVERYTHING
from tables.run_history import MAX_ENTRIES, Entry, Stamp
from tables.run_stops import Stop
from tables.runs import Run
from tests.support.endings import ending
from tests.support.sqlite_database import SqliteDatabase
from tests.support.stored_runs import NOW, THREAD, new_run, new_thread

FIRST = Stamp(NOW, "v1")
LATER = Stamp(clock.shifted(NOW, 9), "v2")
STARTED = Entry(at=FIRST.now, event="started", attempt=1, version="v1")


@pytest.fixture
def db() -> SqliteDatabase:
    return SqliteDatabase()


async def running(db: SqliteDatabase) -> Run:
    """A run that began."""
    await new_thread(db)
    await new_run(db, "1")
    run = (await run_claims.claim_oldest_pending(db, THREAD, FIRST)).claimed
    assert run
    assert run_history.parse(run.history) == [STARTED]
    return run


async def history(db: SqliteDatabase) -> list[Entry]:
    """The entries after the first."""
    stored = await runs.get(db, THREAD, "1")
    assert stored
    started, *others = run_history.parse(stored.history)
    assert started == STARTED
    return others


async def committed(db: SqliteDatabase, namespace: str = "") -> str:
    """The id of a new checkpoint of the thread."""
    config = {"configurable": {"thread_id": THREAD, "checkpoint_ns": namespace}}
    checkpoint_id = clock.now_iso()
    checkpoint = {
        "v": 4,
        "id": checkpoint_id,
        "ts": NOW,
        "channel_values": {},
        "channel_versions": {},
        "versions_seen": {},
        "updated_channels": None,
    }
    await D1Saver(db).aput(config, checkpoint, {"step": 1}, {})  # type: ignore[arg-type,typeddict-item]
    return checkpoint_id


async def test_a_resumption_says_who_took_over_why_and_from_where(db: SqliteDatabase) -> None:
    run = await running(db)
    second = await run_claims.resume_running(db, run, LATER)
    assert second
    checkpoint_id = await committed(db)
    await committed(db, "subgraph:1")
    assert await run_claims.resume_running(db, second, LATER)
    resumed = Entry(at=LATER.now, event="resumed", attempt=2, version="v2", cause="cut_off", stored_beyond=0)
    later = replace(resumed, attempt=3, checkpoint_id=checkpoint_id, step=1, checkpoint_at=NOW, stored_beyond=1)
    assert await history(db) == [resumed, later]


async def test_a_wish_to_stop_and_its_execution_are_two_entries(db: SqliteDatabase) -> None:
    run = await running(db)
    await db.batch([run_stops.ask_some(Stop("interrupt", "{}"), THREAD, ["1"], EVERYTHING, LATER)])
    asked = await runs.get(db, THREAD, "1")
    assert asked
    assert await run_claims.resume_running(db, replace(asked, attempt=run.attempt), LATER)
    assert await history(db) == [
        Entry(at=LATER.now, event="stop_requested", attempt=1, version="v2", action="interrupt"),
        Entry(at=LATER.now, event="resumed", attempt=2, version="v2", cause="stop"),
    ]


async def test_a_run_that_was_to_stop_before_it_began_says_so(db: SqliteDatabase) -> None:
    await new_thread(db)
    await new_run(db, "1")
    await db.batch([run_stops.ask_some(Stop("rollback", "{}"), THREAD, ["1"], EVERYTHING, FIRST)])
    run = (await run_claims.claim_oldest_pending(db, THREAD, FIRST)).claimed
    assert run
    assert run_history.parse(run.history) == [
        Entry(at=NOW, event="stop_requested", attempt=0, version="v1", action="rollback"),
        replace(STARTED, cause="stop"),
    ]


async def test_a_hand_over_is_noted_by_the_attempt_that_is_still_current(db: SqliteDatabase) -> None:
    run = await running(db)
    before = db.rows_written
    await db.batch([run_claims.hand_over(replace(run, attempt=7), LATER)])
    assert db.rows_written == before
    await db.batch([run_claims.hand_over(run, LATER)])
    assert await history(db) == [Entry(at=LATER.now, event="handed_over", attempt=1, version="v2")]
    stored = await runs.get(db, THREAD, "1")
    assert stored
    assert run_history.was_handed_over(stored.history, 1)
    assert not run_history.was_handed_over(stored.history, 2)


async def test_the_end_says_how(db: SqliteDatabase) -> None:
    assert await completion.finish(db, await running(db), ending("error", has_next=True), LATER)
    assert await history(db) == [Entry(at=LATER.now, event="ended", attempt=1, version="v2", status="error")]


async def test_a_history_keeps_its_first_entry_and_its_last_ones(db: SqliteDatabase) -> None:
    run: Run | None = await running(db)
    for _ in range(MAX_ENTRIES + 10):
        assert run
        run = await run_claims.resume_running(db, run, LATER)
    entries = await history(db)
    assert len(entries) == MAX_ENTRIES - 1
    assert [entry.attempt for entry in entries] == list(range(13, MAX_ENTRIES + 12))


async def test_a_row_of_an_older_release_begins_its_history_where_it_is(db: SqliteDatabase) -> None:
    run = await running(db)
    db.connection.execute("UPDATE runs SET history = NULL")
    resumed = await run_claims.resume_running(db, run, LATER)
    assert resumed
    assert [entry.event for entry in run_history.parse(resumed.history)] == ["resumed"]


def test_what_a_later_release_says_is_passed_over() -> None:
    newer = json.dumps([{"at": NOW, "event": "started", "attempt": 1, "version": "v1", "region": "eu"}])
    assert run_history.parse(newer) == [replace(STARTED)]
    assert run_history.parse(None) == []
