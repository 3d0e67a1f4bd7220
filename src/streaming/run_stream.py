"""The stream of one run inside its thread object: takes events from the graph, gives frames to subscribers.

A subscriber is only a position. It reads the frames after it from memory while they are there and from the log when it
fell behind, so a slow client costs no memory.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from itertools import takewhile
from typing import Final

from streaming import sse
from streaming.event_log import EventLog
from streaming.events import BEFORE_ALL, Delivery, Event, EventId, Frame, Superstep
from streaming.gate import Gate

#: Live events are stored at least this often while they arrive.
BLOCK_MILLISECONDS: Final = 250

#: How many characters of stored frames stay in memory for subscribers.
RECENT_CHARACTERS: Final = 256_000


class EventIds:
    """Gives ids to released events, across all runs of a thread object."""

    def __init__(self, last: EventId, now_ms: Callable[[], int]) -> None:
        self._last = last
        self.now_ms = now_ms

    def next(self) -> EventId:
        """A new id, greater than all before."""
        ms = max(self.now_ms(), self._last.ms)
        self._last = EventId(ms, self._last.n + 1 if ms == self._last.ms else 0)
        return self._last


class RunStream:
    """Producer methods are called by the run's executor, in the order the docstrings say; none of them waits."""

    def __init__(self, run_id: str, log: EventLog, ids: EventIds) -> None:
        self._run_id = run_id
        self._log = log
        self._ids = ids
        self._gate = Gate()
        self._recent: deque[Frame] = deque()
        self._recent_characters = 0
        #: Frames after this id are in memory; those up to it only in the log.
        self._floor = log.last_id_of(run_id)
        self._unstored: list[Frame] = []
        self._unstored_step = BEFORE_ALL.root_step
        self._unstored_since_ms = 0
        self._held: dict[Superstep, int] = {}
        self._first_step = log.first_step(run_id)
        self._waiters: set[asyncio.Future[None]] = set()
        self.result: str | None = log.result(run_id)

    # What the executor calls.

    def held_namespaces(self) -> set[str]:
        """The namespaces whose latest committed step `resume` must be told, besides ""."""
        return {event.superstep.namespace for event in self._log.held(self._run_id)}

    def resume(self, committed: Mapping[str, int]) -> None:
        """Go on after a crash or a drained slice, before the first `emit`.

        `committed` maps namespaces to the last super-step committed there; empty when this run committed nothing, and
        then all its events are forgotten.
        """
        self._store()
        root = committed.get("")
        held = self._log.held(self._run_id)
        self._gate = Gate()
        self._held = {}
        if root is None:
            self._log.start_over(self._run_id)
            self._first_step = None
        else:
            self._log.discard_after(self._run_id, root)
        self._forget_recent()
        for event in held:
            if _is_settled(event.superstep, committed):
                self._release([event])
            self._log.release(self._run_id, event.superstep)

    def emit(self, event: Event) -> None:
        """Take an event from the graph; it is shown and stored when its delivery allows."""
        self._release(self._gate.admit(event))

    def emit_now(self, name: str, data: str) -> None:
        """Show an event that belongs to no super-step, such as `metadata` or `error`."""
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
        self._log.note_answer(self._run_id, namespace, task_id, count, self._ids.now_ms())

    def answers(self) -> list[tuple[str, str, int]]:
        """What `answering` was told, in any attempt."""
        return self._log.answers(self._run_id)

    def committed(self, namespace: str, step: int) -> None:
        """The checkpoint of this super-step is stored for good: show what waited for it."""
        if self._first_step is None and not namespace:
            self._first_step = step
            self._log.set_first_step(self._run_id, step, self._ids.now_ms())
        self._release(self._gate.commit(namespace, step))

    def show_held(self) -> None:
        """After a crash between the end of the run's row and `finish`: show what `before_finish` stored."""
        for event in self._log.held(self._run_id):
            self._release([event])
            self._log.release(self._run_id, event.superstep)

    def pause(self) -> None:
        """The slice has ended and the graph stored everything: show all that waits; the run goes on later."""
        self._release(self._gate.open())
        self._store()

    def finish(self, result: str, *, error: str | None = None) -> None:
        """The run has ended and its row says so: show all that waits and the error, if any, and let subscribers go.

        `result` is what `/wait` answers, `error` an object `{"error", "message"}`; both are JSON text.
        """
        self._release(self._gate.open())
        if error is not None:
            self.emit_now("error", error)
        self._store()
        self._log.set_result(self._run_id, result, self._ids.now_ms())
        self.result = result
        self._wake()

    @property
    def first_step(self) -> int | None:
        """The first super-step this run committed, in any attempt."""
        return self._first_step

    def last_data(self, name: str) -> str | None:
        """The data of the latest released event of this name, in any attempt."""
        self._store()
        return self._log.last_data(self._run_id, name)

    # What a subscription calls.

    @property
    def last_id(self) -> EventId:
        """The id of the latest released event of this run, or `START`."""
        return self._recent[-1].id if self._recent else self._floor

    def frames_after(self, position: EventId) -> list[Frame]:
        """The next frames after a position: from memory, or one block from the log; empty when there are none yet."""
        if position < self._floor:
            return self._log.next_frames(self._run_id, position) or list(self._recent)
        newest_first = takewhile(lambda frame: frame.id > position, reversed(self._recent))
        return list(newest_first)[::-1]

    async def changed(self, timeout_seconds: float) -> None:
        """Return when there may be more frames or a result, or after the timeout."""
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.add(waiter)
        try:
            await asyncio.wait({waiter}, timeout=timeout_seconds)
        finally:
            self._waiters.discard(waiter)

    # Inside.

    def _hold(self, events: list[Event]) -> None:
        groups: dict[Superstep, list[Event]] = {}
        for event in events:
            groups.setdefault(event.superstep, []).append(event)
        for superstep, group in groups.items():
            if self._held.get(superstep) != len(group):
                self._log.hold(self._run_id, superstep, group, self._ids.now_ms())
                self._held[superstep] = len(group)

    def _release(self, events: list[Event]) -> None:
        if not events:
            return
        for event in events:
            # What is committed in its own namespace stays true when the super-step around it is run again.
            settled = event.delivery is not Delivery.LIVE
            self._buffer(event, BEFORE_ALL.root_step if settled else event.superstep.root_step)
            if self._held.pop(event.superstep, 0):
                self._log.release(self._run_id, event.superstep)
                self._hold([other for other in self._gate.waiting() if other.superstep == event.superstep])
        is_old = self._ids.now_ms() - self._unstored_since_ms >= BLOCK_MILLISECONDS
        if is_old or any(event.delivery is not Delivery.LIVE for event in events):
            self._store()
        self._wake()

    def _buffer(self, event: Event, root_step: int) -> None:
        if self._unstored and self._unstored_step != root_step:
            self._store()
        if not self._unstored:
            self._unstored_step = root_step
            self._unstored_since_ms = self._ids.now_ms()
        frame = sse.frame(self._ids.next(), event.name, event.data)
        self._unstored.append(frame)
        self._recent.append(frame)
        self._recent_characters += len(frame.text)

    def _store(self) -> None:
        if self._unstored:
            self._log.append(self._run_id, self._unstored_step, self._unstored)
            self._unstored = []
        while self._recent_characters > RECENT_CHARACTERS and self._recent:
            evicted = self._recent.popleft()
            self._recent_characters -= len(evicted.text)
            self._floor = evicted.id

    def _forget_recent(self) -> None:
        self._floor = max(self.last_id, self._log.last_id_of(self._run_id))
        self._recent.clear()
        self._recent_characters = 0

    def _wake(self) -> None:
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._waiters.clear()


def _is_settled(superstep: Superstep, committed: Mapping[str, int]) -> bool:
    """Whether what was held for this super-step is part of the run that goes on after `committed[""]`.

    A subgraph may commit before the super-step in front of it; when that one is lost, the subgraph runs anew.
    """
    root = committed.get("", superstep.root_step - 2)
    is_own_committed = superstep.step <= committed.get(superstep.namespace, superstep.step - 1)
    return superstep.root_step <= root or (superstep.root_step == root + 1 and is_own_committed)
