"""The run that a thread's object executes: slice by slice, until its end is stored or a Workflow takes over."""

import logging
from collections.abc import Callable

import d1_usage
from d1_usage import D1Usage
from errors import StaleAttempt
from ports import Platform
from runs import completion, outcome, run_lines
from runs.execution.executor import Executor
from runs.outcome import Outcome
from runs.thread_object import stored_result
from runs.thread_object.looks import Looks
from runs.thread_object.workflow_drive import WorkflowDrive
from streaming.fanout import RunStreams
from streaming.run_stream import RunStream
from tables import run_claims, runs
from tables.run_history import Stamp
from tables.runs import Run
from webhooks import delivery as webhook_delivery

logger = logging.getLogger(__name__)


class RunAtWork:
    """At most one run of a thread, from its claim to the end of its streams."""

    def __init__(
        self,
        *,
        platform: Platform,
        streams: RunStreams,
        executor: Executor,
        workflow: WorkflowDrive,
        looks: Looks,
        stamp: Callable[[], Stamp],
    ) -> None:
        self._database = platform.database
        self._webhook_queue = platform.webhook_queue
        self._streams = streams
        self._executor = executor
        self._workflow = workflow
        self._looks = looks
        self._stamp = stamp
        #: The run, as its row was when it was last read.
        self.run: Run | None = None
        #: The run that was executed last, and the D1 usage of its slices.
        self._usage = ("", D1Usage())

    def executes(self, run_id: str) -> bool:
        """Whether this run executes here, and so ends its streams by itself."""
        return self.run is not None and self.run.run_id == run_id

    @property
    def batches(self) -> int:
        """How many D1 batches the run that was executed last has sent."""
        return self._usage[1].batches

    async def execute_slice(self, run: Run) -> bool:
        """Execute until the run ends or the slice's budget is spent; returns whether it goes on in a Workflow.

        Raises `StaleAttempt` if the run was taken over.
        """
        if self._usage[0] != run.run_id:
            self._usage = (run.run_id, D1Usage())
        with run_lines.about(run), d1_usage.counting_on(self._usage[1]):
            return await self._execute(run)

    async def _execute(self, run: Run) -> bool:
        if run.attempt > 1:
            self._streams.reopen(run.run_id)
        stream = self._streams.open(run.run_id)
        self.run = run
        try:
            result = await self._result(run, stream)
            if result is not None and result.status == "drained":
                await self._workflow.hand_over(run, self._stamp())
                return True
            while result is None or not (ended := await self._store_end(run, result)):
                self.run = asked = await self._as_asked(run)
                if asked is None:
                    logger.info("the run was deleted while it ran", extra={"event": "run_deleted"})
                    stream.finish(stored_result.GONE, "failed")
                    return False
                run, result = asked, await self._result(asked, stream)
            told = outcome.told(ended)
            stream.finish(told.result, told.ending, error=told.error)
            await self.tell_of_end(run, ended)
            return False
        finally:
            self.run = None
            self._streams.close(run.run_id)
            self._executor.flush_traces()

    async def _result(self, run: Run, stream: RunStream) -> Outcome | None:
        """The outcome of the run, or of this slice; None if the run is not this executor's any more."""
        try:
            return await self._executor.execute(run, stream)
        except StaleAttempt:
            return None

    async def _as_asked(self, run: Run) -> Run | None:
        """Take the run over from itself in order to stop it, as its row now asks; None if it was deleted.

        Raises `StaleAttempt` if another executor took it over. D1 refuses what the old attempt still sends.
        """
        stored = await runs.get(self._database, run.thread_id, run.run_id)
        if stored is None:
            return None
        is_own = (stored.status, stored.attempt) == (run.status, run.attempt)
        asked = is_own and stored.cancel_action != run.cancel_action
        if asked and (taken := await run_claims.resume_running(self._database, stored, self._stamp())):
            return taken
        raise StaleAttempt(f"run {run.run_id} was taken over from attempt {run.attempt}")

    async def _store_end(self, run: Run, result: Outcome) -> Outcome | None:
        """Store how the run ended, and claim the next one.

        Returns what was stored, or None if the run is no longer what this executor read. The run's streams may end only
        afterwards, because clients ask for the run right away.
        """
        self._looks.begin()
        # Followers of the thread hear of a rollback; a thread that goes with its run has none but those of the run.
        is_heard = result.status == "rollback" or self._streams.is_followed(run.run_id)
        is_lost = is_heard and completion.deletes(run, result)
        self._streams.note_end(run.run_id, outcome.told(result) if is_lost else None)
        finished = await completion.finish(self._database, run, result, self._stamp())
        # If the run was not this executor's any more, neither is the next one.
        self._looks.found(finished and finished.claim)
        return finished and finished.outcome

    async def tell_of_end(self, run: Run, ended: Outcome) -> None:
        """Send the run's trace, and announce its webhook."""
        self._executor.trace_end(run, ended)
        await webhook_delivery.announce(self._webhook_queue, run)
