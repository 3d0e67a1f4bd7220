"""Rows of threads and runs for tests of tables."""

from dataclasses import replace
from typing import Any

from tables import runs, threads
from tables.access import EVERYTHING
from tables.runs import Run
from tests.support.sqlite_database import SqliteDatabase

NOW = "2026-11-21T03:44:38.627217+00:00"
THREAD = "01a1fc38-bac6-77c8-a657-6023b3b0be8a"
DETACHED = Run(
    thread_id=THREAD,
    run_id="1",
    assistant_id="a",
    status="pending",
    attempt=0,
    multitask_strategy="enqueue",
    metadata="{}",
    kwargs='{"config":{"configurable":{"graph_id":"g"}}}',
    kwargs_parts=0,
    error=None,
    created_at=NOW,
    updated_at=NOW,
    due_at=None,
)


async def new_thread(db: SqliteDatabase, thread_id: str = THREAD) -> None:
    """An idle thread."""
    await db.batch([threads.insert(threads.new(thread_id, metadata="{}", config="{}", now=NOW))])


async def new_run(db: SqliteDatabase, run_id: str, thread_id: str = THREAD, **changes: Any) -> Run:
    """A pending run."""
    run = replace(DETACHED, thread_id=thread_id, run_id=run_id, **changes)
    inserted, *_ = await db.batch(runs.insert(run, EVERYTHING, only_if_idle=False))
    assert inserted
    return run
