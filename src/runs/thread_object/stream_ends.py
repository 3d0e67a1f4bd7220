"""Ends the streams of runs that are over by what D1 says, and opens those again that go on after all."""

from collections.abc import Callable

from ports import Database
from runs import lifecycle
from runs.thread_object import stored_result
from streaming.fanout import RunStreams
from streaming.run_stream import StreamEnd
from tables import runs


class StreamEnds:
    """Those of one thread; `executes` tells whether a run is at work here, which then ends its streams by itself."""

    def __init__(
        self, thread_id: str, database: Database, streams: RunStreams, executes: Callable[[str], bool]
    ) -> None:
        self._thread_id = thread_id
        self._database = database
        self._streams = streams
        self._executes = executes
        #: Whether runs that are over may have streams that did not end: after a crash, or a lost answer of D1.
        self.may_owe = True

    def end(self, run_id: str, result: str, ending: StreamEnd, *, error: str | None = None) -> None:
        """Close the streams of a run that does not execute, and keep its result. Idempotent.

        A run that gave up may go on from its last checkpoint: what it held back for the next one stays where it is.
        """
        self._streams.end(run_id, result, ending, error=error, shows_held=not stored_result.gave_up(result))

    def end_if_followed(self, run_id: str, result: str, ending: StreamEnd) -> None:
        """The same for a run that may have no stream."""
        if run_id in self._streams.followed():
            self.end(run_id, result, ending)

    async def end_if_over(self, run_id: str) -> bool:
        """Whether the run's streams have ended, or end by themselves."""
        result = self._streams.stored_result(run_id)
        if self._executes(run_id) or (result is not None and not stored_result.gave_up(result)):
            return True
        run = await runs.get(self._database, self._thread_id, run_id)
        if self._executes(run_id):
            return True
        if run is None:
            self.end(run_id, stored_result.GONE, "failed")
        elif lifecycle.is_finished(run.status):
            self.end(run_id, *await stored_result.of(self._database, run))
        else:
            self._streams.reopen(run_id)
        return run is None or lifecycle.is_finished(run.status)

    async def end_followed(self) -> None:
        """End what is followed and over: the end of a run may be stored although D1's answer was lost."""
        for run_id in self._streams.followed():
            await self.end_if_over(run_id)

    async def end_forgotten(self) -> None:
        """End the streams of runs that are over before another run executes: the thread still shows their result."""
        if self.may_owe:
            for run_id in self._streams.unended():
                await self.end_if_over(run_id)
            self.may_owe = False
