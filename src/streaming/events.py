"""What a stream carries: event ids, and events on their way from a graph to subscribers.

An event gets its id when it is released to subscribers, not when the graph emits it. So ids have the order in which
every subscriber sees the events, which makes `Last-Event-ID` exact.
"""

import re
import sys
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, NamedTuple

_ID: Final = re.compile(r"(\d{1,15})-(\d{1,9})", re.ASCII)


class EventId(NamedTuple):
    """`<ms>-<n>`: within a thread neither part ever decreases, whatever the clock does, and `n` grows each time."""

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

    #: At once: tokens, custom values, starting tasks. They happened, whether or not anything is ever committed.
    LIVE = auto()
    #: When its super-step is committed. A resumed run emits it again, so it is stored only when it is released.
    SNAPSHOT = auto()
    #: When its super-step is committed. No resumed run emits it again, so it is stored before the commit.
    RECORD = auto()


@dataclass(frozen=True, slots=True)
class Superstep:
    """The super-step of a graph: `step` counts in `namespace` ("" is the run's own graph), `root_step` in "".

    With a `task` it is only that task's part of it, which is settled as soon as the task's writes are committed; if
    `live`, only the live events in that which had to wait.
    """

    namespace: str
    step: int
    root_step: int
    task: str = ""
    live: bool = False


#: Of a task's part of a super-step, whose number is not known.
UNKNOWN_STEP: Final = sys.maxsize

#: For events that belong to no super-step and are never discarded with one, such as `metadata`.
BEFORE_ALL: Final = Superstep("", -100, -100)


@dataclass(frozen=True, slots=True)
class Event:
    """One event as a graph emitted it; `data` is JSON text."""

    name: str
    data: str
    superstep: Superstep
    delivery: Delivery
    #: Counts the run's events, so that those which are stored separately can be put back in order.
    order: int = 0


@dataclass(frozen=True, slots=True)
class Frame:
    """One released event, encoded for the wire."""

    id: EventId
    #: Empty for an event of no run.
    run_id: str
    name: str
    text: str
