"""Whether a new run may join a thread that has unfinished ones, and what happens to those."""

from dataclasses import dataclass
from typing import assert_never

from langgraph_sdk.schema import CancelAction, MultitaskStrategy


@dataclass(frozen=True, slots=True)
class Refused:
    """The thread is busy and the strategy is `reject`."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """The run may be created; with `stop`, those before it that have not ended are asked to do that."""

    stop: CancelAction | None = None


def admit(strategy: MultitaskStrategy, *, is_busy: bool) -> Admitted | Refused:
    """Decide for a run on a thread; `is_busy` when other runs of it have not ended."""
    match strategy:
        case "enqueue":
            return Admitted()
        case "reject":
            return Refused() if is_busy else Admitted()
        case "interrupt" | "rollback":
            # Also on a thread that is not busy: it may be by the time the run is written.
            return Admitted(stop=strategy)
        case _:
            assert_never(strategy)
