"""Runs one slice of a run: from its request to an `Outcome`, with every event on its way to the stream.

A slice begins a run, or goes on where a crash, a drain or a deploy left it. What it may assume then is decided by what
is committed, never by what was shown: see `_continuation`. Not every end is an outcome: errors of our
own infrastructure that may pass (`SuperstepError.retryable`) are raised, and the next attempt resumes.
"""

import asyncio
import copy
import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final, cast

from langchain_core.runnables import RunnableConfig
from langgraph._internal._config import (
    DEFAULT_RECURSION_LIMIT,  # langgraph has no public name for its default
)
from langgraph.checkpoint.base import BaseCheckpointSaver, CheckpointTuple
from langgraph.errors import GraphDrained, GraphRecursionError
from langgraph.pregel import Pregel
from langgraph.runtime import RunControl
from langgraph.store.base import BaseStore
from langgraph.types import Command

from d1_checkpointer import D1Saver
from errors import DatabaseError, StaleAttempt, SuperstepError
from runs import answers, outcome
from runs import graph_input as request
from runs.graph_events import RECORD_MODES, GraphEvents, langgraph_modes
from runs.outcome import Outcome
from streaming.json_text import dumps
from streaming.run_stream import RunStream
from tables.runs import Run

Saver = BaseCheckpointSaver[Any]
Graph = Pregel[Any, Any, Any, Any]

#: What LangGraph streams: path of the (sub)graph, mode, payload.
Item = tuple[tuple[str, ...], str, Any]

_START_NODE: Final = "__start__"

#: As LangGraph words it, for a run that used its limit up in earlier slices.
_RECURSION_MESSAGE: Final = (
    "Recursion limit of {limit} reached without hitting a stop condition. You can increase the limit by setting the"
    " `recursion_limit` config key."
)


#: A graph that never waits would keep the object from sending anything: after so many items others have their turn.
ITEMS_PER_TURN: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What execution needs of a claimed run. `kwargs` is the run row's JSON object of the same name."""

    run_id: str
    thread_id: str
    graph_id: str
    attempt: int
    kwargs: Mapping[str, Any]

    @classmethod
    def of(cls, run: Run) -> "Job":
        """The job of a claimed run whose `kwargs` are loaded."""
        kwargs = json.loads(run.kwargs)
        graph_id = kwargs["config"]["configurable"]["graph_id"]
        return cls(run_id=run.run_id, thread_id=run.thread_id, graph_id=graph_id, attempt=run.attempt, kwargs=kwargs)


async def execute(
    job: Job, graph: Graph, saver: Saver, stream: RunStream, control: RunControl, *, store: BaseStore | None = None
) -> Outcome:
    """Run until the graph ends, stops, fails or drains (`control.request_drain()`), whichever is first.

    Idempotent by what is committed: called again for the same run after a crash (with a higher attempt) or a drain, it
    goes on after the last committed super-step. Emits all events but `error` and never ends the stream: the caller
    stores the outcome first, then calls `stream.finish`. Cancelling it leaves the thread at its last committed
    super-step.
    """
    continuation = await _continuation(job, saver, stream)
    _announce_attempt(job, stream)
    if continuation is None and job.attempt > 1:
        graph_input, saver = await _request_again(job, graph, saver, stream)
    else:
        graph_input = None if continuation else request.first_input(job.kwargs)
    slice_ = _Slice(job, graph, saver, stream, continuation, graph_input, store)
    ended = await _outcome(slice_, control)
    if ended.status == "drained":
        stream.pause()
    else:
        stream.before_finish()
    return ended


async def _outcome(slice_: "_Slice", control: RunControl) -> Outcome:
    if await slice_.was_stopped_by_breakpoint():
        return await slice_.breakpoint_outcome()
    try:
        await slice_.run(control)
        await slice_.flush()
    except GraphDrained:
        await slice_.flush()
        return outcome.DRAINED
    except SuperstepError as error:
        if error.retryable or isinstance(error, StaleAttempt):
            raise
        return await slice_.failed_outcome(error)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a graph is user code: whatever it raises is the outcome
        return await slice_.failed_outcome(error)
    return slice_.finished_outcome() or await slice_.stopped_outcome()


async def cancelled(job: Job, graph: Graph, saver: Saver, error: Mapping[str, str]) -> Outcome:
    """The outcome of a run whose `execute` was cancelled: the thread stays at its last committed super-step."""
    state = await graph.copy({"checkpointer": saver}).aget_state({"configurable": {"thread_id": job.thread_id}})
    return outcome.cancelled(state, error)


def announcing(saver: Saver, events: GraphEvents, stream: RunStream) -> Saver:
    """A copy of a checkpointer that tells of every commit, before and after, and of answers to interrupts before."""
    tells_itself = isinstance(saver, D1Saver)
    announcer = (
        saver.observed(lambda committed: stream.committed(committed.checkpoint_ns, committed.step))
        if tells_itself
        else copy.copy(saver)
    )
    put = announcer.aput

    async def aput(config: RunnableConfig, checkpoint: Any, metadata: Any, new_versions: Any) -> RunnableConfig:
        namespace = config.get("configurable", {}).get("checkpoint_ns", "")
        await events.catch_up(namespace, metadata["step"])
        events.emit_records()
        stream.before_commit(namespace, metadata["step"])
        stored = await put(config, checkpoint, metadata, new_versions)
        if not tells_itself:
            stream.committed(namespace, metadata["step"])
        return stored

    async def aput_writes(
        config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        for count in answers.given_by(task_id, writes):
            stream.answering(config.get("configurable", {}).get("checkpoint_ns", ""), task_id, count)
        await saver.aput_writes(config, writes, task_id, task_path)

    # Attributes of the instance: `Pregel` clones checkpointers with `copy`, which keeps them.
    setattr(announcer, "aput", aput)  # noqa: B010
    setattr(announcer, "aput_writes", aput_writes)  # noqa: B010
    return announcer


@dataclass(frozen=True, slots=True, kw_only=True)
class _Continuation:
    """The run committed something before: it goes on from there instead of from its input."""

    saved: CheckpointTuple
    #: Super-steps this run has used of its recursion limit.
    steps_used: int


async def _continuation(job: Job, saver: Saver, stream: RunStream) -> _Continuation | None:
    """Find out how far this run has come, and bring its stream to the same point.

    Only checkpoints written by this very run count. Without one, nothing of it is committed and its input or command is
    simply applied again.
    """
    if job.attempt == 1 and stream.first_step is None:
        return None
    saved = await _own_checkpoint(job, saver, "")
    if saved is None:
        stream.resume({})
        return None
    committed = {"": _step(saved)}
    for namespace in stream.held_namespaces() - {""}:
        if own := await _own_checkpoint(job, saver, namespace):
            committed[namespace] = _step(own)
    first_step = committed[""] if stream.first_step is None else stream.first_step
    stream.resume(committed)
    return _Continuation(saved=saved, steps_used=committed[""] - first_step + 1)


async def _request_again(job: Job, graph: Graph, saver: Saver, stream: RunStream) -> tuple[Any, Saver]:
    """The request of a run that starts over, without the answers it has given already, and a saver that hides those."""
    given, config = request.first_input(job.kwargs), _config(job)
    if not isinstance(given, Command) or not await answers.were_taken(stream.answers(), saver, job.thread_id):
        return given, saver
    left = await answers.still_to_give(given, graph.copy({"checkpointer": saver}), saver, config)
    hiding = copy.copy(saver)

    async def aget_tuple(config: RunnableConfig) -> CheckpointTuple | None:
        return answers.without_unclaimed_answer(await saver.aget_tuple(config))

    setattr(hiding, "aget_tuple", aget_tuple)  # noqa: B010 - see `announcing`
    return left, hiding


async def _own_checkpoint(job: Job, saver: Saver, namespace: str) -> CheckpointTuple | None:
    saved = await saver.aget_tuple({"configurable": {"thread_id": job.thread_id, "checkpoint_ns": namespace}})
    is_own = saved is not None and cast(Mapping[str, Any], saved.metadata).get("run_id") == job.run_id
    return saved if is_own else None


def _step(saved: CheckpointTuple) -> int:
    return cast(Mapping[str, Any], saved.metadata)["step"]


def _announce_attempt(job: Job, stream: RunStream) -> None:
    data = dumps({"run_id": job.run_id, "attempt": job.attempt})
    # A slice after a drain belongs to an attempt that is announced already.
    if stream.first_step is None or stream.last_data("metadata") != data:
        stream.emit_now("metadata", data)


def _bound(graph: Graph, job: Job, saver: Saver, store: BaseStore | None) -> Graph:
    needs_records = bool(RECORD_MODES & set(_modes(job))) and _is_gated(job)
    bound: dict[str, Any] = {"checkpointer": saver, "name": job.graph_id}
    if store is not None:
        bound["store"] = store
    if needs_records:
        # Otherwise LangGraph may commit a super-step before it hands over that super-step's last events.
        bound["stream_eager"] = True
    return graph.copy(bound)


def _config(job: Job) -> RunnableConfig:
    return request.config(job.kwargs, run_id=job.run_id, thread_id=job.thread_id, attempt=job.attempt)


def _modes(job: Job) -> list[str]:
    given = job.kwargs.get("stream_mode") or ["values"]
    return [given] if isinstance(given, str) else list(given)


def _durability(job: Job) -> str:
    return job.kwargs.get("durability") or "async"


def _streams_subgraphs(job: Job) -> bool:
    return bool(job.kwargs.get("subgraphs"))


def is_durable_behind(job: Job) -> bool:
    """Whether the run's super-steps go on before the last one's checkpoint is committed."""
    return _durability(job) == "async"


def _is_gated(job: Job) -> bool:
    return _durability(job) != "exit"


class _Slice:
    """One `execute` call."""

    def __init__(
        self,
        job: Job,
        graph: Graph,
        saver: Saver,
        stream: RunStream,
        continuation: _Continuation | None,
        graph_input: Any,
        store: BaseStore | None,
    ) -> None:
        self._job = job
        self._continuation = continuation
        self._input = graph_input
        self._events = GraphEvents(
            stream,
            _modes(job),
            subgraphs=_streams_subgraphs(job),
            gated=_is_gated(job),
            resumed=continuation is not None,
        )
        self._saver = saver
        self._graph = _bound(graph, job, announcing(saver, self._events, stream), store)
        self._config = _config(job)

    async def run(self, control: RunControl) -> None:
        """Stream the graph to its end; raises what the graph raises."""
        limit = self._recursion_limit()
        if self._continuation and self._continuation.steps_used > limit + 1:
            raise GraphRecursionError(_RECURSION_MESSAGE.format(limit=limit))
        try:
            async with aclosing(self._items(*self._beginning(limit), control)) as items:
                taken = 0
                async for path, mode, payload in items:
                    self._events.take(path, mode, payload)
                    if mode == "checkpoints" and isinstance(self._saver, D1Saver):
                        await self._saver.room()
                    taken += 1
                    if taken % ITEMS_PER_TURN == 0:
                        await asyncio.sleep(0)
        except GraphRecursionError as error:
            raise _with_limit(error, limit) from error
        finally:
            self._events.emit_records()

    async def flush(self) -> None:
        """Wait for the commits of a saver that writes behind; raises what prevented them."""
        if isinstance(self._saver, D1Saver):
            await self._saver.flush()

    def _beginning(self, limit: int) -> tuple[Any, RunnableConfig]:
        """The input and config this slice gives to the graph."""
        if self._continuation is None:
            return self._input, self._config
        # LangGraph accepts no less than 1, so a run drained at the very end of its limit may gain two super-steps.
        left = max(1, limit - self._continuation.steps_used)
        return None, {**request.without_checkpoint(self._config), "recursion_limit": left}

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

    async def breakpoint_outcome(self) -> Outcome:
        """The outcome of a graph that had stopped at a breakpoint before this slice; shows what nobody was shown."""
        state = await self._state()
        shown = self._graph.output_channels
        values = state.values if isinstance(shown, str) else {k: v for k, v in state.values.items() if k in shown}
        self._events.show_breakpoint(values)
        return outcome.stopped(state, values)

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
        return outcome.failed(state, outcome.error_of(error))

    async def was_stopped_by_breakpoint(self) -> bool:
        """Whether the run had reached a breakpoint when the crash came: going on without input would pass it."""
        before, after = (self._job.kwargs.get("interrupt_before"), self._job.kwargs.get("interrupt_after"))
        saved = self._continuation and self._continuation.saved
        if not (before or after) or not saved or cast(Mapping[str, Any], saved.metadata).get("source") != "loop":
            return False
        if _matches(before, (await self._state()).next):
            return True
        if not after or saved.parent_config is None:
            return False
        parent = await self._graph.aget_state(saved.parent_config)
        return _matches(after, parent.next)

    def _items(self, graph_in: Any, config: RunnableConfig, control: RunControl) -> AsyncGenerator[Item, None]:
        options: dict[str, Any] = {
            "context": request.context(self._job.kwargs, self._graph.context_schema),
            "stream_mode": langgraph_modes(_modes(self._job)),
            "subgraphs": _streams_subgraphs(self._job),
            "interrupt_before": self._job.kwargs.get("interrupt_before"),
            "interrupt_after": self._job.kwargs.get("interrupt_after"),
            "durability": _durability(self._job),
            "control": control,
        }
        if "events" in _modes(self._job):
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
        return await self._graph.aget_state(request.without_checkpoint(self._config))

    def _recursion_limit(self) -> int:
        for given in (self._config, self._graph.config or {}):
            if limit := given.get("recursion_limit"):
                return limit
        return DEFAULT_RECURSION_LIMIT


async def _paths(items: AsyncIterator[Any]) -> AsyncGenerator[Item, None]:
    async with aclosing(cast(Any, items)) as closing:
        async for item in closing:
            yield _path(item)


def _path(item: tuple[Any, ...]) -> Item:
    """An item has its namespace in front only when subgraphs are streamed."""
    return item if len(item) == 3 else ((), item[0], item[1])


def _matches(breakpoints: Any, nodes: tuple[str, ...]) -> bool:
    reached = [node for node in nodes if node != _START_NODE]
    return bool(reached) if breakpoints == "*" else any(node in (breakpoints or ()) for node in reached)


def _with_limit(error: GraphRecursionError, limit: int) -> GraphRecursionError:
    """The error as if the run had been one slice: naming the run's limit, not what was left of it."""
    head, marker, tail = str(error).partition(" reached without")
    return GraphRecursionError(f"{head.rpartition(' ')[0]} {limit}{marker}{tail}") if marker else error
