"""Whether a new run may join a thread that has unfinished ones, and what happens to those."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, assert_never

from langgraph_sdk.schema import MultitaskStrategy


@dataclass(frozen=True, slots=True)
class Refused:
    """The thread is busy and the strategy is `reject`."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """The run may be created, after the runs `cancel` were cancelled by `action`."""

    cancel: tuple[str, ...] = ()
    action: Literal["interrupt", "rollback"] = "interrupt"


def admit(strategy: MultitaskStrategy, unfinished: Sequence[str]) -> Admitted | Refused:
    """Decide for a run on a thread whose unfinished runs are given, oldest first."""
    if not unfinished:
        return Admitted()
    match strategy:
        case "enqueue":
            return Admitted()
        case "reject":
            return Refused()
        case "interrupt" | "rollback":
            return Admitted(cancel=tuple(unfinished), action=strategy)
        case _:
            assert_never(strategy)
