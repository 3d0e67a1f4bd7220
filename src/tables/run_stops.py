"""Requests to stop unfinished runs: a wish in their rows, until their thread's object has carried it out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from langgraph_sdk.schema import CancelAction, RunStatus

from compact_json import compact_json
from ports import SqlValue, Statement
from tables.access import Access
from tables.run_fence import UNCHANGED
from tables.run_history import Stamp, appended
from tables.runs import RUNS_UNFINISHED, UNFINISHED, Run

#: Asks unfinished runs to stop; a run with a later start becomes due at once. Rollback overrides interrupt.
_STOP: Final = f"""
UPDATE runs
SET cancel_action = ?1, error = ?2, due_at = NULL, updated_at = ?3,
    history = {appended("stop_requested", at="?3", attempt="attempt", version="?4", action="?1")}
WHERE (thread_id, run_id) IN (
    SELECT thread_id, run_id FROM {RUNS_UNFINISHED}
    WHERE {UNFINISHED} AND (cancel_action IS NULL OR (cancel_action = 'interrupt' AND ?1 = 'rollback')) AND {{which}}
)
RETURNING thread_id, run_id
"""


@dataclass(frozen=True, slots=True)
class Stop:
    """A request that runs stop."""

    action: CancelAction
    #: `{"error", "message"}` as JSON text: the run's error, which its thread shows afterwards.
    reason: str


def ask_others(stop: Stop, run: Run, stamp: Stamp) -> Statement:
    """Ask all other unfinished runs of a new run's thread to stop, provided that the new run was inserted."""
    which = f"thread_id = ? AND run_id <> ? AND {UNCHANGED}"
    return _ask(stop, stamp, which, (run.thread_id, run.run_id, *run.identity))


def ask_some(stop: Stop, thread_id: str, run_ids: Sequence[str], access: Access, stamp: Stamp) -> Statement:
    """Ask runs of a thread to stop; ended runs are left alone."""
    allowed, params = _within(access)
    which = f"thread_id = ? AND run_id IN (SELECT value FROM json_each(?)) AND {allowed}"
    return _ask(stop, stamp, which, (thread_id, compact_json(run_ids), *params))


def ask_page(stop: Stop, statuses: Sequence[RunStatus], access: Access, stamp: Stamp, *, limit: int) -> Statement:
    """Ask a page of unfinished runs to stop that were not asked before; returns `thread_id` and `run_id` of each."""
    allowed, params = _within(access)
    which = f"status IN (SELECT value FROM json_each(?)) AND {allowed} LIMIT ?"
    return _ask(stop, stamp, which, (compact_json(statuses), *params, limit))


def _ask(stop: Stop, stamp: Stamp, which: str, params: Sequence[SqlValue]) -> Statement:
    # SQLite gives a bare `?` the number after the largest one before it.
    return Statement(_STOP.format(which=which), (stop.action, stop.reason, stamp.now, stamp.version, *params))


def _within(access: Access) -> tuple[str, tuple[SqlValue, ...]]:
    """The condition that a row of `runs` belongs to a thread within `access`, and its parameters."""
    where, params = access.where("threads.metadata")
    return f"EXISTS (SELECT 1 FROM threads WHERE threads.thread_id = runs.thread_id AND {where})", params


#: The statuses of some runs of one thread.
_STATUSES: Final = """
SELECT run_id, status
FROM runs
WHERE thread_id = ? AND run_id IN (SELECT value FROM json_each(?)) AND {allowed}
"""


def select_statuses(thread_id: str, run_ids: Sequence[str], access: Access) -> Statement:
    """`run_id` and `status` of those of these runs that belong to the thread."""
    allowed, params = _within(access)
    return Statement(_STATUSES.format(allowed=allowed), (thread_id, compact_json(run_ids), *params))


#: Whether any unfinished run has one of these statuses.
_ANY_UNFINISHED: Final = f"""
SELECT 1
FROM {RUNS_UNFINISHED}
WHERE {UNFINISHED} AND status IN (SELECT value FROM json_each(?)) AND {{allowed}}
LIMIT 1
"""


def any_unfinished(statuses: Sequence[RunStatus], access: Access) -> Statement:
    """Returns a row exactly when there is an unfinished run with one of these statuses."""
    allowed, params = _within(access)
    return Statement(_ANY_UNFINISHED.format(allowed=allowed), (compact_json(statuses), *params))
