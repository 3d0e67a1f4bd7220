"""Executes the run that a thread's object has claimed: one slice of it, or what it was asked to do instead."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Final

import clock
from checkpoints.group_commit import fence
from d1_checkpointer import CommittedCheckpoint, D1Saver
from graphs.registry import Registry
from ports import Database
from runs import outcome
from runs.execution import graph_execution, node_ends, run_spans, stopping
from runs.execution.job import Job
from runs.execution.provided import Provided
from runs.execution.slice_budget import SliceBudget
from runs.outcome import Outcome
from runs.threads.graph_reader import GraphReader
from settings import Settings
from streaming.run_stream import RunStream
from tables.runs import Run

logger = logging.getLogger(__name__)

node_ends.install()

#: A graph that is still at work so long after it was cancelled does not let itself be cancelled.
RESET_SECONDS: Final = 30


class Executor:
    """At most one run at a time; `stop` may come from any other task."""

    def __init__(
        self,
        *,
        database: Database,
        registry: Registry,
        settings: Settings,
        provided: Provided,
        reset: Callable[[], None],
    ) -> None:
        self._database = database
        self._registry = registry
        self._settings = settings
        self._provided = provided
        #: Ends all that is at work in the thread's object, as a crash does.
        self._reset = reset
        self._graphs = GraphReader(registry, provided.store)
        self._run: Run | None = None
        self._task: asyncio.Task[Outcome] | None = None
        self._is_late = False
        #: The runs that are to execute no further.
        self._stopped: set[str] = set()

    def stop(self, run_id: str) -> None:
        """Let a run execute no further, even if it is only about to begin."""
        self._stopped.add(run_id)
        if self._task is not None and self._run is not None and self._run.run_id == run_id:
            self._cancel(self._task)

    def trace_end(self, run: Run, ended: Outcome) -> None:
        """Tell those who want to know that the run has ended, after everybody else was told."""
        if traces := self._provided.traces:
            traces.take(run_spans.of_run(run, ended, captures_content=traces.captures_content))
            traces.flush()

    def flush_traces(self) -> None:
        """Tell them what it did up to here."""
        if traces := self._provided.traces:
            traces.flush()

    async def execute(self, run: Run, stream: RunStream) -> Outcome | None:
        """Execute until the run ends or the slice's budget is spent; None when it was stopped before either.

        A run that was asked to stop does that instead.
        """
        job = Job.of(run)
        if run.cancel_action is not None:
            self._stopped.discard(run.run_id)
            attempts = self._settings.max_attempts
            return await stopping.carry_out(
                run, job, self._graphs, self._saver(run), self._database, stream, max_attempts=attempts
            )
        budget = SliceBudget(seconds=self._settings.slice_seconds, supersteps=self._settings.slice_supersteps)
        saver = self._saver(run, budget.count, write_behind=job.is_written_behind)
        if run.run_id in self._stopped:
            return None
        if self._seconds_left(run) <= 0:
            return await stopping.timed_out(job, self._graphs, saver, stream)
        self._run, self._is_late = run, False
        self._task = asyncio.ensure_future(self._execute_graph(job, saver, stream, budget))
        timer = asyncio.get_running_loop().call_later(self._seconds_left(run), self._end_late, self._task)
        try:
            return await self._task
        except asyncio.CancelledError:
            if not self._is_late and run.run_id not in self._stopped:
                raise
            await _let_settle(saver)
            return await stopping.timed_out(job, self._graphs, saver, stream) if self._is_late else None
        finally:
            timer.cancel()
            self._task = self._run = None

    async def _execute_graph(self, job: Job, saver: D1Saver, stream: RunStream, budget: SliceBudget) -> Outcome:
        """Make the graph, which may take as long as executing it, and execute it."""
        async with AsyncExitStack() as stack:
            stack.enter_context(budget.cpu)
            try:
                graph = await stack.enter_async_context(
                    self._registry.open(job.graph_id, job.purpose(self._provided.store))
                )
            except (Exception, SystemExit) as error:  # a factory is user code, and a graph may be gone by now
                logger.warning("the graph could not be made", exc_info=True, extra={"event": "graph_failed"})
                return outcome.failed(None, outcome.error_of(error))
            ended = await graph_execution.execute(job, graph, saver, stream, budget, self._provided)
            if budget.cpu.is_scarce:
                logger.warning("the platform was about to stop this invocation", extra={"event": "cpu_scarce"})
            return ended

    def _end_late(self, task: asyncio.Task[Outcome]) -> None:
        self._is_late = True
        self._cancel(task)

    def _cancel(self, task: asyncio.Task[Outcome]) -> None:
        """Cancel the graph, once: a second time would reach nodes that are putting things in order.

        It may have been cancelled as its slice was cut off.
        """
        if not task.cancelling():
            task.cancel()
        timer = asyncio.get_running_loop().call_later(RESET_SECONDS, self._end_by_force, task)
        task.add_done_callback(lambda _: timer.cancel())

    def _end_by_force(self, task: asyncio.Task[Outcome]) -> None:
        """Lose the object to a node that catches its cancellation and goes on; the next one knows what was asked."""
        if not task.done():
            logger.error("the graph goes on although it was cancelled", extra={"event": "object_reset"})
            self._reset()

    def _seconds_left(self, run: Run) -> float:
        began_ms = clock.epoch_ms(run.started_at) if run.started_at else clock.now_ms()
        return max(0.0, self._settings.bg_job_timeout_secs - (clock.now_ms() - began_ms) / 1000)

    def _saver(
        self, run: Run, on_commit: Callable[[CommittedCheckpoint], None] | None = None, *, write_behind: bool = False
    ) -> D1Saver:
        guard = fence(run.thread_id, run.run_id, run.attempt)
        return D1Saver(self._database, guard=guard, on_commit=on_commit, write_behind=write_behind)


async def _let_settle(saver: D1Saver) -> None:
    """What was submitted before the graph was cancelled is stored, or refused, before anything looks at the thread."""
    try:
        await saver.flush()
    except Exception:  # what is not stored by now does not count
        logger.warning("the last super-steps of a cancelled run were not stored", exc_info=True)
