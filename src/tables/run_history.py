"""The column `runs.history`: what happened to a run. The statement that changes the run appends the entry."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, Final, Literal, TypeAlias

from langgraph_sdk.schema import CancelAction, RunStatus

#: `started`: claimed. `resumed`: taken over from an executor that was cut off, or by itself in order to stop.
#: `handed_over`: a Workflow drives it from here on. `stop_requested`. `ended`. `redriven`: from a dead letter back to
#: pending.
Event: TypeAlias = Literal["started", "resumed", "handed_over", "stop_requested", "ended", "redriven"]

#: When a history is full, its second entry is dropped for each new one, so that it does not outgrow its row.
MAX_ENTRIES: Final = 256


@dataclass(frozen=True, slots=True)
class Stamp:
    """The time of a change to a run, and the Worker version that makes it."""

    #: A unique time (`clock.moment`): what is stored with it was stored by the holder of this stamp.
    now: str
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One event of a run."""

    at: str
    event: Event
    #: The run's attempt after the event.
    attempt: int
    #: The Worker version that caused it; for `stop_requested` and `redriven`, the version that took the request.
    version: str | None = None
    #: Why an attempt began: the one before was `cut_off`, or the run is to `stop`.
    cause: Literal["cut_off", "stop"] | None = None
    #: For `resumed`: the thread's last checkpoint, from which the attempt goes on.
    checkpoint_id: str | None = None
    #: The super-step of that checkpoint, and when it was made.
    step: int | None = None
    checkpoint_at: str | None = None
    #: A count that grows with everything that the run stores beyond that checkpoint before the next one.
    stored_beyond: int | None = None
    #: For `stop_requested`.
    action: CancelAction | None = None
    #: For `ended`.
    status: RunStatus | None = None

    @property
    def reached(self) -> tuple[str | None, int | None]:
        """For `resumed`: how far the run had come. Any progress changes it."""
        return self.checkpoint_id, self.stored_beyond


def parse(history: str | None) -> list[Entry]:
    """The entries of a row; fields that a later release added are ignored."""
    entries: Sequence[dict[str, Any]] = json.loads(history or "[]")
    return [Entry(**{name: entry[name] for name in Entry.__slots__ if name in entry}) for entry in entries]


def appended(event: Event, **fields: str) -> str:
    """An SQL expression: the history of a row of `runs` plus one entry; `fields` are SQL expressions as well."""
    pairs = ", ".join(f"'{name}', {value}" for name, value in fields.items())
    return f"""json_remove(
        json_insert(COALESCE(history, '[]'), '$[#]', json_object('event', '{event}', {pairs})),
        CASE WHEN json_array_length(history) >= {MAX_ENTRIES} THEN '$[1]' ELSE '$[#]' END
    )"""


def first_start(entries: Iterable[Entry]) -> str | None:
    """When the run was first claimed to be executed, not only to be stopped; None if it never was."""
    return next((entry.at for entry in entries if entry.event == "started" and entry.cause is None), None)


def has_begun(history: str | None) -> bool:
    """Whether any attempt executed the graph."""
    return first_start(parse(history)) is not None


def stops(history: str | None) -> int:
    """How many of the last attempts in a row began only in order to stop the run."""
    resumed = (entry.cause == "stop" for entry in reversed(parse(history)) if entry.event == "resumed")
    return sum(1 for _ in takewhile(bool, resumed))


def was_handed_over(history: str | None, attempt: int) -> bool:
    """Whether a Workflow drives this attempt already."""
    return any(entry.event == "handed_over" and entry.attempt == attempt for entry in parse(history))
