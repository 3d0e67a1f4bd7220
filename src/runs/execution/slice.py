"""One go at a run: gives the graph what was asked of it, its events to the stream, and says how it ended."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any, Final, TypeAlias, cast

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.runnables import RunnableConfig
from langgraph.runtime import RunControl

import garbage
from d1_checkpointer import D1Saver
from errors import DatabaseError, StaleAttempt
from graphs.contexts import context_for
from langgraph_terms import Graph, Saver
from runs import outcome
from runs.execution import (
    breakpoints,
    draining,
    error_handlers,
    graph_calls,
    graph_input,
    recursion_limits,  # noqa: F401  # pyright: ignore[reportUnusedImport] - changes LangGraph
    remembering,
    run_spans,
)
from runs.execution.announcing_saver import announcing
from runs.execution.graph_events import GraphEvents, langgraph_modes
from runs.execution.job import Job
from runs.execution.protocol_items import protocol_items
from runs.execution.provided import Provided
from runs.execution.task_names import CheckpointIds, TaskNames
from runs.execution.task_records import RECORD_MODES
from runs.outcome import Outcome
from streaming.run_stream import RunStream

#: What LangGraph streams: path of the (sub)graph, mode, payload.
Item: TypeAlias = tuple[tuple[str, ...], str, Any]

#: A graph that never waits would keep the object from sending anything: after so many items others have their turn.
ITEMS_PER_TURN: Final = 8

error_handlers.install()


class Slice:
    """One go at a run: from its beginning, or from where an earlier one was cut off, to where the graph stops."""

    def __init__(
        self,
        job: Job,
        graph: Graph,
        saver: Saver,
        stream: RunStream,
        given: Any,
        provided: Provided | None,
        *,
        is_resumed: bool,
        is_continued: bool,
    ) -> None:
        self._job = job
        self._is_continued = is_continued
        self._input = given
        self._is_resumed = is_resumed
        self._stream = stream
        self._events = GraphEvents.of(job, stream, resumed=is_resumed)
        self._saver = remembering.recalling(saver, job, self._events.passed) if is_resumed else saver
        self._names = _task_names(job)
        self._graph = _bound(graph, job, announcing(graph, self._saver, self._events, stream, self._names), provided)
        self._config = job.config
        self._callbacks = _callbacks(job, provided)

    async def run(self, control: RunControl) -> None:
        """Stream the graph to its end; raises what the graph raises."""
        goes_on = remembering.going_on(self._job, is_resumed=self._is_resumed, is_continued=self._is_continued)
        kept = breakpoints.kept(self._stream, is_resumed=self._is_resumed)
        with self._names.given(), draining.given(control), goes_on, kept, graph_calls.told_apart():
            self._events.follow(asyncio.current_task())
            try:
                await self._take_items(control)
            finally:
                if not draining.is_cut_off():
                    self._events.emit_records()

    async def _take_items(self, control: RunControl) -> None:
        async with aclosing(self._items(*self._beginning(), control)) as items:
            taken = 0
            async for path, mode, payload in items:
                if self._events.arrivals.note(payload):
                    self._events.take(path, mode, payload)
                garbage.collect_if_due()
                if mode == "checkpoints" and isinstance(self._saver, D1Saver):
                    with self._events.arrivals.paused():
                        await self._saver.room()
                taken += 1
                if taken % ITEMS_PER_TURN == 0:
                    await asyncio.sleep(0)

    async def flush(self) -> None:
        """Wait for the commits of a saver that writes behind; raises what prevented them."""
        if isinstance(self._saver, D1Saver):
            await self._saver.flush()

    def _beginning(self) -> tuple[Any, RunnableConfig]:
        """The input and config this slice gives to the graph."""
        if self._is_continued:
            return None, graph_input.going_on(self._config)
        return self._input, self._config

    def finished_outcome(self) -> Outcome | None:
        """The outcome of a graph that has run to its end, or None if it stopped before; costs no database read."""
        checkpoint, values = self._events.checkpoint, self._events.values
        if checkpoint is None or checkpoint["next"] or values is None:
            return None
        wait_values = self._events.values_text()
        same = checkpoint["values"] == values
        return outcome.finished(wait_values if same else self._events.checkpoint_values_text(), wait_values)

    async def stopped_outcome(self) -> Outcome:
        """The outcome of a graph that stopped at an interrupt or a breakpoint, from its stored state."""
        state = await self._state()
        values = self._events.values
        return outcome.stopped(state, state.values if values is None else values)

    async def failed_outcome(self, error: BaseException) -> Outcome:
        """The outcome of a graph that raised."""
        try:
            state = await self._state()
        except (DatabaseError, StaleAttempt) as failure:
            if failure.retryable or isinstance(failure, StaleAttempt):
                raise
            state = None
        except Exception:  # noqa: BLE001 - writes that made the graph fail can make reading its state fail as well
            state = None
        committed = self._events.checkpoint_values_text() if self._events.checkpoint else None
        return outcome.failed(state, outcome.error_of(error), values=committed)

    def _items(self, graph_in: Any, config: RunnableConfig, control: RunControl) -> AsyncGenerator[Item, None]:
        config = {**config, "callbacks": self._callbacks}
        options: dict[str, Any] = {
            "context": context_for(self._graph.context_schema, self._job.kwargs.get("context")),
            "stream_mode": langgraph_modes(self._job.stream_modes, marks=self._events.arrivals.sends_marks),
            "subgraphs": self._job.streams_subgraphs,
            "interrupt_before": self._job.kwargs.get("interrupt_before"),
            "interrupt_after": self._job.kwargs.get("interrupt_after"),
            "durability": self._job.durability,
            "control": control,
        }
        if self._job.speaks_protocol:
            del options["stream_mode"], options["subgraphs"]
            return protocol_items(self._graph, graph_in, config, options)
        if "events" in self._job.stream_modes:
            return self._with_callbacks(
                cast(Any, self._graph).astream_events(graph_in, config, version="v2", **options)
            )
        return _paths(cast(Any, self._graph).astream(graph_in, config, **options))

    async def _with_callbacks(self, events: AsyncIterator[Any]) -> AsyncGenerator[Item, None]:
        """The graph's own items out of `astream_events`; all other events go to the stream from here."""
        async with aclosing(cast(Any, events)) as closing:
            async for event in closing:
                if event["event"] == "on_chain_stream" and event["run_id"] == self._job.run_id:
                    yield _path(event["data"]["chunk"])
                else:
                    self._events.take_callback(event)

    async def _state(self) -> Any:
        return await self._graph.aget_state(graph_input.without_checkpoint(self._config))


def _task_names(job: Job) -> TaskNames:
    """A run that stores nothing before it stops begins anew: other tasks, which find no subgraph that had stopped."""
    ids = CheckpointIds(job.run_id, job.first_started_at) if job.is_gated and job.first_started_at else None
    return TaskNames(job.run_id, job.thread_id, ids)


def _bound(graph: Graph, job: Job, saver: Saver, provided: Provided | None) -> Graph:
    needs_records = job.is_gated and not RECORD_MODES.isdisjoint(job.stream_modes)
    bound: dict[str, Any] = {"checkpointer": saver, "name": job.graph_id}
    if provided is not None:
        bound["store"] = provided.store
        if graph.cache is None:
            # What is cached has the classes that the graph's checkpoints may have.
            allowed = cast(Saver, graph._apply_checkpointer_allowlist(saver))  # pyright: ignore[reportPrivateUsage]
            bound["cache"] = provided.open_cache(allowed.serde)
    if needs_records:
        # Otherwise LangGraph may commit a super-step before it hands over that super-step's last events.
        bound["stream_eager"] = True
    return graph.copy(bound)


def _callbacks(job: Job, provided: Provided | None) -> list[BaseCallbackHandler]:
    traces = provided and provided.traces
    recorder = run_spans.recorder(job, traces) if traces else None
    return [recorder] if recorder else []


async def _paths(items: AsyncIterator[Any]) -> AsyncGenerator[Item, None]:
    async with aclosing(cast(Any, items)) as closing:
        async for item in closing:
            yield _path(item)


def _path(item: tuple[Any, ...]) -> Item:
    """An item has its namespace in front only when subgraphs are streamed."""
    return item if len(item) == 3 else ((), item[0], item[1])
