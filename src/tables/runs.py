"""The table `runs`: the truth about every run. Anything else that names a run is a hint to look here."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final

from langgraph_sdk.schema import CancelAction, MultitaskStrategy, RunStatus

from ports import Database, Row, Statement
from tables import large_text
from tables.access import Access
from tables.run_fence import Identity
from tables.run_history import Stamp, appended

#: The version of the format of `kwargs` and `metadata` that this code writes.
FORMAT: Final = 1


@dataclass(frozen=True, kw_only=True)
class Run:
    """One row; `metadata`, `kwargs` and `error` are JSON texts."""

    thread_id: str
    run_id: str
    assistant_id: str
    status: RunStatus
    attempt: int
    multitask_strategy: MultitaskStrategy
    metadata: str
    kwargs: str
    kwargs_parts: int
    error: str | None
    created_at: str
    updated_at: str
    due_at: str | None
    #: When it first began to execute, in any attempt; since its last redrive, if there was one.
    started_at: str | None = None
    #: How it is to stop, if it was asked to; `error` then says who asked and why.
    cancel_action: CancelAction | None = None
    #: What happened to it, for `run_history.parse`; None if nothing has happened yet.
    history: str | None = None

    @property
    def identity(self) -> Identity:
        """What the stored row must still equal for any write about this run."""
        return (self.thread_id, self.run_id, self.status, self.attempt, self.cancel_action)

    @cached_property
    def arguments(self) -> Mapping[str, Any]:
        """`kwargs`, decoded once, because it may be large."""
        return json.loads(self.kwargs)

    @property
    def graph_id(self) -> str:
        """The graph that this run executes."""
        return self.arguments["config"]["configurable"]["graph_id"]

    @classmethod
    def from_row(cls, row: Row) -> "Run":
        """The run as stored; if `kwargs_parts` is not 0, `kwargs` still has to be loaded."""
        return cls(**{name: row[name] for name in cls.__dataclass_fields__})


COLUMNS: Final = """thread_id, run_id, assistant_id, status, attempt, multitask_strategy,
    metadata, kwargs, kwargs_parts, error, created_at, updated_at, due_at, started_at, cancel_action,
    history"""

#: The unfinished runs by their index, which SQLite would not choose by itself, because the primary key begins with the
#: same column. SQLite refuses the statement unless it has the condition `UNFINISHED`, word for word as in the index.
RUNS_UNFINISHED: Final = "runs INDEXED BY runs_unfinished"
UNFINISHED: Final = "status IN ('pending', 'running')"

#: A run, provided that its thread exists within reach (`where`) and, if the second flag is 1, has no unfinished run.
_INSERT: Final = f"""
INSERT INTO runs ({COLUMNS}, format)
SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, NULL, NULL, {FORMAT}
WHERE EXISTS (SELECT 1 FROM threads WHERE thread_id = ? AND {{where}})
  AND NOT (? AND EXISTS (SELECT 1 FROM {RUNS_UNFINISHED} WHERE thread_id = ? AND {UNFINISHED}))
RETURNING run_id
"""


def insert(run: Run, access: Access, *, only_if_idle: bool) -> list[Statement]:
    """Insert a run on a thread within `access`; the first statement returns a row exactly when the run was inserted."""
    texts = large_text.parts(run.kwargs)
    values = (
        run.thread_id,
        run.run_id,
        run.assistant_id,
        run.status,
        run.attempt,
        run.multitask_strategy,
        run.metadata,
        "null" if texts else run.kwargs,
        len(texts),
        run.error,
        run.created_at,
        run.updated_at,
        run.due_at,
    )
    where, params = access.where()
    sql = _INSERT.format(where=where)
    statement = Statement(sql, (*values, run.thread_id, *params, int(only_if_idle), run.thread_id))
    if not texts:
        return [statement]
    return [statement, *large_text.replace(f"run:{run.run_id}", texts, run.identity)]


#: Sets the final status of a run, provided that the row is what the executor read.
_FINISH: Final = f"""
UPDATE runs
SET status = ?1, error = ?2, updated_at = ?3,
    history = {appended("ended", at="?3", attempt="attempt", version="?4", status="?1")}
WHERE thread_id = ?5 AND run_id = ?6 AND status = ?7 AND attempt = ?8 AND cancel_action IS ?9
RETURNING run_id
"""


def finish(run: Run, stamp: Stamp, *, status: RunStatus, error: str | None) -> Statement:
    """Move a run to a final status; returns a row exactly when `run` was still what is stored.

    Statements that depend on this must come before it in the batch, under the same condition.
    """
    return Statement(_FINISH, (status, error, stamp.now, stamp.version, *run.identity))


#: Deletes a run without a trace, under the same condition.
_DELETE: Final = """
DELETE FROM runs
WHERE thread_id = ? AND run_id = ? AND status = ? AND attempt = ? AND cancel_action IS ?
RETURNING run_id
"""


def delete(run: Run) -> list[Statement]:
    """Delete a run; the last statement returns a row exactly when `run` was still what is stored."""
    kwargs = large_text.replace(f"run:{run.run_id}", [], run.identity) if run.kwargs_parts else []
    return [*kwargs, Statement(_DELETE, run.identity)]


#: One run of one thread.
_GET: Final = f"""
SELECT {COLUMNS}
FROM runs
WHERE thread_id = ? AND run_id = ?
"""


def select(thread_id: str, run_id: str) -> Statement:
    """One run of one thread, for `first_from_rows`."""
    return Statement(_GET, (thread_id, run_id))


#: Whether one thread has a run, without reading its kwargs.
_EXISTS: Final = """
SELECT run_id
FROM runs
WHERE thread_id = ? AND run_id = ?
"""


def exists(thread_id: str, run_id: str) -> Statement:
    """Returns a row exactly when the thread has the run."""
    return Statement(_EXISTS, (thread_id, run_id))


async def get(db: Database, thread_id: str, run_id: str) -> Run | None:
    """One run of one thread."""
    [rows] = await db.batch([select(thread_id, run_id)])
    return await first_from_rows(db, rows)


#: The newest run of a thread.
_NEWEST: Final = "SELECT MAX(run_id) AS run_id FROM runs WHERE thread_id = ?"


def newest(thread_id: str) -> Statement:
    """`run_id` of the thread's newest run; NULL without one."""
    return Statement(_NEWEST, (thread_id,))


#: A page of a thread's runs, newest first.
_LIST: Final = f"""
SELECT {COLUMNS}
FROM runs
WHERE thread_id = ? AND (? IS NULL OR status = ?)
ORDER BY run_id DESC
LIMIT ? OFFSET ?
"""


def list_of_thread(thread_id: str, *, status: str | None, limit: int, offset: int) -> Statement:
    """A page of the thread's runs, newest first, for `from_rows`."""
    return Statement(_LIST, (thread_id, status, status, limit, offset))


#: The unfinished runs of a thread, oldest first.
_UNFINISHED_OF_THREAD: Final = f"""
SELECT run_id, status, attempt, cancel_action
FROM {RUNS_UNFINISHED}
WHERE thread_id = ? AND {UNFINISHED}
ORDER BY run_id
"""


def unfinished_of_thread(thread_id: str) -> Statement:
    """`run_id`, `status`, `attempt` and `cancel_action` of a thread's unfinished runs, oldest first."""
    return Statement(_UNFINISHED_OF_THREAD, (thread_id,))


#: A page of threads with runs that are due and were not touched since a time.
_STALE: Final = f"""
SELECT thread_id, MIN(run_id) AS run_id
FROM {RUNS_UNFINISHED}
WHERE {UNFINISHED}
  AND thread_id > ?
  AND COALESCE(due_at, updated_at) < ?
  AND updated_at < ?
GROUP BY thread_id
ORDER BY thread_id
LIMIT ?
"""


async def unfinished_older_than(db: Database, before: str, *, after: str, limit: int) -> list[tuple[str, str]]:
    """A page of (thread_id, its oldest such run) in the order of threads, after the thread `after` (at first "")."""
    [rows] = await db.batch([Statement(_STALE, (after, before, before, limit))])
    return [(row["thread_id"], row["run_id"]) for row in rows]


async def from_rows(db: Database, rows: Sequence[Row]) -> list[Run]:
    """The runs of a statement's rows. Each run whose kwargs exceed its row costs one more round trip."""
    return [await _whole(db, Run.from_row(row)) for row in rows]


async def first_from_rows(db: Database, rows: Sequence[Row]) -> Run | None:
    """The run of a statement that returns at most one."""
    runs = await from_rows(db, rows)
    return runs[0] if runs else None


async def _whole(db: Database, run: Run) -> Run:
    return replace(run, kwargs=await large_text.load(db, f"run:{run.run_id}")) if run.kwargs_parts else run
