"""A history, indexed for the checker's questions."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, Final, TypeVar

from tests.chaos.campaign.history import (
    Answered,
    Asked,
    Crashed,
    Disturbed,
    History,
    RunAtEnd,
    Stepped,
    StopAsked,
    ThreadAtEnd,
    ThreadDeleted,
)

EventT = TypeVar("EventT")

#: The strategies with which a newer run stops those before it.
STOPPING: Final = ("interrupt", "rollback")


class Facts:
    """What the checker asks a history; all of it follows from the events."""

    def __init__(self, history: History) -> None:
        self.history = history
        self.asked = {event.name: event for event in self.of(Asked)}
        self.threads = {thread.thread_id: thread for thread in history.threads}
        self.deleted = {event.thread_id for event in self.of(ThreadDeleted)}

    def of(self, kind: type[EventT]) -> list[EventT]:
        """All events of one kind, in the order of time."""
        return sorted((event for event in self.history.events if isinstance(event, kind)), key=_at)

    @cached_property
    def steps(self) -> dict[str, list[Stepped]]:
        """Side effects by the name of the run that had its input; not those of crons, whose runs have no name."""
        found: defaultdict[str, list[Stepped]] = defaultdict(list)
        for visit in self.of(Stepped):
            if visit.name in self.asked:
                found[visit.name].append(visit)
        return found

    @cached_property
    def troubles(self) -> list[tuple[float, float]]:
        """From when until when something was broken on purpose."""
        return sorted(
            [(crash.at, crash.ready_at) for crash in self.of(Crashed)]
            + [(fault.at, fault.until) for fault in self.of(Disturbed)]
        )

    @cached_property
    def stops(self) -> Mapping[str, set[str]]:
        """Runs that somebody asked to stop, or that a newer run may have replaced, and how."""
        found: defaultdict[str, set[str]] = defaultdict(set)
        for event in self.of(StopAsked):
            found[event.name].add(event.action)
        for newer in self.asked.values():
            for old in self.asked.values():
                if newer.strategy in STOPPING and old.thread_id == newer.thread_id and old.at < newer.at:
                    found[old.name].add(newer.strategy)
        return dict(found)

    @cached_property
    def refused(self) -> set[str]:
        """Runs that were not to be, because their thread was busy."""
        return {event.name for event in self.of(Answered) if event.answer == "refused"}

    @cached_property
    def accepted(self) -> dict[str, float]:
        """When somebody was told that there is such a run."""
        return {event.name: event.at for event in reversed(self.of(Answered)) if event.answer == "accepted"}

    def runs(self) -> Iterator[tuple[ThreadAtEnd, RunAtEnd]]:
        """Every run that there is in the end."""
        return ((thread, run) for thread in self.history.threads for run in thread.runs)


def _at(event: Any) -> float:
    return event.at
