"""The transitions of a run and of its thread, as one table each.

`check` decides before a run's status is stored. The statement that stores it repeats the condition, because the row may
change in between. Threads change by SQL alone; a test compares that SQL with their table.
"""

from typing import Final, Literal, TypeAlias

from langgraph_sdk.schema import RunStatus, ThreadStatus

from errors import IllegalTransition
from tables.threads import RestingStatus

#: `gone`: the row is deleted, for example by a rollback.
Next: TypeAlias = RunStatus | Literal["gone"]

#: From each status of a run to the possible next ones. `running` → `running` is a resumption, after a crash or to carry
#: out a stop. `error` → `pending` is the redrive of a dead letter, the only way back from an end.
TRANSITIONS: Final[dict[RunStatus, frozenset[Next]]] = {
    "pending": frozenset({"running", "interrupted", "error", "gone"}),
    "running": frozenset({"running", "success", "error", "timeout", "interrupted", "gone"}),
    "success": frozenset({"gone"}),
    "error": frozenset({"pending", "gone"}),
    "timeout": frozenset({"gone"}),
    "interrupted": frozenset({"gone"}),
}

#: The same for a thread. A run makes it busy. The end of its last run, or a state update by hand, lets it rest.
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
    """Whether a run with this status has ended: it is not executed again, unless it is redriven."""
    return status not in ("pending", "running")


def resting_status(ended: RunStatus | Literal["rollback", "drained"], *, has_next: bool) -> RestingStatus:
    """The status of a thread after its last run has ended; `has_next` when its graph has nodes left to execute."""
    if ended in ("error", "timeout"):
        return "error"
    return "interrupted" if has_next else "idle"
