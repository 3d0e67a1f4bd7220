"""The life of a run and of its thread as one table each; every status that is stored was checked here first.

The storage layer repeats the check as compare-and-set, because between reading and writing the world moves.
"""

from typing import Final, Literal

from langgraph_sdk.schema import RunStatus

from errors import IllegalTransition
from tables.threads import RestingStatus

#: From each status of a run to those it may have next. `running` → `running` is a resumption after a crash.
TRANSITIONS: Final[dict[RunStatus, frozenset[RunStatus]]] = {
    "pending": frozenset({"running", "interrupted", "error"}),
    "running": frozenset({"running", "success", "error", "timeout", "interrupted"}),
    "success": frozenset(),
    "error": frozenset(),
    "timeout": frozenset(),
    "interrupted": frozenset(),
}


def check(run_id: str, current: RunStatus, new: RunStatus) -> None:
    """Raise IllegalTransition unless a run may go from `current` to `new`."""
    if new not in TRANSITIONS[current]:
        raise IllegalTransition(f"run {run_id} is {current} and cannot become {new}")


def is_finished(status: RunStatus) -> bool:
    """Whether a run with this status will never run again."""
    return not TRANSITIONS[status]


def resting_status(ended: RunStatus | Literal["rollback", "drained"], *, has_next: bool) -> RestingStatus:
    """The status of a thread whose last run ended so; `has_next`: its graph has something left to execute."""
    if ended in ("error", "timeout"):
        return "error"
    return "interrupted" if has_next else "idle"
