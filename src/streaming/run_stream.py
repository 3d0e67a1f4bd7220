"""The stream of one run inside its thread object: takes events from the graph and adds them to the thread's log."""

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

from streaming.event_log import ENDED_STEP
from streaming.events import BEFORE_ALL, Delivery, Event, EventId, Frame, Superstep
from streaming.gate import Gate
from streaming.json_text import dumps
from streaming.thread_log import ThreadLog

#: How a run ended, in the words of the streaming protocol.
StreamEnd: TypeAlias = Literal["completed", "failed", "interrupted"]

#: The entry before all events of an attempt: `{"run_id", "attempt", "graph_id"}`.
STARTED: Final = ".start"

#: The entry after all events of a run, with the ending behind it; its data is what `/wait` answers.
ENDED: Final = ".end/"


class RunStream:
    """Producer methods are called by the run's executor, in the order the docstrings say; none of them waits."""

    def __init__(self, run_id: str, log: ThreadLog) -> None:
        self._run_id = run_id
        self._log = log
        self._gate = Gate()
        self._held: dict[Superstep, int] = {}
        self._first_step = log.stored.first_step(run_id)
        self.result: str | None = log.stored.result(run_id)

    # What the executor calls.

    def held_namespaces(self) -> set[str]:
        """The namespaces whose latest committed step `resume` must be told, besides ""."""
        return {event.superstep.namespace for event in self._log.stored.held(self._run_id)}

    def resume(self, committed: Mapping[str, int]) -> None:
        """Go on after a crash or a drained slice, before the first `emit`.

        `committed` maps namespaces to the last super-step committed there; empty when this run committed nothing, and
        then all its events are forgotten.
        """
        root = committed.get("")
        held = self._log.stored.held(self._run_id)
        self._gate = Gate()
        self._held = {}
        if root is None:
            self._first_step = None
        self._log.discard(self._run_id, root)
        for event in held:
            if _is_settled(event.superstep, committed):
                self._release([event])
            self._log.stored.release(self._run_id, event.superstep)

    def begin(self, attempt: int, graph_id: str) -> None:
        """Announce an attempt; a slice after a drain belongs to one that is announced already."""
        data = dumps({"run_id": self._run_id, "attempt": attempt, "graph_id": graph_id})
        if self._first_step is None or self.last_data(STARTED) != data:
            self.emit_now(STARTED, data)

    def emit(self, event: Event) -> None:
        """Take an event from the graph; it is shown and stored when its delivery allows."""
        self._release(self._gate.admit(event))

    def emit_now(self, name: str, data: str) -> None:
        """Show an event that belongs to no super-step, such as `error`."""
        self.emit(Event(name, data, BEFORE_ALL, Delivery.LIVE))

    def close_superstep(self, namespace: str, step: int) -> None:
        """All events of this super-step have been emitted, its checkpoint is on its way."""
        self._gate.close(namespace, step)

    def before_commit(self, namespace: str, step: int) -> None:
        """A checkpoint is about to be written: store what would be lost if the object died right after.

        That is all that waits, the events of earlier super-steps whose commit is under way as well, except the
        snapshots of this very super-step: a run that resumes from it emits them again.
        """
        self._hold(self._gate.lost_after(namespace, step))

    def before_finish(self) -> None:
        """The run is about to be stored as ended: what waits is stored, so that it is shown even if the object dies."""
        self._hold(self._gate.waiting())

    def answering(self, namespace: str, task_id: str, count: int) -> None:
        """A task is about to store its `count`th answer to an interrupt."""
        self._log.stored.note_answer(self._run_id, namespace, task_id, count, self._log.now_ms())

    def answers(self) -> list[tuple[str, str, int]]:
        """What `answering` was told, in any attempt."""
        return self._log.stored.answers(self._run_id)

    def committed(self, namespace: str, step: int) -> None:
        """The checkpoint of this super-step is stored for good: show what waited for it."""
        if self._first_step is None and not namespace:
            self._first_step = step
            self._log.stored.set_first_step(self._run_id, step, self._log.now_ms())
        self._release(self._gate.commit(namespace, step))

    def show_held(self) -> None:
        """After a crash between the end of the run's row and `finish`: show what `before_finish` stored."""
        for event in self._log.stored.held(self._run_id):
            self._release([event])
            self._log.stored.release(self._run_id, event.superstep)

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
            self.emit_now("error", error)
        self._log.append(self._run_id, f"{ENDED}{ending}", result, ENDED_STEP)
        self.result = result
        self._log.show(self._run_id, durably=True)

    @property
    def first_step(self) -> int | None:
        """The first super-step this run committed, in any attempt."""
        return self._first_step

    def last_data(self, name: str) -> str | None:
        """The data of the latest released event of this name, in any attempt."""
        self._log.store()
        return self._log.stored.last_data(self._run_id, name)

    # What a subscription calls.

    @property
    def last_id(self) -> EventId:
        """The id of the latest released event of this run, or `START`."""
        return self._log.last_id(self._run_id)

    def frames_after(self, position: EventId) -> list[Frame]:
        """The next frames after a position: from memory, or one block from the log; empty when there are none yet."""
        return self._log.read(position, self._run_id)

    async def changed(self, timeout_seconds: float) -> None:
        """Return when there may be more frames or a result, or after the timeout."""
        await self._log.changed(self._run_id, timeout_seconds)

    # Inside.

    def _hold(self, events: list[Event]) -> None:
        groups: dict[Superstep, list[Event]] = {}
        for event in events:
            groups.setdefault(event.superstep, []).append(event)
        for superstep, group in groups.items():
            if self._held.get(superstep) != len(group):
                self._log.stored.hold(self._run_id, superstep, group, self._log.now_ms())
                self._held[superstep] = len(group)

    def _release(self, events: list[Event]) -> None:
        if not events:
            return
        for event in events:
            # What is committed in its own namespace stays true when the super-step around it is run again.
            settled = event.delivery is not Delivery.LIVE
            step = BEFORE_ALL.root_step if settled else event.superstep.root_step
            self._log.append(self._run_id, event.name, event.data, step)
            if self._held.pop(event.superstep, 0):
                self._log.stored.release(self._run_id, event.superstep)
                self._hold([other for other in self._gate.waiting() if other.superstep == event.superstep])
        self._log.show(self._run_id, durably=any(event.delivery is not Delivery.LIVE for event in events))


def _is_settled(superstep: Superstep, committed: Mapping[str, int]) -> bool:
    """Whether what was held for this super-step is part of the run that goes on after `committed[""]`.

    A subgraph may commit before the super-step in front of it; when that one is lost, the subgraph runs anew.
    """
    root = committed.get("", superstep.root_step - 2)
    is_own_committed = superstep.step <= committed.get(superstep.namespace, superstep.step - 1)
    return superstep.root_step <= root or (superstep.root_step == root + 1 and is_own_committed)
