"""The stream of one run inside its thread object: takes events from the graph and adds them to the thread's log."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final, Literal, NamedTuple, TypeAlias

from streaming.event_log import ENDED_STEP
from streaming.events import BEFORE_ALL, START, UNKNOWN_STEP, Delivery, Event, EventId, Frame, Superstep
from streaming.gate import Gate
from streaming.json_text import dumps
from streaming.stream_notes import Answer
from streaming.thread_log import ThreadLog

#: How a run ended, in the words of the streaming protocol.
StreamEnd: TypeAlias = Literal["completed", "failed", "interrupted"]


class EndTold(NamedTuple):
    """What followers of a run are told as it ends: see `RunStream.finish`."""

    result: str
    ending: StreamEnd
    error: str | None = None


#: The entry before all events of a run: `{"run_id", "attempt", "graph_id"}`; another one before those of each attempt
#: that goes on with it.
STARTED: Final = ".start"
RESUMED: Final = ".resume"

#: Before the super-step of a thread's first checkpoint, and of what is shown without one.
_BEFORE_FIRST_STEP: Final = -3

#: The entry after all events of a run, with the ending behind it; its data is what `/wait` answers.
ENDED: Final = ".end/"


class RunStream:
    """Producer methods are called by the run's executor, in the order the docstrings say; none of them waits."""

    def __init__(self, run_id: str, log: ThreadLog) -> None:
        self.run_id = run_id
        self._log = log
        self._notes = log.stored.notes
        self._gate = Gate()
        #: The data of what is stored until its commit.
        self._held: dict[Superstep, list[str]] = {}
        #: Parts of super-steps that were shown before the whole was committed, in the order of their commits.
        self._shown: dict[Superstep, None] = {}
        #: The last live events before parts of super-steps that are not committed were sent to be.
        self._told: dict[Superstep, EventId] = {}
        self._order = 0
        self._first_step = self._notes.first_step(run_id)
        self.result: str | None = log.stored.result(run_id)

    # What the executor calls.

    def held_namespaces(self) -> set[str]:
        """The namespaces whose latest committed step `resume` must be told, besides ""."""
        return {part.namespace for part in (*self._notes.held(self.run_id), *self._notes.told(self.run_id))}

    def resume(self, committed: Mapping[str, int], finished_tasks: Collection[str] = ()) -> None:
        """Go on after a crash or a drained slice, before the first `emit`.

        `committed` maps namespaces to the last super-step committed there; empty when this run committed nothing, and
        then all its events are forgotten. `finished_tasks` are those of super-steps after them whose writes are
        committed.
        """
        root = committed.get("")
        held = self._notes.held(self.run_id)
        if root is None:
            self._first_step = None
        self._told = self._told_of(committed, finished_tasks)
        self._log.discard(self.run_id, root, max(self._told.values(), default=START))
        self._gate = Gate()
        self._settle(held, committed, finished_tasks)

    def settle(
        self, committed: Mapping[str, int], finished_tasks: Collection[str] = (), *, keeps_live: bool = True
    ) -> None:
        """The run executes no further than `committed`, as in `resume`; call `before_finish` before.

        What is held up to there is shown, the rest forgotten; what was shown stays, also of an unfinished super-step.
        Unless it `keeps_live`, super-steps were shown before they were committed: what is not committed is forgotten.
        """
        root = committed.get("", _BEFORE_FIRST_STEP)
        if not keeps_live and (not self._order or self._gate.has_closed("", root + 1)):
            told = self._told_of(committed, finished_tasks)
            self._log.discard(self.run_id, root, max(told.values(), default=START))
        self._gate.open()
        self._settle(self._notes.held(self.run_id), committed, finished_tasks)

    def _told_of(self, committed: Mapping[str, int], finished_tasks: Collection[str]) -> dict[Superstep, EventId]:
        """What of the noted is committed, and up to where it was told."""
        noted = self._notes.told(self.run_id).items()
        return {part: until for part, until in noted if part.task in finished_tasks or _is_settled(part, committed)}

    def _settle(
        self, held: Mapping[Superstep, list[Event]], committed: Mapping[str, int], finished_tasks: Collection[str]
    ) -> None:
        self._held = {}
        self._shown = {}
        shown: list[Event] = []
        for superstep, events in held.items():
            is_settled = _is_settled(superstep, committed)
            is_finished = superstep.task in finished_tasks
            self._notes.release(self.run_id, superstep)
            if is_settled or is_finished:
                shown += events
            if is_finished and not (is_settled or superstep.live):
                self._note_shown(superstep)
        self._show(_in_order(shown))

    @property
    def is_settled(self) -> bool:
        """Whether `note_settled` was called, in any incarnation."""
        return self._notes.is_settled(self.run_id)

    def note_settled(self) -> None:
        """All that is to be told of a run which goes on no further has been emitted: show it, once."""
        self._notes.set_settled(self.run_id, self._log.now_ms())
        self.pause()

    @property
    def shown_tasks(self) -> set[str]:
        """The tasks whose part of a super-step that still runs is shown."""
        return {superstep.task for superstep in self._shown}

    @property
    def has_begun(self) -> bool:
        """Whether `begin` was called, in any slice of which the log knows."""
        return self._first_step is not None or self.last_data(STARTED) is not None

    def begin(self, attempt: int, graph_id: str, *, is_new: bool = False) -> None:
        """Announce an attempt; a slice after a drain belongs to one that is announced already. `is_new`: none was."""
        data = dumps({"run_id": self.run_id, "attempt": attempt, "graph_id": graph_id})
        started = None if is_new else self.last_data(STARTED)
        if started is None:
            self.emit_now(STARTED, data)
        elif data not in (started, self.last_data(RESUMED)):
            self.emit_now(RESUMED, data)

    def emit(self, event: Event) -> None:
        """Take an event from the graph; it is shown and stored when its delivery allows."""
        self._order += 1
        self._release(self._gate.admit(replace(event, order=self._order)))

    def emit_now(self, name: str, data: str) -> None:
        """Show an event that belongs to no super-step, such as `error`."""
        self.emit(Event(name, data, BEFORE_ALL, Delivery.LIVE))

    def close_superstep(self, namespace: str, step: int) -> None:
        """All events of this super-step have been emitted, its checkpoint is on its way."""
        self._gate.close(namespace, step)

    def note_first_step(self, step: int) -> None:
        """The first super-step that this run has committed."""
        self._first_step = step
        self._notes.set_first_step(self.run_id, step, self._log.now_ms())

    def has_told(self, namespace: str, step: int) -> bool:
        """Whether all events of this super-step have been emitted since the object, or this attempt, began."""
        return self._gate.has_closed(namespace, step)

    def before_commit(self, namespace: str, step: int, *, is_known: bool = True) -> None:
        """A checkpoint is about to be written: store what would be lost if the object died right after.

        That is all that waits, the events of earlier super-steps whose commit is under way as well. If the graph
        `is_known`, the snapshots of this very super-step are not among them: a run that resumes from it emits them
        again, and those of one that is stopped are made from the stored state.
        """
        self._note_told(namespace, step)
        self._hold(self._gate.waiting_besides(namespace, step) if is_known else self._gate.waiting())

    def before_task_commit(
        self, namespace: str, task_id: str, records: Sequence[Event], step: int | None = None
    ) -> None:
        """What a task wrote is about to be stored: store what would be lost if the object died right after.

        `records` are its events that have not been emitted, `step` is the number of its super-step if that is known.
        """
        self._note_told(namespace, UNKNOWN_STEP, task_id)
        for left in self._gate.adopt(namespace, task_id, step):
            self._hold_anew(left)
        # If a run resumes after this, the snapshots before it come again, but what is finished is shown at once.
        emitted = self._gate.up_to_task(task_id)
        self._hold([*emitted, *(replace(event, order=self._order + 1) for event in records)])

    def task_committed(self, task_id: str) -> None:
        """What a task wrote is stored for good: show what waited for it."""
        self._release(self._gate.commit_task(task_id))

    def before_finish(self) -> None:
        """The run is about to be stored as ended: what waits is stored, so that it is shown even if the object dies."""
        self._hold(self._gate.waiting())

    def answering(self, answer: Answer) -> None:
        """A task is about to store an answer to an interrupt."""
        self._notes.note_answer(self.run_id, answer, self._log.now_ms())

    def answers(self) -> list[Answer]:
        """What `answering` was told, in any attempt."""
        return self._notes.answers(self.run_id)

    def note_breakpoint(self, checkpoint_id: str) -> None:
        """A graph stops at a breakpoint; this checkpoint may be about to be stored."""
        self._notes.note_breakpoint(self.run_id, checkpoint_id, self._log.now_ms())

    def breakpoints(self) -> list[str]:
        """The checkpoints that `note_breakpoint` was told, in any attempt."""
        return self._notes.breakpoints(self.run_id)

    def committed(self, namespace: str, step: int) -> None:
        """The checkpoint of this super-step is stored for good: show what waited for it."""
        if self._first_step is None and not namespace:
            self.note_first_step(step)
        self.goes_on_from(namespace, step)

    def goes_on_from(self, namespace: str, step: int) -> None:
        """A graph goes on from this super-step, which is committed since before this slice: show what waited for it."""
        for part, until in [*self._told.items()]:
            if (part.namespace, part.step) == (namespace, step):  # what came before says nothing more
                self._told = {other: at for other, at in self._told.items() if at >= until}
        self._release(self._gate.commit(namespace, step))
        for superstep in [superstep for superstep in self._shown if self._gate.has_committed(superstep)]:
            del self._shown[superstep]
            self._notes.release(self.run_id, superstep)

    def show_held(self) -> None:
        """After a crash between the end of the run's row and `finish`: show what `before_finish` stored."""
        held = self._notes.held(self.run_id)
        self._show(_in_order(event for events in held.values() for event in events))
        for superstep in held:
            self._notes.release(self.run_id, superstep)

    def pause(self) -> None:
        """The slice has ended and the graph stored everything: show all that waits; the run goes on later."""
        self._release(self._gate.open())
        self._log.store()

    def finish(self, result: str, ending: StreamEnd, *, error: str | None = None) -> None:
        """The run has ended and its row says so: show all that waits and the error, if any, and let subscribers go.

        `result` is what `/wait` answers, `error` an object `{"error", "message"}`; both are JSON text.
        """
        self._release(self._gate.open())
        if error is not None:
            self._log.append(self.run_id, "error", error, ENDED_STEP)
        self._log.append(self.run_id, f"{ENDED}{ending}", result, ENDED_STEP)
        self.result = result
        self._log.show(self.run_id, durably=True)

    @property
    def first_step(self) -> int | None:
        """The first super-step this run committed, in any attempt."""
        return self._first_step

    def last_data(self, name: str, is_meant: Callable[[str], bool] | None = None) -> str | None:
        """The data of the latest released event of this name whose data `is_meant`, in any attempt."""
        self._log.store()
        return self._log.stored.last_data(self.run_id, name, is_meant)

    # What a subscription calls.

    @property
    def last_id(self) -> EventId:
        """The id of the latest released event of this run, or `START`."""
        return self._log.last_id(self.run_id)

    def frames_after(self, position: EventId) -> list[Frame]:
        """The next frames after a position: from memory, or one block from the log; empty when there are none yet."""
        return self._log.read(position, self.run_id)

    async def changed(self, timeout_seconds: float) -> None:
        """Return when there may be more frames or a result, or after the timeout."""
        await self._log.changed(self.run_id, timeout_seconds)

    # Inside.

    def _hold(self, events: list[Event]) -> None:
        groups: dict[Superstep, list[Event]] = {}
        for event in events:
            groups.setdefault(event.superstep, []).append(event)
        for superstep, group in groups.items():
            data = [event.data for event in group]
            if self._held.get(superstep) != data:
                self._notes.hold(self.run_id, superstep, group, self._log.now_ms())
                self._held[superstep] = data

    def _release(self, events: Sequence[Event]) -> None:
        if not events:
            return
        parts = dict.fromkeys(event.superstep for event in events)
        were_held = [part for part in parts if self._hold_anew(part)]
        for part in parts:
            if part.task and not (part.live or self._gate.has_committed(part)):
                self._note_shown(part)
        self._show(events, durably=bool(were_held))
        live = {event.superstep for event in events if event.delivery is Delivery.LIVE}
        for part in were_held:
            if part in live:
                self._note_told(part.namespace, part.step, part.task)

    def _hold_anew(self, part: Superstep) -> bool:
        """Store of what is stored until its commit only what still waits; whether there was anything."""
        was_held = self._held.pop(part, None) is not None
        if was_held:
            self._notes.release(self.run_id, part)
            self._hold([event for event in self._gate.waiting() if event.superstep == part])
        return was_held

    def _show(self, events: Sequence[Event], *, durably: bool = False) -> None:
        for event in events:
            # What is committed in its own namespace stays true when the super-step around it is run again.
            settled = event.delivery is not Delivery.LIVE
            step = BEFORE_ALL.root_step if settled else event.superstep.root_step
            self._log.append(self.run_id, event.name, event.data, step)
        if events:
            settles = any(event.delivery is not Delivery.LIVE for event in events)
            self._log.show(self.run_id, durably=durably or settles)

    def _note_told(self, namespace: str, step: int, task_id: str = "") -> None:
        """So that a crash after this commit takes no live event back: the run that resumes will not emit it again."""
        live = self._log.store_live(self.run_id)
        if live is None or not (namespace or task_id) or self._is_over(live[0]):
            return
        self._told = {part: until for part, until in self._told.items() if not self._is_over(part.root_step)}
        self._told[Superstep(namespace, step, live[0], task_id)] = live[1]
        self._notes.set_told(self.run_id, self._told, self._log.now_ms())

    def _is_over(self, root_step: int) -> bool:
        return self._gate.has_committed(Superstep("", root_step, root_step))

    def _note_shown(self, superstep: Superstep) -> None:
        """So that a run which resumes in this super-step does not show again what this task did."""
        self._notes.hold(self.run_id, superstep, (), self._log.now_ms())
        self._shown[superstep] = None


def _in_order(events: Iterable[Event]) -> list[Event]:
    return sorted(events, key=lambda event: event.order)


def _is_settled(superstep: Superstep, committed: Mapping[str, int]) -> bool:
    """Whether what was held for this super-step is part of the run that goes on after `committed[""]`.

    A subgraph may commit before the super-step in front of it; when that one is lost, the subgraph runs anew.
    """
    root = committed.get("", superstep.root_step - 2)
    is_own_committed = superstep.step <= committed.get(superstep.namespace, superstep.step - 1)
    return superstep.root_step <= root or (superstep.root_step == root + 1 and is_own_committed)
