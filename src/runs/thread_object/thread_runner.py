"""Executes the runs of one thread, one at a time: claim, execute a slice, then finish or hand over to a Workflow.

It lives in the thread's Durable Object, of which there is one, and the object is its own lease: while it holds no run
in memory, a row that says `running` was left behind by an incarnation that died, and is resumed (docs/decisions/0001).
So every call here may be repeated, and every `await` may be the last one.
"""

import asyncio
import logging
from typing import Final

import clock
import errors
from errors import DatabaseError, StaleAttempt
from ports import Platform
from runs import attempts, cancellation, dead_letters, giving_up, run_lines
from runs.attempts import GaveUp
from runs.execution.cpu_watch import CpuWatch
from runs.execution.executor import Executor
from runs.thread_object.looks import Looks
from runs.thread_object.run_at_work import RunAtWork
from runs.thread_object.stop_wishes import StopWishes
from runs.thread_object.stream_ends import StreamEnds
from runs.thread_object.workflow_drive import WorkflowDrive
from settings import Settings
from streaming.fanout import RunStreams
from tables import run_claims, runs
from tables.access import EVERYTHING
from tables.run_claims import Claim
from tables.run_history import Stamp
from tables.runs import Run

logger = logging.getLogger(__name__)

#: An alarm that is older leaves what is at work to the next one: the platform stops it after 15 minutes, and the object
#: with it. The rest is for synchronous nodes, which hold timers up.
SHIFT_SECONDS: Final = 600

#: An alarm that is older begins no other run: most of its 15 minutes are for one slice and the super-step at its end.
ALARM_SECONDS: Final = 30

#: Nor does an alarm whose runs have asked D1 this often: together with a slice, and what is asked between runs, that
#: stays below the 1,000 calls of an invocation.
ALARM_BATCHES: Final = 300

#: After a failure that is not the graph's, such as D1 out of reach, look again after 1, 2, 4 … seconds.
MAX_BACKOFF_SECONDS: Final = 60

#: When somebody still follows a run of a deleted thread, its events are forgotten this much later.
FOLLOWED_RETRY_SECONDS: Final = 30


class ThreadRunner:
    """The executor of one thread."""

    def __init__(
        self,
        thread_id: str,
        *,
        platform: Platform,
        streams: RunStreams,
        executor: Executor,
        settings: Settings,
    ) -> None:
        self._thread_id = thread_id
        self._platform = platform
        self._database = platform.database
        self._streams = streams
        self._settings = settings
        self._looks = Looks(platform.alarm)
        self._workflow = WorkflowDrive(platform, self._looks)
        self._at_work = RunAtWork(
            platform=platform,
            streams=streams,
            executor=executor,
            workflow=self._workflow,
            looks=self._looks,
            stamp=self._stamp,
        )
        self._ends = StreamEnds(thread_id, platform.brief_database, streams, self._at_work.executes)
        self._wishes = StopWishes(thread_id, platform, executor, streams, self._ends, self._at_work.tell_of_end)
        self._executing = asyncio.Lock()
        self._failures = 0
        #: What goes on without the alarm that began it.
        self._working = set[asyncio.Task[None]]()

    async def wake(self) -> None:
        """Look at the thread's runs soon; once this returns, not even a crash prevents it. Idempotent.

        Runs that were asked to stop are stopped at once, even while another one executes.
        """
        await self._looks.soon()
        if self._executing.locked():
            await self._heed_wishes()

    async def _heed_wishes(self) -> None:
        """Stop the runs that were asked to stop, also those that wait for another one to end."""
        try:
            await self._wishes.heed(self._at_work.run, self._stamp())
        except DatabaseError:
            logger.warning("could not see whether runs were asked to stop", exc_info=True)

    async def ring(self) -> None:
        """What the alarm does: `work`, or the next alarm waits for it."""
        working = asyncio.ensure_future(self.work())
        self._working.add(working)
        working.add_done_callback(self._working.discard)
        try:
            await asyncio.wait_for(asyncio.shield(working), SHIFT_SECONDS)
        except TimeoutError:
            await self.wake()

    async def work(self) -> None:
        """Execute every run that is due. Raises nothing: after a failure, the alarm is set again.

        While another caller's work executes, this waits for it: so an alarm keeps alive what a request started.
        """
        try:
            async with self._executing:
                await self._execute_due_runs()
            self._failures = 0
        except StaleAttempt:
            # Another incarnation of the object is at work; all that is left to do here is to stop.
            logger.warning("the thread's runs are executed elsewhere", extra={"event": "superseded"})
        except Exception as error:
            self._failures += 1
            self._ends.may_owe = True
            seconds = min(2 ** (self._failures - 1), MAX_BACKOFF_SECONDS)
            level = logging.WARNING if errors.passes(error) else logging.ERROR
            logger.log(level, "could not work on the thread's runs; looking again in %d s", seconds, exc_info=True)
            await self._looks.later(clock.now_ms() + seconds * 1000)

    async def _execute_due_runs(self) -> None:
        """One run after the other; once the time, CPU or D1 calls of this alarm are spent, the next alarm goes on."""
        until_ms, batches = clock.now_ms() + ALARM_SECONDS * 1000, 0
        with CpuWatch() as cpu:
            while run := await self._next_run():
                if await self._at_work.execute_slice(run):
                    return
                batches += self._at_work.batches
                if cpu.is_scarce or clock.now_ms() >= until_ms or batches >= ALARM_BATCHES:
                    self._looks.forget_empty()
                    await self.wake()
                    return

    async def run_slice(self, run_id: str, attempt: int) -> bool:
        """Execute one slice for a Workflow, and say whether the run needs another.

        It needs none from this Workflow once its attempt was replaced, or is about to be: a run that an earlier
        incarnation handed over is taken over by the alarm, because that incarnation may still be writing.
        """
        if (at_work := self._at_work.run) is not None and (at_work.run_id, at_work.attempt) != (run_id, attempt):
            return False
        # The alarm waits for this slice: if the object dies in it, the alarm fires again and goes on with the run.
        await self.wake()
        if not self._workflow.has(run_id):
            return False
        async with self._executing:
            run = await runs.get(self._database, self._thread_id, run_id)
            if run is None or run.status != "running" or run.attempt != attempt:
                return False
            try:
                return await self._at_work.execute_slice(run)
            except StaleAttempt:
                return False
            finally:
                self._looks.forget_empty()

    async def _next_run(self) -> Run | None:
        """Claim the next run to execute; None when there is nothing to do now (the alarm may be set for later)."""
        claim = self._looks.take()
        if claim is None:
            self._looks.begin()
            await self._ends.end_forgotten()
            claim = await run_claims.claim_oldest_pending(self._database, self._thread_id, self._stamp())
        if claim.running is not None:
            await self._heed_wishes()
            return await self._take_over(claim.running)
        if claim.claimed is None:
            await self._rest(claim)
        else:
            run_lines.started(logger, claim.claimed)
        return claim.claimed

    async def _rest(self, claim: Claim) -> None:
        """With nothing to execute: end the streams of runs that are over, and set the alarm for what comes later."""
        await self._ends.end_followed()
        if claim.next_due_at is not None:
            await self._looks.later(clock.epoch_ms(claim.next_due_at))
        await self._retire_events(claim.thread_exists)

    async def _retire_events(self, thread_exists: bool) -> None:
        """Forget the events of runs that ended long ago; of all runs, once the thread was deleted."""
        kept_seconds = self._settings.stream_retention_seconds if thread_exists else 0
        is_followed = self._streams.retire(clock.now_ms() - kept_seconds * 1000)
        if is_followed and not thread_exists:
            await self._looks.later(clock.now_ms() + FOLLOWED_RETRY_SECONDS * 1000)

    async def _take_over(self, run: Run) -> Run | None:
        expected_until_ms = self._workflow.expected_until_ms(run.run_id)
        if run.cancel_action is None and expected_until_ms is not None:
            await self._looks.later(expected_until_ms)
            return None
        taken = await attempts.take_over(self._database, run, self._stamp(), self._settings)
        if taken is None:
            return None
        if taken.gave_up is not None:
            await self._give_up(taken.run, taken.gave_up)
            return await self._next_run()
        run_lines.resumed(logger, taken.run)
        return taken.run

    def _stamp(self) -> Stamp:
        return Stamp(clock.moment(), self._platform.version)

    async def _give_up(self, run: Run, gave_up: GaveUp) -> None:
        """End a run that keeps killing its executor."""
        self._looks.begin()
        self._streams.note_end(run.run_id)
        finished = await giving_up.give_up(self._database, run, gave_up, self._stamp(), self._settings)
        self._looks.found(finished and finished.claim)
        if finished:
            ended = finished.outcome
            self._ends.end(run.run_id, ended.wait_result, "failed", error=ended.error)
            await dead_letters.announce(self._platform.dead_letter_queue, run)
            await self._at_work.tell_of_end(run, ended)

    async def stop(self, run_id: str, message: str) -> None:
        """Interrupt a run unless it has ended; `message` is the reason that the thread shows."""
        wish = cancellation.wish("interrupt", message)
        stamp = self._stamp()
        if await cancellation.ask(self._database, self._thread_id, [run_id], wish, EVERYTHING, stamp) == "asked":
            await self.wake()

    async def recall(self, run_id: str) -> None:
        """Make sure that a subscription to the run gets to its end, for callers that did not just create the run.

        An unfinished run is looked at again. A finished one that this object's log does not have any more ends with
        what D1 says about it.
        """
        if not await self._ends.end_if_over(run_id):
            await self.wake()
