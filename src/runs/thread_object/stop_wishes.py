"""What a thread's object does about runs that were asked to stop while it executes one of them."""

import asyncio
from collections.abc import Awaitable, Callable

from ports import Platform
from runs import completion, outcome
from runs.execution.executor import Executor
from runs.outcome import Outcome
from runs.thread_object.stream_ends import StreamEnds
from streaming.fanout import RunStreams
from tables import run_history, runs, threads
from tables.run_history import Stamp
from tables.runs import Run


class StopWishes:
    """The wishes of one thread. Without this, they would wait until the object next looks at its rows."""

    def __init__(
        self,
        thread_id: str,
        platform: Platform,
        executor: Executor,
        streams: RunStreams,
        ends: StreamEnds,
        tell_of_end: Callable[[Run, Outcome], Awaitable[None]],
    ) -> None:
        self._thread_id = thread_id
        self._database = platform.brief_database
        self._executor = executor
        self._streams = streams
        self._ends = ends
        self._tell_of_end = tell_of_end
        #: One look at a time, so that each end is told once.
        self._looking = asyncio.Lock()

    async def heed(self, executing: Run | None, stamp: Stamp) -> None:
        """Stop every run that was asked to stop, and the `executing` one also if it was deleted.

        Whoever follows a run that is over by now is told, as when D1's answer to the end of a stopped run was lost.
        """
        async with self._looking:
            await self._heed(executing, stamp)

    async def _heed(self, executing: Run | None, stamp: Stamp) -> None:
        [unfinished] = await self._database.batch([runs.unfinished_of_thread(self._thread_id)])
        for row in unfinished:
            if row["cancel_action"] is not None:
                if row["status"] == "running":
                    self._executor.stop(row["run_id"])
                else:
                    await self._end_unbegun(row["run_id"], stamp)
        unfinished_ids = {row["run_id"] for row in unfinished}
        if executing is not None and executing.run_id not in unfinished_ids:
            self._executor.stop(executing.run_id)
        await self._ends.end_followed(unfinished_ids)

    async def _end_unbegun(self, run_id: str, stamp: Stamp) -> None:
        """End a run that was asked to stop while it waits for another, unless it has begun and has work to undo."""
        run = await runs.get(self._database, self._thread_id, run_id)
        if run is None or run.status != "pending" or run.cancel_action is None or run_history.has_begun(run.history):
            return
        shown = await threads.values_text(self._database, self._thread_id)
        result = outcome.never_begun(run.cancel_action, run.error, shown)
        self._streams.note_end(run_id, outcome.told(result) if completion.deletes(run, result) else None)
        if await completion.finish(self._database, run, result, stamp, claims_next=False):
            self._ends.end(run_id, result.wait_result, "interrupted")
            await self._tell_of_end(run, result)
