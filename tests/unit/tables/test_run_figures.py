"""How many runs wait, and for how long, as in GET /metrics."""

import clock
from tables import run_figures
from tables.run_figures import RunFigures
from tests.support.sqlite_database import SqliteDatabase
from tests.support.stored_runs import NOW, new_run, new_thread


async def figures(db: SqliteDatabase) -> RunFigures:
    [[row]] = await db.batch([run_figures.select(now=NOW)])
    return RunFigures(**row)


def before(seconds: float) -> str:
    return clock.shifted(NOW, -seconds)


async def test_an_idle_server_has_no_waiting_times() -> None:
    assert await figures(SqliteDatabase()) == RunFigures(
        pending=0, running=0, oldest_since=None, median_since=None, oldest_unblocked_since=None
    )


async def test_figures_are_of_the_unfinished_runs() -> None:
    db = SqliteDatabase()
    for thread_id, run_id, status, created_at, due_at in (
        ("a", "1", "running", before(50), None),
        ("a", "2", "pending", before(40), None),  # blocked by the one before it
        ("b", "3", "pending", before(30), None),
        ("c", "4", "pending", before(90), before(10)),  # waits since it is due
        ("d", "5", "pending", before(80), before(-10)),  # is not due yet
        ("e", "6", "success", before(99), None),
    ):
        await new_thread(db, thread_id)
        await new_run(db, run_id, thread_id, created_at=created_at, due_at=due_at)
        db.connection.execute("UPDATE runs SET status = ? WHERE run_id = ?", (status, run_id))
    assert await figures(db) == RunFigures(
        pending=4,
        running=1,
        oldest_since=before(40),
        median_since=before(30),
        oldest_unblocked_since=before(30),
    )
