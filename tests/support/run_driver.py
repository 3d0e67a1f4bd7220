"""Drives `runs/execution` as a thread object does, without one: attempts, slices, crashes, and what clients see."""

import asyncio
import contextvars
import gc
import logging
import sqlite3
import sys
import time
import warnings
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pytest
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.runtime import RunControl

import clock
from d1_checkpointer import D1Saver
from langgraph_terms import Graph
from ports import Row, Statement
from runs.execution import graph_execution
from runs.execution.job import Job
from runs.execution.provided import Provided
from runs.outcome import Outcome, stream_end
from streaming import sse
from streaming.events import START, EventId, Frame
from streaming.fanout import RunStreams
from tests.support.object_storage import SlowObjectStorage, SqliteObjectStorage
from tests.support.sqlite_database import SqliteDatabase

T = TypeVar("T")

#: What "crashed". Kept until `bury`, so that a test sees nothing of it run again, not even a `finally`.
_graveyard: list[Any] = []


class SlowSaver(InMemorySaver):
    """Commits somewhere between two awaits, like a database behind a network."""

    #: Called after each commit.
    on_commit: Callable[[], None] = staticmethod(lambda: None)

    async def aput(self, *args: Any, **kwargs: Any) -> Any:
        await asyncio.sleep(0)
        stored = await super().aput(*args, **kwargs)
        self.on_commit()
        await asyncio.sleep(0)
        return stored

    async def aput_writes(self, *args: Any, **kwargs: Any) -> None:
        await asyncio.sleep(0)
        await super().aput_writes(*args, **kwargs)
        await asyncio.sleep(0)


def always(saver: BaseCheckpointSaver[Any]) -> Callable[[], BaseCheckpointSaver[Any]]:
    """Opens a saver that itself survives."""
    return lambda: saver


class FarDatabase(SqliteDatabase):
    """A commit takes a while, and a batch under way at a crash may be stored or not."""

    async def batch(self, statements: Sequence[Statement]) -> list[list[Row]]:
        for _ in range(5):
            await asyncio.sleep(0)
        results = await super().batch(statements)
        for _ in range(5):
            await asyncio.sleep(0)
        return results


class D1Opener:
    """Opens savers over one database, as the thread objects of one Worker do."""

    def __init__(self, database: SqliteDatabase | None = None, *, write_behind: bool = False) -> None:
        self._database = database or (FarDatabase() if write_behind else SqliteDatabase())
        self._write_behind = write_behind

    def __call__(self) -> D1Saver:
        return D1Saver(self._database, write_behind=self._write_behind)


@dataclass
class RunDriver:
    """One thread; `connection` and what `open_saver` opens survive a crash."""

    graph: Graph
    open_saver: Callable[[], BaseCheckpointSaver[Any]] = field(default_factory=lambda: always(SlowSaver()))
    provided: Provided | None = None
    thread_id: str = "11111111-1111-4111-8111-111111111111"
    connection: sqlite3.Connection = field(default_factory=lambda: sqlite3.connect(":memory:", isolation_level=None))
    #: Whether a crash takes what the object's storage has not confirmed; for savers that take longer than that.
    slow_storage: bool = False

    def __post_init__(self) -> None:
        self._lost_ms = 0
        self._started_at: dict[int, str] = {}
        self.incarnate()

    def _now_ms(self) -> int:
        return time.time_ns() // 1_000_000 + self._lost_ms

    def incarnate(self) -> None:
        """The thread object as a new isolate finds it: nothing in memory, and some time has passed."""
        self._lost_ms += 1000
        self.saver = self.open_saver()
        storage = SlowObjectStorage if self.slow_storage else SqliteObjectStorage
        self.streams = RunStreams(storage(self.connection), self._now_ms)

    def job(self, number: int = 1, attempt: int = 1, **kwargs: Any) -> Job:
        """A run of this thread; `kwargs` are the run row's."""
        run_id = f"00000000-0000-7000-8000-{number:012d}"
        return Job(
            run_id=run_id,
            thread_id=self.thread_id,
            graph_id="graph",
            attempt=attempt,
            kwargs=kwargs,
            first_started_at=self._started_at.setdefault(number, clock.now_iso()),
        )

    async def slice(self, job: Job, control: RunControl | None = None) -> Outcome:
        """Execute one slice, and end the stream unless it drained."""
        stream = self.streams.open(job.run_id)
        try:
            outcome = await graph_execution.execute(
                job, self.graph, self.saver, stream, control or RunControl(), self.provided
            )
            if outcome.status != "drained":
                # Where the run's row would be stored.
                await asyncio.sleep(0)
                stream.finish(outcome.wait_result, stream_end(outcome), error=outcome.error)
            return outcome
        finally:
            self.streams.close(job.run_id)

    def crash(self, job: Job, *, after: int, control: RunControl | None = None) -> list[Frame] | None:
        """Execute a slice for `after` turns of the event loop, then lose everything in memory.

        The frames a client had been sent by then; None when the slice had ended before.
        """
        stream = self.streams.open(job.run_id)
        chunks: list[str] = []
        _, task = run_for(after, self._follow(job.run_id, chunks), self.slice(job, control))
        if task.done():
            task.result()
            return None
        seen: list[Frame] = []
        if self.slow_storage:
            seen = sse.split("".join(chunks))
        else:  # a client that was sent everything at once
            while frames := stream.frames_after(seen[-1].id if seen else START):
                seen += frames
        self.lose()
        return seen

    def lose(self) -> None:
        """Power off: what was at work never goes on, and what the storage has not confirmed is gone."""
        _graveyard.append((self.saver, self.streams))
        self.connection.rollback()
        self.incarnate()

    async def _follow(self, run_id: str, chunks: list[str]) -> None:
        subscription = self.streams.subscribe(run_id, START)
        while (chunk := await subscription.next_chunk()) is not None:
            chunks.append(chunk)

    async def read(self, run_id: str, after: EventId = START) -> list[Frame]:
        """What a client sees that joins now, to the end of the stream."""
        subscription = self.streams.subscribe(run_id, after)
        text = ""
        while (chunk := await subscription.next_chunk()) is not None:
            text += chunk
        subscription.close()
        return sse.split(text)


def run_for(turns: int, *work: Coroutine[Any, Any, Any]) -> list[asyncio.Task[Any]]:
    """Work for so many turns of an event loop, which then stands still for ever."""
    loop = asyncio.SelectorEventLoop()
    tasks = [loop.create_task(each) for each in work]
    for _ in range(turns):
        loop.call_soon(loop.stop)
        loop.run_forever()
    _graveyard.append((tasks, [*loop._ready], [*loop._scheduled]))  # type: ignore[attr-defined]
    loop.close()  # A test crashes more often than a process may open files.
    return tasks


def bury() -> None:
    """Free what crashed, when a test has ended: only here do its `finally` blocks run, for nobody, and unheard."""
    if not _graveyard:
        return
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings(action="ignore"):
        patch.setattr(sys, "unraisablehook", lambda _: None)
        logging.disable()
        contextvars.copy_context().run(_free)
        logging.disable(logging.NOTSET)


def _free() -> None:
    _graveyard.clear()
    while gc.collect():  # What a `finally` brings back to life is garbage the next time.
        pass


def run_alone(function: Callable[[], Awaitable[T]]) -> T:
    """Run a coroutine function in an event loop of its own."""

    async def main() -> T:
        return await function()

    return asyncio.run(main())


def named(frames: list[Frame], *modes: str) -> list[tuple[str, str]]:
    """(name, data) of the frames; only of these modes when any are given."""
    return [(frame.name, sse.data_of(frame)) for frame in frames if not modes or frame.name.split("|")[0] in modes]
