"""The events of a thread's runs in the SQLite of the thread's object: what lets any stream be resumed.

The table `stream_blocks` holds released events as encoded frames: a block for each super-step or quarter of a second,
and one for the end of each run. Its key is the id of the block's last event, so "everything after id x" is one range.
What else must not be forgotten is in `stream_notes.py`.

There is no `await` between statements that belong together, so they commit together.
"""

from collections.abc import Callable, Sequence
from typing import Final

from ports import ObjectStorage, Row
from streaming import sse
from streaming.events import START, EventId, Frame
from streaming.stream_notes import NO_RUN, StreamNotes, parts

#: How many runs are forgotten at once.
PAGE_RUNS: Final = 100

#: A page of a thread's events ends after this many blocks, or this many characters.
PAGE_BLOCKS: Final = 100
PAGE_CHARACTERS: Final = 256_000

#: The `root_step` of the block that ends a run: no super-step has it, and no crash discards it.
ENDED_STEP: Final = -1000

CREATE_TABLE: Final = """
CREATE TABLE IF NOT EXISTS stream_blocks (
    run_id TEXT NOT NULL,
    last_ms INTEGER NOT NULL,
    last_n INTEGER NOT NULL,
    part INTEGER NOT NULL,
    root_step INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (run_id, last_ms, last_n, part)
) WITHOUT ROWID
"""


class EventLog:
    """The log of one thread object; its methods are synchronous."""

    def __init__(self, storage: ObjectStorage) -> None:
        self._storage = storage
        storage.execute(CREATE_TABLE)
        self.notes: Final = StreamNotes(storage)

    #: -> last_ms, last_n. Read once in the life of an object; retention limits what it scans.
    LAST_ID: Final = """
        SELECT last_ms, last_n
        FROM stream_blocks
        ORDER BY last_ms DESC, last_n DESC
        LIMIT 1
    """

    def last_id(self) -> EventId:
        """The greatest id ever stored here, or `START`."""
        rows = self._storage.execute(self.LAST_ID)
        return EventId(rows[0]["last_ms"], rows[0]["last_n"]) if rows else START

    APPEND: Final = """
        INSERT INTO stream_blocks (run_id, last_ms, last_n, part, root_step, body)
        VALUES (?, ?, ?, ?, ?, ?)
    """

    def append(self, run_id: str, root_step: int, frames: Sequence[Frame]) -> None:
        """Store released frames as one block; `root_step` decides whether a crash may discard it."""
        last = frames[-1].id
        for part, body in enumerate(parts("".join(frame.text for frame in frames))):
            self._storage.execute(self.APPEND, run_id, last.ms, last.n, part, root_step, body)

    #: -> body, in order: the parts of the first block that ends after an id.
    NEXT_BLOCK: Final = """
        SELECT body
        FROM stream_blocks
        WHERE run_id = ?1 AND (last_ms, last_n) = (
            SELECT last_ms, last_n
            FROM stream_blocks
            WHERE run_id = ?1 AND (last_ms, last_n) > (?2, ?3)
            ORDER BY last_ms, last_n
            LIMIT 1
        )
        ORDER BY part
    """

    def next_frames(self, after: EventId, run_id: str | None = None) -> list[Frame]:
        """Some stored frames after an id, of one run or of all; empty at the end of the log."""
        if run_id is None:
            return self._next_page(after)
        rows = self._storage.execute(self.NEXT_BLOCK, run_id, after.ms, after.n)
        return [frame for frame in _frames(run_id, rows) if frame.id > after]

    #: -> run_id, last_ms, last_n. Scans the thread's blocks once for each page: an index would cost one more row for
    #: every block of every run.
    NEXT_KEYS: Final = """
        SELECT run_id, last_ms, last_n
        FROM stream_blocks
        WHERE part = 0 AND (last_ms, last_n) > (?, ?)
        ORDER BY last_ms, last_n
        LIMIT ?
    """

    #: -> body, in order.
    BLOCK: Final = "SELECT body FROM stream_blocks WHERE run_id = ? AND (last_ms, last_n) = (?, ?) ORDER BY part"

    def _next_page(self, after: EventId) -> list[Frame]:
        frames: list[Frame] = []
        characters = 0
        for key in self._storage.execute(self.NEXT_KEYS, after.ms, after.n, PAGE_BLOCKS):
            rows = self._storage.execute(self.BLOCK, key["run_id"], key["last_ms"], key["last_n"])
            frames += (frame for frame in _frames(key["run_id"], rows) if frame.id > after)
            characters += sum(len(row["body"]) for row in rows)
            if characters > PAGE_CHARACTERS:
                break
        return frames

    #: -> last_ms, last_n.
    BLOCK_BEFORE: Final = """
        SELECT last_ms, last_n
        FROM stream_blocks
        WHERE last_n <= ?
        ORDER BY last_ms DESC, last_n DESC
        LIMIT 1
    """

    def block_before(self, n: int) -> EventId:
        """The id with which the last block ends that holds no `n` above this one, or `START`."""
        rows = self._storage.execute(self.BLOCK_BEFORE, n)
        return EventId(rows[0]["last_ms"], rows[0]["last_n"]) if rows else START

    #: -> last_ms, last_n, body; newest block first.
    BLOCKS_BACKWARDS: Final = """
        SELECT last_ms, last_n, body
        FROM stream_blocks
        WHERE run_id = ?1 AND (last_ms, last_n) = (
            SELECT last_ms, last_n
            FROM stream_blocks
            WHERE run_id = ?1 AND (last_ms, last_n) < (?2, ?3)
            ORDER BY last_ms DESC, last_n DESC
            LIMIT 1
        )
        ORDER BY part
    """

    def last_data(self, run_id: str, name: str, is_meant: Callable[[str], bool] | None = None) -> str | None:
        """The data of the run's latest stored event of this name whose data `is_meant`."""
        before = EventId(10**15, 0)  # after all: an id's milliseconds have at most 15 digits
        while rows := self._storage.execute(self.BLOCKS_BACKWARDS, run_id, before.ms, before.n):
            for frame in reversed(_frames(run_id, rows)):
                if frame.name == name and (is_meant is None or is_meant(sse.data_of(frame))):
                    return sse.data_of(frame)
            before = EventId(rows[0]["last_ms"], rows[0]["last_n"])
        return None

    LAST_ID_OF_RUN: Final = """
        SELECT last_ms, last_n
        FROM stream_blocks
        WHERE run_id = ?
        ORDER BY last_ms DESC, last_n DESC
        LIMIT 1
    """

    def last_id_of(self, run_id: str) -> EventId:
        """The id of the run's latest stored event, or `START`."""
        rows = self._storage.execute(self.LAST_ID_OF_RUN, run_id)
        return EventId(rows[0]["last_ms"], rows[0]["last_n"]) if rows else START

    DISCARD_BLOCKS: Final = """
        DELETE FROM stream_blocks
        WHERE run_id = ? AND (last_ms, last_n) > (?, ?) AND root_step > ?
    """

    def discard_after(self, run_id: str, root_step: int, kept: EventId) -> None:
        """Forget the blocks of super-steps after `root_step`, which a crash left uncommitted, but none up to `kept`."""
        self._storage.execute(self.DISCARD_BLOCKS, run_id, kept.ms, kept.n, root_step)

    #: -> body, in order.
    END: Final = f"SELECT body FROM stream_blocks WHERE run_id = ? AND root_step = {ENDED_STEP} ORDER BY part"

    def result(self, run_id: str) -> str | None:
        """What `/wait` and `/join` answer; None while the run has not ended (or is forgotten)."""
        rows = self._storage.execute(self.END, run_id)
        return sse.data_of(_frames(run_id, rows)[-1]) if rows else None

    REOPEN: Final = f"DELETE FROM stream_blocks WHERE run_id = ? AND root_step = {ENDED_STEP}"

    def reopen(self, run_id: str) -> None:
        """Forget how a run ended."""
        self._storage.execute(self.REOPEN, run_id)

    def start_over(self, run_id: str) -> None:
        """Forget all events of a run that has committed no super-step."""
        self._storage.execute(self.DELETE_BLOCKS, run_id)
        self.notes.delete_of_events(run_id)

    DELETE_BLOCKS: Final = "DELETE FROM stream_blocks WHERE run_id = ?"

    def delete(self, run_id: str) -> None:
        """Forget a run."""
        self._storage.execute(self.DELETE_BLOCKS, run_id)
        self.notes.delete(run_id)

    #: -> run_id. Scans the thread's blocks and notes, as rarely as `LAST_ID`.
    UNENDED: Final = f"""
        SELECT run_id FROM stream_blocks WHERE run_id != '{NO_RUN}'
        UNION SELECT run_id FROM stream_notes WHERE kind = 'ending'
        EXCEPT SELECT run_id FROM stream_blocks WHERE root_step = {ENDED_STEP}
    """

    def unended(self) -> list[str]:
        """The runs that have events, or were about to end, and have no end."""
        return [row["run_id"] for row in self._storage.execute(self.UNENDED)]

    #: -> run_id.
    ENDED_BY: Final = f"""
        SELECT run_id
        FROM stream_blocks
        WHERE root_step = {ENDED_STEP} AND part = 0 AND last_ms <= ?
        LIMIT ?
    """

    def ended_by(self, at_ms: int) -> list[str]:
        """Up to `PAGE_RUNS` runs that ended up to and including a time."""
        return [row["run_id"] for row in self._storage.execute(self.ENDED_BY, at_ms, PAGE_RUNS)]

    #: -> ms of the oldest end, or null.
    FIRST_END: Final = f"SELECT MIN(last_ms) AS ms FROM stream_blocks WHERE root_step = {ENDED_STEP}"

    def first_end_ms(self) -> int | None:
        """When the first of all runs here ended."""
        return self._storage.execute(self.FIRST_END)[0]["ms"]

    DELETE_RUNLESS: Final = f"DELETE FROM stream_blocks WHERE run_id = '{NO_RUN}' AND last_ms <= ?"

    def delete_runless(self, at_ms: int) -> None:
        """Forget events of no run, up to and including a time."""
        self._storage.execute(self.DELETE_RUNLESS, at_ms)


def _frames(run_id: str, rows: Sequence[Row]) -> list[Frame]:
    return sse.split("".join(row["body"] for row in rows), run_id)
