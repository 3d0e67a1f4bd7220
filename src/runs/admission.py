"""Whether a new run may join a thread with unfinished runs, and what happens to those."""

from dataclasses import dataclass
from typing import assert_never

from langgraph_sdk.schema import CancelAction, MultitaskStrategy


@dataclass(frozen=True, slots=True)
class Refused:
    """The thread is busy and the strategy is `reject`."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """The run may be created; with `stop`, the thread's unfinished runs are asked to stop in that way."""

    stop: CancelAction | None = None


def admit(strategy: MultitaskStrategy, *, is_busy: bool) -> Admitted | Refused:
    """Decide about a new run; `is_busy` when other runs of its thread have not ended."""
    match strategy:
        case "enqueue":
            return Admitted()
        case "reject":
            return Refused() if is_busy else Admitted()
        case "interrupt" | "rollback":
            # Even if the thread is idle: it may have become busy by the time the run is written.
            return Admitted(stop=strategy)
        case _:
            assert_never(strategy)
