"""What a thread has shown so far: one log for all of its runs, of which every stream is a view.

The id of an entry, `<ms>-<n>`, is its place in the log. `n` counts all entries that the thread ever had, so `n` alone
names a place, too (the `seq` of the streaming protocol). Entries whose name begins with a dot are for some views only:
`.start` and `.end/<how>` frame a run.

The newest entries are in memory, all others in the object's SQLite. A reader is only a position: it reads from memory
while it keeps up, and from SQLite once it has fallen behind, so a slow client costs no memory.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from itertools import takewhile
from typing import Final

from ports import ObjectStorage
from streaming import sse
from streaming.event_log import EventLog
from streaming.events import BEFORE_ALL, START, EventId, Frame

#: While entries arrive that may be lost in a crash, they are stored at least this often.
BLOCK_MILLISECONDS: Final = 250

#: How many characters of stored entries stay in memory for readers.
RECENT_CHARACTERS: Final = 256_000

#: How many numbers are promised at once; after a crash, up to this many are never used.
PROMISED_AT_ONCE: Final = 100


class ThreadLog:
    """The log of one thread. A block never mixes runs: before another run adds an entry, what is buffered is stored."""

    def __init__(self, storage: ObjectStorage, now_ms: Callable[[], int]) -> None:
        self.stored: Final = EventLog(storage)
        #: Waits until what is stored, if only the note that something was shown, is kept for good.
        self.confirmed: Final = storage.confirmed
        self.now_ms: Final = now_ms
        last = self.stored.last_id()
        #: Entries after this id are in memory; those up to it only in SQLite.
        self._floor = last
        self._promised = self.stored.notes.promised()
        self._last = EventId(last.ms, max(last.n, self._promised))
        self._recent: deque[Frame] = deque()
        self._recent_characters = 0
        self._unstored: list[Frame] = []
        self._unstored_step = BEFORE_ALL.root_step
        self._unstored_since_ms = 0
        #: The super-step and the last entry of the latest stored block that `discard` may forget.
        self._stored_live: tuple[int, Frame] | None = None
        self._waiters: dict[str | None, set[asyncio.Future[None]]] = {}
        self._first_end_ms: int | None = None
        #: Called when entries were added; must not wait.
        self.on_change: Callable[[], None] = _ignore

    def append(self, run_id: str, name: str, data: str, root_step: int = BEFORE_ALL.root_step) -> None:
        """Add an entry; `root_step` as in `EventLog.append`. Call `show` when a group of them is complete."""
        if self._unstored and (self._unstored[-1].run_id, self._unstored_step) != (run_id, root_step):
            self.store()
        if not self._unstored:
            self._unstored_step = root_step
            self._unstored_since_ms = self.now_ms()
        self._last = EventId(max(self.now_ms(), self._last.ms), self._last.n + 1)
        frame = sse.frame(self._last, run_id, name, data)
        self._unstored.append(frame)
        self._recent.append(frame)
        self._recent_characters += len(frame.text)

    def show(self, run_id: str, *, durably: bool) -> None:
        """Let readers see what was added; `durably` if no resumed run would emit it again."""
        if durably or self.now_ms() - self._unstored_since_ms >= BLOCK_MILLISECONDS:
            self.store()
        for key in (run_id, None):
            for waiter in self._waiters.pop(key, ()):
                if not waiter.done():
                    waiter.set_result(None)
        self.on_change()

    def store(self) -> None:
        """Write what is only in memory."""
        if self._unstored:
            self.stored.append(self._unstored[-1].run_id, self._unstored_step, self._unstored)
            if self._unstored_step != BEFORE_ALL.root_step:
                self._stored_live = (self._unstored_step, self._unstored[-1])
            self._unstored = []
        while self._recent_characters > RECENT_CHARACTERS and self._recent:
            evicted = self._recent.popleft()
            self._recent_characters -= len(evicted.text)
            self._floor = evicted.id

    def store_live(self, run_id: str) -> tuple[int, EventId] | None:
        """Write what is only in memory; `root_step` and id of the run's last entry that may be discarded."""
        self.store()
        if self._stored_live is None or self._stored_live[1].run_id != run_id:
            return None
        return self._stored_live[0], self._stored_live[1].id

    def discard(self, run_id: str, after_root_step: int | None, kept: EventId = START) -> None:
        """Forget entries of super-steps after this one, None for all: what a crash left uncommitted.

        Of the former, those up to `kept` stay.
        """
        self.store()
        if after_root_step is None:
            self.stored.start_over(run_id)
        else:
            self.stored.discard_after(run_id, after_root_step, kept)
        self._forget_recent()

    def _forget_recent(self) -> None:
        self._floor = self._last
        self._recent.clear()
        self._recent_characters = 0

    def reopen(self, run_id: str) -> None:
        """Forget the entries that ended a run."""
        self.store()
        self.stored.reopen(run_id)
        self._forget_recent()

    def read(self, position: EventId, run_id: str | None = None) -> list[Frame]:
        """The next entries after a position, of one run or of all; empty when there are none yet."""
        if position < self._floor and (frames := self.stored.next_frames(position, run_id)):
            return frames
        newest_first = takewhile(lambda frame: frame.id > position, reversed(self._recent))
        return [frame for frame in newest_first if run_id in (None, frame.run_id)][::-1]

    def promise(self, n: int) -> None:
        """Make sure that no other entry ever gets this number, even after a crash: a reader is about to see it."""
        if n > self._promised:
            self._promised = n + PROMISED_AT_ONCE
            self.stored.notes.set_promised(self._promised, self.now_ms())

    def has_ended_by(self, at_ms: int) -> bool:
        """Whether a run here ended at a time or before it; asks SQLite only when that may have changed."""
        if self._first_end_ms is None or self._first_end_ms <= at_ms:
            self._first_end_ms = self.stored.first_end_ms()
        return self._first_end_ms is not None and self._first_end_ms <= at_ms

    def last_id(self, run_id: str | None = None) -> EventId:
        """The id of the latest entry, of one run or of all; `START` when there is none."""
        for frame in reversed(self._recent):
            if run_id in (None, frame.run_id):
                return frame.id
        return self._floor if run_id is None else self.stored.last_id_of(run_id)

    def place(self, n: int) -> EventId:
        """A position before all stored entries whose number is greater than `n`, and shortly before them."""
        return self.stored.block_before(n)

    async def changed(self, run_id: str | None, timeout_seconds: float) -> None:
        """Return when there may be more entries of a run (None: of any), or after the timeout."""
        waiter = asyncio.get_running_loop().create_future()
        waiters = self._waiters.setdefault(run_id, set())
        waiters.add(waiter)
        try:
            await asyncio.wait({waiter}, timeout=timeout_seconds)
        finally:
            waiters.discard(waiter)
            if not waiters and self._waiters.get(run_id) is waiters:
                del self._waiters[run_id]


def _ignore() -> None:
    """Nobody listens."""
