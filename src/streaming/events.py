"""What a stream carries: event ids, and events on their way from a graph to subscribers.

An id is given when an event is released to subscribers, not when the graph emits it: so ids order events as every
subscriber sees them, which is what makes `Last-Event-ID` exact.
"""

import re
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, NamedTuple

_ID: Final = re.compile(r"(\d{1,15})-(\d{1,9})", re.ASCII)


class EventId(NamedTuple):
    """`<ms>-<n>`: both parts increase within one thread, also when its clock goes backwards, `n` with each event."""

    ms: int
    n: int

    def __str__(self) -> str:
        return f"{self.ms}-{self.n}"

    @classmethod
    def parse(cls, text: str) -> "EventId | None":
        """The id that `text` spells, or None for anything else."""
        found = _ID.fullmatch(text.strip())
        return cls(int(found[1]), int(found[2])) if found else None


#: Before every event: a subscription after it receives everything.
START: Final = EventId(-1, 0)


class Delivery(Enum):
    """When an event may reach subscribers, and what a crash before that means for it."""

    #: At once: tokens, custom values, starting tasks. What happened, whether or not it is ever committed.
    LIVE = auto()
    #: With its super-step's commit. A resumed run emits it again by itself, so it is stored only when released.
    SNAPSHOT = auto()
    #: With its super-step's commit. No resumed run emits it again, so it is stored before the commit.
    RECORD = auto()


@dataclass(frozen=True, slots=True)
class Superstep:
    """The super-step of a graph: `step` counts in `namespace` ("" is the run's own graph), `root_step` in "".

    With a `task` it is that task's part of it, which is settled as soon as what the task wrote is committed.
    """

    namespace: str
    step: int
    root_step: int
    task: str = ""


#: Of events that belong to no super-step and outlive them all, such as `metadata`.
BEFORE_ALL: Final = Superstep("", -100, -100)


@dataclass(frozen=True, slots=True)
class Event:
    """One event as a graph emitted it; `data` is JSON text."""

    name: str
    data: str
    superstep: Superstep
    delivery: Delivery
    #: Counts the run's events, so that those stored apart can be shown in one order.
    order: int = 0


@dataclass(frozen=True, slots=True)
class Frame:
    """One released event, encoded for the wire."""

    id: EventId
    #: Empty for what happened besides runs.
    run_id: str
    name: str
    text: str
