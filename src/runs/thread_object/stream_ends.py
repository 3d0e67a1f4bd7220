"""Ends the streams of runs that D1 says are over, and reopens those of runs that go on after all."""

from collections.abc import Callable, Collection

from ports import Database
from runs import lifecycle
from runs.thread_object import stored_result
from streaming.fanout import RunStreams
from streaming.run_stream import EndTold, StreamEnd
from tables import runs


class StreamEnds:
    """The ends of one thread's streams; `executes` tells whether a run is at work here and ends its streams itself."""

    def __init__(
        self, thread_id: str, database: Database, streams: RunStreams, executes: Callable[[str], bool]
    ) -> None:
        self._thread_id = thread_id
        self._database = database
        self._streams = streams
        self._executes = executes
        #: Whether runs that are over may have streams that have not ended, as after a crash or a lost answer of D1.
        self.may_owe = True

    def end(self, run_id: str, result: str, ending: StreamEnd, *, error: str | None = None) -> None:
        """Close the streams of a run that does not execute, and keep its result. Idempotent.

        A run that gave up may go on from its last checkpoint, so events that wait for the next one stay held back.
        """
        self._streams.end(run_id, result, ending, error=error, shows_held=not stored_result.gave_up(result))

    async def end_if_over(self, run_id: str) -> bool:
        """Whether the run's streams have ended or will by themselves; ends them if D1 says that it is over."""
        result = self._streams.stored_result(run_id)
        if self._executes(run_id) or (result is not None and not stored_result.gave_up(result)):
            return True
        run = await runs.get(self._database, self._thread_id, run_id)
        if self._executes(run_id):
            return True
        if run is None:
            result, ending, error = self._streams.noted_end(run_id) or EndTold(stored_result.GONE, "failed")
            self.end(run_id, result, ending, error=error)
        elif lifecycle.is_finished(run.status):
            error = run.error if run.status == "error" else None
            self.end(run_id, *await stored_result.of(self._database, run), error=error)
        else:
            self._streams.reopen(run_id)
        return run is None or lifecycle.is_finished(run.status)

    async def end_followed(self, unfinished: Collection[str] = ()) -> None:
        """End followed streams of runs that are over: all that D1 has not just called `unfinished` are looked at.

        A run's end may be stored although D1's answer was lost, or although the object died before it told anybody.
        """
        for run_id in self._streams.followed():
            if run_id not in unfinished:
                await self.end_if_over(run_id)

    async def end_forgotten(self) -> None:
        """End the streams of runs that are over, before another run changes what the thread shows."""
        if self.may_owe:
            for run_id in self._streams.unended():
                await self.end_if_over(run_id)
            self.may_owe = False
