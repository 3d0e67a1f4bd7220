"""The streams of a thread object's runs, and subscriptions to them.

A subscription may be opened before its run starts, while it runs, or after it ended; see `RunStreams.subscribe`.
"""

import asyncio
from collections.abc import Callable, Collection
from enum import Enum, auto
from typing import Final

from ports import ObjectStorage
from streaming import sse
from streaming.event_log import PAGE_RUNS, EventLog
from streaming.events import BEFORE_ALL, START, EventId, Frame
from streaming.run_stream import EventIds, RunStream

#: `result` looks again at least this often, so that no lost wake-up can hang a caller for ever.
_RESULT_POLL_SECONDS: Final = 60.0


#: In place of a run id: what happens on the thread besides its runs.
NO_RUN: Final = ""


class From(Enum):
    """Where a subscription begins when it names no event id."""

    #: With the first event of the run.
    START = auto()
    #: With the next event: nothing of what is already released. All of a pending run, nothing of a finished one.
    NOW = auto()


class RunStreams:
    """All streams of one thread object; the log in its storage is their memory."""

    def __init__(self, storage: ObjectStorage, now_ms: Callable[[], int]) -> None:
        self._log = EventLog(storage)
        self._ids = EventIds(self._log.last_id(), now_ms)
        self._streams: dict[str, RunStream] = {}
        self._users: dict[str, int] = {}

    def open(self, run_id: str) -> RunStream:
        """The stream of a run for its executor; give it back with `close`."""
        self._users[run_id] = self._users.get(run_id, 0) + 1
        if run_id not in self._streams:
            self._streams[run_id] = RunStream(run_id, self._log, self._ids)
        return self._streams[run_id]

    def close(self, run_id: str) -> None:
        """The counterpart of `open`; the last user's leaving frees the memory, never the log."""
        self._users[run_id] -= 1
        if not self._users[run_id]:
            del self._users[run_id], self._streams[run_id]

    def subscribe(self, run_id: str, after: EventId | From = From.NOW, modes: Collection[str] = ()) -> "Subscription":
        """Follow a run. `modes` filters by stream mode; none means everything."""
        return Subscription(self, run_id, after, frozenset(modes))

    def end(self, run_id: str, result: str) -> None:
        """End a run that is not executing: close its streams and keep its result. Idempotent."""
        stream = self.open(run_id)
        if stream.result is None:
            stream.show_held()
            stream.finish(result)
        self.close(run_id)

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
        """Show the thread's followers a state that somebody made by hand."""
        data = f'{{"state":{state},"thread_id":"{thread_id}"}}'
        self._log.append(NO_RUN, BEFORE_ALL.root_step, [sse.frame(self._ids.next(), "state_update", data)])

    def followed(self) -> list[str]:
        """The runs that somebody follows and that have not ended."""
        return [run_id for run_id, stream in self._streams.items() if stream.result is None]

    def stored_result(self, run_id: str) -> str | None:
        """The result of a run that has ended here, or None."""
        return self._log.result(run_id)

    def delete(self, run_id: str) -> None:
        """Forget a run, after ending the streams that follow it."""
        self.end(run_id, "{}")
        self._log.delete(run_id)

    def retire(self, at_ms: int) -> bool:
        """Forget a page of runs that ended by a time and that nobody follows; whether some may be left."""
        ended = self._log.ended_by(at_ms)
        for run_id in ended:
            if run_id not in self._users:
                self._log.delete(run_id)
        return len(ended) == PAGE_RUNS or any(run_id in self._users for run_id in ended)


class Subscription:
    """One client's view of a run as chunks of SSE text; made by `RunStreams.subscribe`, always closed by its owner."""

    def __init__(self, streams: RunStreams, run_id: str, after: EventId | From, modes: frozenset[str]) -> None:
        self._streams = streams
        self._run_id = run_id
        self._stream = streams.open(run_id)
        self._modes = modes
        self._position = _position(self._stream, after)
        self._is_closed = False
        self._next_heartbeat = asyncio.get_running_loop().time() + sse.HEARTBEAT_SECONDS

    async def next_chunk(self) -> str | None:
        """Everything that may be sent now as one text; waits while there is nothing; None at the end of the stream."""
        while not self._is_closed:
            # Read before looking for frames: a result that arrives later brings its frames along.
            has_ended = self._stream.result is not None
            frames = self._stream.frames_after(self._position)
            if text := self._advance(frames):
                return text
            if heartbeat := self._due_heartbeat():
                return heartbeat
            if frames:
                continue
            if has_ended:
                return None
            await self._stream.changed(self._seconds_to_heartbeat())
        return None

    def close(self) -> None:
        """The client has left or has everything; ends a waiting `next_chunk` at its next heartbeat. Idempotent."""
        if not self._is_closed:
            self._is_closed = True
            self._streams.close(self._run_id)

    def _advance(self, frames: list[Frame]) -> str:
        if frames:
            self._position = frames[-1].id
        return "".join(frame.text for frame in frames if sse.is_wanted(frame.name, self._modes))

    def _seconds_to_heartbeat(self) -> float:
        return max(0.0, self._next_heartbeat - asyncio.get_running_loop().time())

    def _due_heartbeat(self) -> str:
        if self._seconds_to_heartbeat() > 0:
            return ""
        # A client that did not read for a while gets one, not all it missed.
        now = asyncio.get_running_loop().time()
        self._next_heartbeat = max(self._next_heartbeat, now - sse.HEARTBEAT_SECONDS) + sse.HEARTBEAT_SECONDS
        return sse.HEARTBEAT


def _position(stream: RunStream, after: EventId | From) -> EventId:
    if isinstance(after, EventId):
        return after
    return START if after is From.START else stream.last_id
