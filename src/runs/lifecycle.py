"""The life of a run and of its thread as one table each; every status that is stored was checked here first.

The storage layer repeats the check as compare-and-set, because between reading and writing the world moves.
"""

from typing import Final, Literal, TypeAlias

from langgraph_sdk.schema import RunStatus, ThreadStatus

from errors import IllegalTransition
from tables.threads import RestingStatus

#: `gone`: the row is deleted, as by a rollback.
Next: TypeAlias = RunStatus | Literal["gone"]

#: From each status of a run to those it may have next. `running` → `running` is a resumption after a crash or a stop;
#: `error` → `pending` a redrive of a dead letter, the only way out of an end.
TRANSITIONS: Final[dict[RunStatus, frozenset[Next]]] = {
    "pending": frozenset({"running", "interrupted", "error", "gone"}),
    "running": frozenset({"running", "success", "error", "timeout", "interrupted", "gone"}),
    "success": frozenset({"gone"}),
    "error": frozenset({"pending", "gone"}),
    "timeout": frozenset({"gone"}),
    "interrupted": frozenset({"gone"}),
}

#: The same for a thread: a run makes it busy, its last run's end or a state that somebody makes by hand lets it rest.
THREAD_TRANSITIONS: Final[dict[ThreadStatus, frozenset[ThreadStatus]]] = {
    "idle": frozenset({"busy", "idle", "interrupted"}),
    "interrupted": frozenset({"busy", "idle", "interrupted"}),
    "error": frozenset({"busy", "idle", "interrupted"}),
    "busy": frozenset({"busy", "idle", "interrupted", "error"}),
}


def check(run_id: str, current: RunStatus, new: Next) -> None:
    """Raise IllegalTransition unless a run may go from `current` to `new`."""
    if new not in TRANSITIONS[current]:
        raise IllegalTransition(f"run {run_id} is {current} and cannot become {new}")


def is_finished(status: RunStatus) -> bool:
    """Whether nobody executes a run with this status, or is going to unless it is redriven."""
    return status not in ("pending", "running")


def resting_status(ended: RunStatus | Literal["rollback", "drained"], *, has_next: bool) -> RestingStatus:
    """The status of a thread whose last run ended so; `has_next`: its graph has something left to execute."""
    if ended in ("error", "timeout"):
        return "error"
    return "interrupted" if has_next else "idle"
