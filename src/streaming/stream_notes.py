"""What else must not be forgotten of a thread's streams, in the SQLite of the thread's object.

The table `stream_notes` holds events that wait for a commit, the answers that a run has given, its first super-step, up
to which entry its live events stay when something is committed, at which breakpoints its graphs stopped, whether it was
about to end, and up to which number entries are promised. It is synchronous, like `event_log.py`, its owner.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from ports import ObjectStorage
from streaming.events import START, Delivery, Event, EventId, Superstep

#: At up to four bytes a character this stays below the row limit of SQLite in a Durable Object; longer text is split.
PART_CHARACTERS: Final = 400_000

#: In place of a run id: for events of no run.
NO_RUN: Final = ""

_FIRST_STEP: Final = "first_step"
_SETTLED: Final = "settled"
_PROMISED: Final = "promised"
_ENDING: Final = "ending"
_TOLD: Final = "told"
_HELD: Final = "held/"
_ANSWER: Final = "answer/"
_BREAKPOINTS: Final = "breakpoints"

CREATE_TABLE: Final = """
CREATE TABLE IF NOT EXISTS stream_notes (
    run_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    part INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (run_id, kind, part)
) WITHOUT ROWID
"""


class Answer(NamedTuple):
    """What a task answers."""

    namespace: str
    task_id: str
    #: How many answers the task has with this one.
    number: int
    #: The ids of the interrupts that waited for it.
    asked: Sequence[str]


class StreamNotes:
    """The notes of one thread object."""

    def __init__(self, storage: ObjectStorage) -> None:
        self._storage = storage
        storage.execute(CREATE_TABLE)

    def hold(self, run_id: str, superstep: Superstep, events: Sequence[Event], at_ms: int) -> None:
        """Store the waiting events of one super-step until `release`, or until a crash decides; replaces earlier ones.

        Without events it notes that a task's part of the super-step is shown.
        """
        body = json.dumps([(event.name, event.data, event.order) for event in events], ensure_ascii=False)
        self._put(run_id, _held_kind(superstep), body, at_ms)

    def release(self, run_id: str, superstep: Superstep) -> None:
        """Forget the held events of this super-step, which are stored as released ones now."""
        self._storage.execute(self.DELETE_NOTE, run_id, _held_kind(superstep))

    #: -> kind, body; the parts of a note follow each other.
    HELD_NOTES: Final = """
        SELECT kind, body
        FROM stream_notes
        WHERE run_id = ? AND kind >= 'held/' AND kind < 'held0'
        ORDER BY kind, part
    """

    def held(self, run_id: str) -> dict[Superstep, list[Event]]:
        """The events that waited for a commit when the object last stopped, by super-step."""
        bodies: dict[str, str] = {}
        for row in self._storage.execute(self.HELD_NOTES, run_id):
            bodies[row["kind"]] = bodies.get(row["kind"], "") + row["body"]
        return {superstep: _held(superstep, body) for kind, body in bodies.items() for superstep in [_superstep(kind)]}

    def set_first_step(self, run_id: str, step: int, at_ms: int) -> None:
        """Remember the number of the first super-step this run committed."""
        self._put(run_id, _FIRST_STEP, str(step), at_ms)

    def first_step(self, run_id: str) -> int | None:
        """See `set_first_step`."""
        body = self._note(run_id, _FIRST_STEP)
        return None if body is None else int(body)

    def set_settled(self, run_id: str, at_ms: int) -> None:
        """Remember that all is shown of a run which goes on no further."""
        self._put(run_id, _SETTLED, "", at_ms)

    def is_settled(self, run_id: str) -> bool:
        """See `set_settled`."""
        return self._note(run_id, _SETTLED) is not None

    def set_ending(self, run_id: str, told: str, at_ms: int) -> None:
        """Remember that the end of this run is about to be stored, and what is `told` of it if no row says that."""
        self._put(run_id, _ENDING, told, at_ms)

    def ending(self, run_id: str) -> str | None:
        """See `set_ending`."""
        return self._note(run_id, _ENDING)

    def set_promised(self, n: int, at_ms: int) -> None:
        """Remember that no new entry may get a number up to this one."""
        self._put(NO_RUN, _PROMISED, str(n), at_ms)

    def promised(self) -> int:
        """See `set_promised`."""
        return int(self._note(NO_RUN, _PROMISED) or 0)

    def set_told(self, run_id: str, told: Mapping[Superstep, EventId], at_ms: int) -> None:
        """Remember the last entries before these parts of a super-step were sent to be committed."""
        body = [[part.namespace, part.step, part.root_step, part.task, str(until)] for part, until in told.items()]
        self._put(run_id, _TOLD, json.dumps(body), at_ms)

    def told(self, run_id: str) -> dict[Superstep, EventId]:
        """See `set_told`."""
        parts_told = json.loads(self._note(run_id, _TOLD) or "[]")
        return {Superstep(*part): EventId.parse(until) or START for *part, until in parts_told}

    def note_breakpoint(self, run_id: str, checkpoint_id: str, at_ms: int) -> None:
        """A graph of this run stops at a breakpoint, at a checkpoint that may be about to be stored."""
        noted = self.breakpoints(run_id)
        if checkpoint_id not in noted:
            self._put(run_id, _BREAKPOINTS, json.dumps([*noted, checkpoint_id]), at_ms)

    def breakpoints(self, run_id: str) -> list[str]:
        """See `note_breakpoint`."""
        return json.loads(self._note(run_id, _BREAKPOINTS) or "[]")

    def note_answer(self, run_id: str, answer: Answer, at_ms: int) -> None:
        """A task of this run is about to store an answer; the first to be noted of its number stays."""
        kind = f"{_ANSWER}{answer.task_id}/{answer.namespace}"
        noted = self._note(run_id, kind)
        if noted is None or json.loads(noted)[0] < answer.number:
            self._put(run_id, kind, json.dumps([answer.number, answer.asked]), at_ms)

    #: -> kind, body.
    ANSWERS: Final = """
        SELECT kind, body
        FROM stream_notes
        WHERE run_id = ? AND kind >= 'answer/' AND kind < 'answer0'
    """

    def answers(self, run_id: str) -> list[Answer]:
        """The answers that tasks of this run stored, or were about to."""
        found: list[Answer] = []
        for row in self._storage.execute(self.ANSWERS, run_id):
            task_id, _, namespace = row["kind"].removeprefix(_ANSWER).partition("/")
            found.append(Answer(namespace, task_id, *json.loads(row["body"])))
        return found

    DELETE_OF_EVENTS: Final = """
        DELETE FROM stream_notes
        WHERE run_id = ? AND NOT (kind = 'breakpoints' OR (kind >= 'answer/' AND kind < 'answer0'))
    """

    def delete_of_events(self, run_id: str) -> None:
        """Forget what is noted of a run's events, but not which answers it has given nor its breakpoints."""
        self._storage.execute(self.DELETE_OF_EVENTS, run_id)

    DELETE_NOTES: Final = "DELETE FROM stream_notes WHERE run_id = ?"

    def delete(self, run_id: str) -> None:
        """Forget what is noted of a run."""
        self._storage.execute(self.DELETE_NOTES, run_id)

    DELETE_NOTE: Final = "DELETE FROM stream_notes WHERE run_id = ? AND kind = ?"
    INSERT_NOTE: Final = "INSERT INTO stream_notes (run_id, kind, part, at_ms, body) VALUES (?, ?, ?, ?, ?)"

    def _put(self, run_id: str, kind: str, body: str, at_ms: int) -> None:
        self._storage.execute(self.DELETE_NOTE, run_id, kind)
        for part, text in enumerate(parts(body)):
            self._storage.execute(self.INSERT_NOTE, run_id, kind, part, at_ms, text)

    #: -> body, in order.
    NOTE: Final = "SELECT body FROM stream_notes WHERE run_id = ? AND kind = ? ORDER BY part"

    def _note(self, run_id: str, kind: str) -> str | None:
        rows = self._storage.execute(self.NOTE, run_id, kind)
        return "".join(row["body"] for row in rows) if rows else None


def parts(text: str) -> list[str]:
    """A text as rows can hold it."""
    return [text[start : start + PART_CHARACTERS] for start in range(0, len(text), PART_CHARACTERS)] or [""]


def _held_kind(superstep: Superstep) -> str:
    place = f"{_HELD}{superstep.root_step}/{superstep.step}/{superstep.namespace}"
    task = superstep.task + "\n" * superstep.live
    return f"{place}\n{task}" if task else place


def _superstep(kind: str) -> Superstep:
    root_step, step, place = kind.removeprefix(_HELD).split("/", 2)
    namespace, _, task = place.partition("\n")
    return Superstep(namespace, int(step), int(root_step), task.rstrip("\n"), live=task.endswith("\n"))


def _held(superstep: Superstep, body: str) -> list[Event]:
    # An earlier release stored no order.
    return [
        Event(name, data, superstep, Delivery.RECORD, order[0] if order else 0)
        for name, data, *order in json.loads(body)
    ]
