"""The streams of a thread object: those of its runs, and subscriptions to one run or to the whole thread.

A subscription to a run may be opened before the run starts, while it runs, or after it ended.
"""

import asyncio
import json
from collections.abc import Callable, Collection
from enum import Enum, auto
from typing import Final

from ports import ObjectStorage
from streaming import sse, views
from streaming.event_log import PAGE_RUNS
from streaming.events import START, EventId
from streaming.run_stream import EndTold, RunStream, StreamEnd
from streaming.stream_notes import NO_RUN
from streaming.thread_log import ThreadLog
from streaming.views import View

#: `result` looks again at least this often, so that a lost wake-up cannot make a caller wait for ever.
_RESULT_POLL_SECONDS: Final = 60.0


class From(Enum):
    """Where a subscription begins when it names no event id."""

    #: With the first event.
    START = auto()
    #: With the next event that is released: so all of a pending run, and nothing of a finished one.
    NOW = auto()


class RunStreams:
    """All streams of one thread object; the log in its storage is their memory."""

    def __init__(self, storage: ObjectStorage, now_ms: Callable[[], int]) -> None:
        self.log: Final = ThreadLog(storage, now_ms)
        self._streams: dict[str, RunStream] = {}
        self._users: dict[str, int] = {}

    def open(self, run_id: str) -> RunStream:
        """The stream of a run; give it back with `close`."""
        self._users[run_id] = self._users.get(run_id, 0) + 1
        if run_id not in self._streams:
            self._streams[run_id] = RunStream(run_id, self.log)
        return self._streams[run_id]

    def close(self, run_id: str) -> None:
        """The counterpart of `open`. When the last user closes a stream, its memory is freed; the log stays."""
        self._users[run_id] -= 1
        if not self._users[run_id]:
            del self._users[run_id], self._streams[run_id]

    def subscribe(self, run_id: str, after: EventId | From = From.NOW, modes: Collection[str] = ()) -> "Subscription":
        """Follow a run. `modes` filters by stream mode; none means everything."""
        stream = self.open(run_id)
        return Subscription(
            self.log,
            run_id,
            _position(after, stream.last_id),
            views.run_view(frozenset(modes)),
            has_ended=lambda: stream.result is not None,
            on_close=lambda: self.close(run_id),
        )

    def follow(self, view: View, after: EventId | From = From.NOW) -> "Subscription":
        """Follow the whole thread; never ends."""
        return Subscription(self.log, None, _position(after, self.log.last_id()), view)

    def note_end(self, run_id: str, told: EndTold | None = None) -> None:
        """The end of a run is about to be stored: `unended` has it even if the object dies.

        A run that has events is among them anyway. One whose row is deleted as it ends is taken for one that never was,
        unless `told` says what to tell of it.
        """
        if told or self.log.stored.last_id_of(run_id) == START:
            self.log.stored.notes.set_ending(run_id, json.dumps(told) if told else "", self.log.now_ms())

    def noted_end(self, run_id: str) -> EndTold | None:
        """What `note_end` was given to tell, in any incarnation."""
        noted = self.log.stored.notes.ending(run_id)
        if noted == "":  # an earlier release did not note with what a run ended that it rolled back
            return EndTold("null", "interrupted")
        return None if noted is None else EndTold(*json.loads(noted))

    def is_followed(self, run_id: str) -> bool:
        """Whether anybody besides the executor follows a run that executes."""
        return self._users.get(run_id, 0) > 1

    def end(
        self, run_id: str, result: str, ending: StreamEnd, *, error: str | None = None, shows_held: bool = True
    ) -> None:
        """End a run that is not executing: close its streams and keep its result. Idempotent."""
        stream = self.open(run_id)
        if stream.result is None:
            if shows_held:
                stream.show_held()
            stream.finish(result, ending, error=error)
        self.close(run_id)

    def reopen(self, run_id: str) -> None:
        """A run that had ended goes on: forget its end, and the error with it. Idempotent."""
        if self.stored_result(run_id) is not None:
            self.log.reopen(run_id)
            if run_id in self._streams:
                self._streams[run_id].result = None

    async def result(self, run_id: str) -> str:
        """The JSON text `/wait` and `/join` answer; waits until the run has ended."""
        stream = self.open(run_id)
        try:
            while stream.result is None:
                await stream.changed(_RESULT_POLL_SECONDS)
            return stream.result
        finally:
            self.close(run_id)

    def state_updated(self, thread_id: str, state: str) -> None:
        """Show the thread's followers a state that no run has made."""
        self.log.append(NO_RUN, views.STATE_UPDATE, f'{{"state":{state},"thread_id":"{thread_id}"}}')
        self.log.show(NO_RUN, durably=True)

    def followed(self) -> list[str]:
        """The runs that somebody follows and that have not ended."""
        return [run_id for run_id, stream in self._streams.items() if stream.result is None]

    def unended(self) -> list[str]:
        """The runs that have events, or were about to end, and no end here, of this incarnation or an earlier one."""
        return self.log.stored.unended()

    def stored_result(self, run_id: str) -> str | None:
        """The result of a run that has ended here, or None."""
        return self.log.stored.result(run_id)

    def delete(self, run_id: str) -> None:
        """Forget a run, after ending the streams that follow it."""
        self.end(run_id, "{}", "interrupted")
        self.log.stored.delete(run_id)

    def retire(self, at_ms: int) -> bool:
        """Forget a page of runs that ended by a time and that nobody follows; whether any may be left."""
        self.log.stored.delete_runless(at_ms)
        if not self.log.has_ended_by(at_ms):
            return False
        ended = self.log.stored.ended_by(at_ms)
        for run_id in ended:
            if run_id not in self._users:
                self.log.stored.delete(run_id)
        return len(ended) == PAGE_RUNS or any(run_id in self._users for run_id in ended)


class Subscription:
    """One client's view of a run or a thread as chunks of SSE text; made by `RunStreams`, closed by its owner."""

    def __init__(
        self,
        log: ThreadLog,
        run_id: str | None,
        position: EventId,
        view: View,
        *,
        has_ended: Callable[[], bool] = lambda: False,
        on_close: Callable[[], None] = lambda: None,
    ) -> None:
        self._log = log
        self._run_id = run_id
        self._position = position
        self._view = view
        self._has_ended = has_ended
        self._on_close = on_close
        self._is_closed = False
        self._next_heartbeat = asyncio.get_running_loop().time() + sse.HEARTBEAT_SECONDS

    async def next_chunk(self) -> str | None:
        """All that can be sent now, as one text. Waits while there is nothing; None at the end of the stream."""
        while not self._is_closed:
            # Read before looking for frames: a run that ends after this look brings its last frames in the next one.
            has_ended = self._has_ended()
            frames = self._log.read(self._position, self._run_id)
            if frames:
                self._position = frames[-1].id
            if text := "".join(map(self._view, frames)):
                await self._log.confirmed()
                return text
            if heartbeat := self._due_heartbeat():
                return heartbeat
            if frames:
                continue
            if has_ended:
                return None
            await self._log.changed(self._run_id, self._seconds_to_heartbeat())
        return None

    def close(self) -> None:
        """End the subscription; a waiting `next_chunk` ends at its next heartbeat. Idempotent."""
        if not self._is_closed:
            self._is_closed = True
            self._on_close()

    def _seconds_to_heartbeat(self) -> float:
        return max(0.0, self._next_heartbeat - asyncio.get_running_loop().time())

    def _due_heartbeat(self) -> str:
        if self._seconds_to_heartbeat() > 0:
            return ""
        # A client that did not read for a while gets one heartbeat, not all that it has missed.
        now = asyncio.get_running_loop().time()
        self._next_heartbeat = max(self._next_heartbeat, now - sse.HEARTBEAT_SECONDS) + sse.HEARTBEAT_SECONDS
        return sse.HEARTBEAT


def _position(after: EventId | From, last: EventId) -> EventId:
    if isinstance(after, EventId):
        return after
    return START if after is From.START else last
