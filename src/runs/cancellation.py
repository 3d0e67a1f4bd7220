"""Requests to stop runs: the wish is stored in their rows before anybody is told, so a crash cannot undo it.

The objects of their threads carry it out (`runs/execution/stopping.py`), in whichever incarnation reads the rows next.
"""

import logging
from collections.abc import Sequence
from typing import Final, Literal

from langgraph_sdk.schema import BulkCancelRunsStatus, CancelAction, RunStatus

from compact_json import compact_json
from ports import Database
from runs import lifecycle
from tables import run_stops
from tables.access import Access
from tables.run_history import Stamp
from tables.run_stops import Stop

logger = logging.getLogger(__name__)

#: The names of the errors, as on other LangGraph servers.
_ERRORS: Final[dict[CancelAction, str]] = {"interrupt": "UserInterrupt", "rollback": "UserRollback"}

#: How many runs one statement asks to stop.
PAGE_RUNS: Final = 500

_STATUSES: Final[dict[BulkCancelRunsStatus, tuple[RunStatus, ...]]] = {
    "pending": ("pending",),
    "running": ("running",),
    "all": ("pending", "running"),
}


def wish(action: CancelAction, message: str) -> Stop:
    """A wish to stop; `message` is the reason that the thread shows afterwards."""
    return Stop(action, compact_json({"error": _ERRORS[action], "message": message}))


def cancelled_by_caller(action: CancelAction) -> Stop:
    """The wish of a caller who cancels a run."""
    return wish(action, f"{action} requested via POST /threads/{{thread_id}}/runs/{{run_id}}/cancel")


def replaced(action: CancelAction) -> Stop:
    """The wish of a new run about the unfinished runs before it."""
    return wish(action, f"a newer run was created on the thread with multitask_strategy={action}")


async def ask(
    db: Database, thread_id: str, run_ids: Sequence[str], stop: Stop, access: Access, stamp: Stamp
) -> Literal["asked", "ended", "unknown"]:
    """Ask runs of one thread to stop. Idempotent.

    Returns `asked` if at least one of them had not ended, `ended` if all had, `unknown` if none of them exists.
    """
    found, _ = await db.batch(
        [
            run_stops.select_statuses(thread_id, run_ids, access),
            run_stops.ask_some(stop, thread_id, run_ids, access, stamp),
        ]
    )
    if not found:
        return "unknown"
    if all(lifecycle.is_finished(row["status"]) for row in found):
        return "ended"
    for run_id in run_ids:
        about = {"event": "run_stop_requested", "thread_id": thread_id, "run_id": run_id, "action": stop.action}
        logger.info("run asked to stop: %s", stop.action, extra=about)
    return "asked"


async def ask_many(
    db: Database, status: BulkCancelRunsStatus, stop: Stop, access: Access, stamp: Stamp
) -> tuple[bool, list[tuple[str, str]]]:
    """Ask all runs with a status to stop, page by page; a crash in between leaves some that were not asked.

    Returns whether there was any such run, and a (thread_id, run_id) for each thread whose object must be told.
    """
    statuses = _STATUSES[status]
    any_unfinished, asked = await db.batch(
        [
            run_stops.any_unfinished(statuses, access),
            run_stops.ask_page(stop, statuses, access, stamp, limit=PAGE_RUNS),
        ]
    )
    threads: dict[str, str] = {}
    while asked:
        threads |= {row["thread_id"]: row["run_id"] for row in asked}
        if len(asked) < PAGE_RUNS:
            break
        [asked] = await db.batch([run_stops.ask_page(stop, statuses, access, stamp, limit=PAGE_RUNS)])
    logger.info(
        "runs on %d threads asked to stop: %s", len(threads), stop.action, extra={"event": "runs_stop_requested"}
    )
    return bool(any_unfinished), list(threads.items())
