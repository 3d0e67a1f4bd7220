"""Runs the runs of one thread, one at a time: claim, execute a slice, then finish or hand over to a Workflow.

Lives in the thread's Durable Object, of which there is one. The object is its own lease: while it holds no run in
memory, a row that says `running` was left behind by an incarnation that died, and is resumed (docs/decisions/0001). So
any call here may be repeated, and any `await` may be the last one.
"""

import asyncio
import json
import logging
from contextlib import AsyncExitStack
from typing import Final

from langgraph.store.base import BaseStore

import clock
from checkpoints.group_commit import fence
from d1_checkpointer import D1Saver
from errors import StaleAttempt, ValueTooLarge
from graphs.registry import Registry
from langgraph_terms import Graph
from ports import Alarm, Database, Workflows
from runs import completion, execution, lifecycle, outcome
from runs.completion import Ending
from runs.job import Job
from runs.outcome import Outcome
from runs.slice_budget import SliceBudget
from settings import Settings
from streaming.fanout import RunStreams
from streaming.json_text import dumps
from streaming.run_stream import RunStream, StreamEnd
from tables import runs, threads
from tables.access import EVERYTHING
from tables.runs import Claim, Run

logger = logging.getLogger(__name__)

#: A Workflow that asks for no slice during this time is taken for dead, and the object goes on by itself.
WORKFLOW_SILENCE_SECONDS: Final = 60

#: After a failure that is not the graph's (D1 out of reach, say), look again after 1, 2, 4 … seconds.
MAX_BACKOFF_SECONDS: Final = 60

#: The events of a deleted thread's run that somebody still follows are forgotten a little later.
FOLLOWED_RETRY_SECONDS: Final = 30


class ThreadRunner:
    """The executor of one thread."""

    def __init__(
        self,
        thread_id: str,
        *,
        database: Database,
        streams: RunStreams,
        alarm: Alarm,
        workflows: Workflows,
        registry: Registry,
        settings: Settings,
        store: BaseStore,
    ) -> None:
        self._thread_id = thread_id
        self._database = database
        self._streams = streams
        self._alarm = alarm
        self._workflows = workflows
        self._registry = registry
        self._settings = settings
        self._store = store
        self._executing = asyncio.Lock()
        #: Whether somebody has asked for a look that has not begun yet.
        self._is_woken = False
        #: What finishing the last run claimed, until it is looked at.
        self._claim: Claim | None = None
        self._failures = 0
        #: The run in execution, from its claim to the end of its streams.
        self._run_id: str | None = None
        self._execution: asyncio.Task[Outcome] | None = None
        #: Why runs are to be stopped, by run id.
        self._cancelled: dict[str, dict[str, str]] = {}
        #: The run that a Workflow drives, and until when it is expected to ask for a slice.
        self._workflow_run_id = ""
        self._workflow_expected_until_ms = 0

    async def wake(self) -> None:
        """Look at the thread's runs soon; when this returns, a crash cannot undo it. Idempotent."""
        self._is_woken = True
        await self._alarm.set(clock.now_ms() + 1)

    async def _look_later(self, at_ms: int) -> None:
        """Set the alarm, unless it is set for an earlier look that somebody asked for meanwhile."""
        if not self._is_woken:
            await self._alarm.set(at_ms)

    async def work(self) -> None:
        """Execute every run that is due. Raises nothing: a failure sets the alarm again.

        Waits while the thread executes for somebody else, so an alarm keeps alive what a request started.
        """
        try:
            async with self._executing:
                await self._execute_due_runs()
            self._failures = 0
        except StaleAttempt:
            # Another incarnation of the object is at work; this one only has to stop.
            logger.warning("thread %s: its runs are executed elsewhere", self._thread_id)
        except Exception:
            self._failures += 1
            seconds = min(2 ** (self._failures - 1), MAX_BACKOFF_SECONDS)
            logger.exception("thread %s: could not work on its runs; looking again in %d s", self._thread_id, seconds)
            await self._look_later(clock.now_ms() + seconds * 1000)

    async def _execute_due_runs(self) -> None:
        """One run after the other; after a slice's time the next alarm goes on: an alarm may take 15 minutes."""
        until_ms = clock.now_ms() + self._settings.slice_seconds * 1000
        while run := await self._next_run():
            if await self._execute_slice(run):
                return
            if clock.now_ms() >= until_ms:
                self._forget_empty_claim()
                await self.wake()
                return

    async def run_slice(self, run_id: str, attempt: int) -> bool:
        """Execute one slice for a Workflow; whether the run needs another one. False when the attempt was replaced."""
        # The alarm waits for this slice: if the object dies in it, the alarm fires again and goes on with the run.
        await self.wake()
        async with self._executing:
            run = await runs.get(self._database, self._thread_id, run_id)
            if run is None or run.status != "running" or run.attempt != attempt:
                return False
            try:
                return await self._execute_slice(run)
            except StaleAttempt:
                return False
            finally:
                self._forget_empty_claim()

    def _forget_empty_claim(self) -> None:
        """By the time the alarm asks, there may be another run."""
        if self._claim is not None and self._claim.claimed is None:
            self._claim = None

    async def _next_run(self) -> Run | None:
        """The next run to execute, claimed; None when there is nothing to do now (the alarm may be set for later)."""
        claim, self._claim = self._claim, None
        if claim is None:
            self._is_woken = False
            claim = await runs.claim_oldest_pending(self._database, self._thread_id, now=clock.now_iso())
        if claim.running is not None:
            return await self._take_over(claim.running)
        if claim.claimed is None:
            await self._rest(claim)
        return claim.claimed

    async def _rest(self, claim: Claim) -> None:
        """Nothing to execute: end the streams of runs that are over, and see to what comes later."""
        for run_id in self._streams.followed():
            # The end of a run may be stored although D1's answer was lost.
            await self._end_if_over(run_id)
        if claim.next_due_at is not None:
            await self._look_later(clock.epoch_ms(claim.next_due_at))
        await self._retire_events(claim.thread_exists)

    async def _retire_events(self, thread_exists: bool) -> None:
        """Forget the events of runs that ended long ago; of all runs, once the thread was deleted."""
        kept_seconds = self._settings.stream_retention_seconds if thread_exists else 0
        is_followed = self._streams.retire(clock.now_ms() - kept_seconds * 1000)
        if is_followed and not thread_exists:
            await self._look_later(clock.now_ms() + FOLLOWED_RETRY_SECONDS * 1000)

    async def _take_over(self, run: Run) -> Run | None:
        if run.run_id == self._workflow_run_id and clock.now_ms() < self._workflow_expected_until_ms:
            await self._look_later(self._workflow_expected_until_ms)
            return None
        if run.attempt >= self._settings.max_attempts:
            await self._give_up(run)
            return await self._next_run()
        logger.warning("resuming run %s of thread %s: attempt %d was cut off", run.run_id, run.thread_id, run.attempt)
        return await runs.resume_running(self._database, run, now=clock.now_iso())

    async def _execute_slice(self, run: Run) -> bool:
        """Execute until the run ends or the slice's budget is spent; whether it goes on in a Workflow.

        Raises `StaleAttempt` when the run was taken over.
        """
        stream = self._streams.open(run.run_id)
        self._run_id = run.run_id
        try:
            result = await self._execute(run, stream)
            if result.status == "drained":
                await self._hand_over(run)
                return True
            await self._finish(run, result, stream)
            self._cancelled.pop(run.run_id, None)
            return False
        finally:
            self._run_id = None
            self._streams.close(run.run_id)

    async def _execute(self, run: Run, stream: RunStream) -> Outcome:
        job = Job.of(run)
        async with AsyncExitStack() as stack:
            try:
                graph = await stack.enter_async_context(self._registry.open(job.graph_id, job.purpose(self._store)))
            except (Exception, SystemExit) as error:  # a factory is user code, and a graph may be gone by now
                logger.exception("run %s: could not make graph %s", run.run_id, job.graph_id)
                return outcome.failed(None, outcome.error_of(error))
            return await self._execute_graph(run, job, graph, stream)

    async def _execute_graph(self, run: Run, job: Job, graph: Graph, stream: RunStream) -> Outcome:
        budget = SliceBudget(seconds=self._settings.slice_seconds, supersteps=self._settings.slice_supersteps)
        guard = fence(run.thread_id, run.run_id, run.attempt)
        saver = D1Saver(self._database, guard=guard, on_commit=budget.count, write_behind=job.is_written_behind)
        if reason := self._cancelled.get(run.run_id):
            return await execution.cancelled(job, graph, saver, reason)
        executing = execution.execute(job, graph, saver, stream, budget, store=self._store)
        self._execution = asyncio.ensure_future(executing)
        try:
            return await self._execution
        except asyncio.CancelledError:
            reason = self._cancelled.get(run.run_id)
            if reason is None:
                raise
            return await execution.cancelled(job, graph, saver, reason)
        finally:
            self._execution = None

    async def _hand_over(self, run: Run) -> None:
        self._workflow_run_id = run.run_id
        self._workflow_expected_until_ms = clock.now_ms() + WORKFLOW_SILENCE_SECONDS * 1000
        # Before the Workflow: if starting it is the last thing that happens, the alarm goes on with the run.
        await self._look_later(self._workflow_expected_until_ms)
        await self._workflows.start(run.thread_id, run.run_id, run.attempt)

    async def _finish(self, run: Run, result: Outcome, stream: RunStream) -> None:
        """Store how the run ended, then let its streams end: clients ask for the run right after."""
        try:
            is_stored = await self._store_end(run, result)
        except ValueTooLarge as error:
            result = outcome.failed(None, outcome.error_of(error))
            is_stored = await self._store_end(run, result)
        if not is_stored:
            if await runs.get(self._database, run.thread_id, run.run_id) is not None:
                raise StaleAttempt(f"run {run.run_id} was taken over from attempt {run.attempt}")
            logger.warning("run %s of thread %s was deleted while it ran", run.run_id, run.thread_id)
        # A cancelled run's stream just ends.
        error = result.error if result.status == "error" else None
        stream.finish(result.wait_result, outcome.stream_end(result), error=error)

    async def _store_end(self, run: Run, result: Outcome) -> bool:
        if json.loads(run.kwargs).get("temporary"):
            return await completion.delete_temporary(self._database, run)
        self._is_woken = False
        finished = await completion.finish(self._database, run, _ending(result), now=clock.now_iso())
        # When the run was not this executor's any more, neither is the next.
        self._claim = finished.claim if finished.is_stored else None
        return finished.is_stored

    async def _give_up(self, run: Run) -> None:
        """End a run that keeps killing its executor."""
        message = f"gave up after {run.attempt} attempts, each of which was cut off; see the logs of run {run.run_id}"
        logger.error("run %s of thread %s: %s", run.run_id, run.thread_id, message)
        error = {"error": "AttemptsExhausted", "message": message}
        stream = self._streams.open(run.run_id)
        try:
            await self._finish(run, outcome.failed(None, error), stream)
        finally:
            self._streams.close(run.run_id)

    async def cancel(self, run_id: str, message: str) -> None:
        """Stop a run at its last committed super-step; nothing happens to one that has ended.

        Not remembered across a crash: a run that is resumed after one goes on.
        """
        self._cancelled[run_id] = {"error": "UserInterrupt", "message": message}
        if self._execution is not None and self._run_id == run_id:
            self._execution.cancel()
            return
        run = await runs.get(self._database, self._thread_id, run_id)
        if run is not None and run.status == "pending":
            now = clock.now_iso()
            if await completion.interrupt_pending(self._database, run, now=now):
                self._streams.end(run_id, "null", "interrupted")
                run = None
        if run is None or lifecycle.is_finished(run.status):
            self._cancelled.pop(run_id, None)

    async def recall(self, run_id: str) -> None:
        """Make sure that whoever subscribes to the run gets to its end, for callers that did not just create it.

        An unfinished run is looked at again. A finished one that this object has no record of (its log was retired)
        ends with what D1 says about it.
        """
        if not await self._end_if_over(run_id):
            await self.wake()

    async def _end_if_over(self, run_id: str) -> bool:
        """Whether the run's streams have ended, or end by themselves."""
        if self._run_id == run_id or self._streams.stored_result(run_id) is not None:
            return True
        run = await runs.get(self._database, self._thread_id, run_id)
        if self._run_id == run_id:
            return True
        if run is None:
            error = {"error": "HTTPException", "message": "404: Run not found"}
            self._streams.end(run_id, dumps({"__error__": error}), "failed")
        elif lifecycle.is_finished(run.status):
            self._streams.end(run_id, *await self._stored_end(run))
        return run is None or lifecycle.is_finished(run.status)

    async def _stored_end(self, run: Run) -> tuple[str, StreamEnd]:
        """A finished run's result, and how it ended."""
        if run.status == "error" and run.error is not None:
            return f'{{"__error__":{run.error}}}', "failed"
        thread = await threads.get(self._database, run.thread_id, EVERYTHING)
        is_whole = run.status == "success" and (thread is None or thread.status != "interrupted")
        return (thread and thread.values_json) or "null", "completed" if is_whole else "interrupted"


def _ending(result: Outcome) -> Ending:
    assert result.status != "drained"
    return Ending(
        status=result.status,
        has_next=bool(result.next),
        values=result.values,
        interrupts=result.interrupts,
        error=result.error,
    )
