"""What LangGraph streams, on its way into a run's stream: when each item is shown, and what of it is news.

LangGraph does not say which super-step an event belongs to, but it streams a `checkpoints` item at the end of each. So
that mode is always on, asked for or not, and whatever comes between two of them is of the later one's super-step. In a
graph that a node calls, this goes for checkpoints of our checkpointer only.
"""

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import asdict, replace
from typing import Any, Final, cast

from langgraph._internal._constants import INTERRUPT, NULL_TASK_ID  # how streams name questions, and savers no task
from langgraph.types import PregelTask, StreamMode

import clock
from langgraph_terms import checkpoint_address
from runs.execution import graph_input, streamed_items
from runs.execution.arrivals import PROTOCOL_QUIET_TURNS, QUIET_TURNS, Arrivals
from runs.execution.job import Job
from runs.execution.protocol_items import SHOWN_MODES
from runs.execution.repetitions import Repetitions
from runs.execution.streamed_items import Item
from runs.execution.task_records import RECORD_MODES, TaskRecords
from runs.execution.wire_events import WireEvents
from streaming.events import BEFORE_ALL, Delivery, Event
from streaming.protocol_view import INPUT_REQUESTED, input_requested
from streaming.run_stream import RunStream

#: Modes whose events are shown at once, and by no resumed run again of tasks that are committed.
_LIVE_MODES: Final = frozenset({"messages", "messages-tuple", "custom", "tools", "events"})

_ALWAYS: Final[tuple[StreamMode, ...]] = ("values", "checkpoints")
_PASSED_ON: Final = frozenset({"values", "updates", "custom", "tasks", "checkpoints", "debug"})


def langgraph_modes(requested: Collection[str], *, marks: bool) -> list[StreamMode]:
    """The modes to ask LangGraph for."""
    modes = {*_ALWAYS, *(_PASSED_ON & set(requested))}
    if "messages" in requested or "messages-tuple" in requested:
        modes.add("messages")
    if not RECORD_MODES.isdisjoint(requested):
        # Tells which task an update is of.
        modes.add("tasks")
    if marks:
        modes.add("custom")
    return cast(list[StreamMode], sorted(modes))


class GraphEvents:
    """Feeds one slice of a run into its stream.

    `gated` false (durability "exit": nothing is committed before the end) shows everything at once. `resumed` hides
    what LangGraph repeats when it goes on from a checkpoint: the snapshots that the stream already shows.
    """

    def __init__(
        self,
        stream: RunStream,
        requested: Collection[str],
        *,
        subgraphs: bool,
        gated: bool,
        resumed: bool,
        goes_on: bool,
        updates: bool,
    ) -> None:
        self._stream = stream
        self._requested = frozenset(requested)
        self._gated = gated
        self._streams_subgraphs = subgraphs
        # Whether what subgraphs commit is told of first; what is committed on exit needs no modes of records for that.
        self._awaits_subgraphs = subgraphs and not (gated and RECORD_MODES.isdisjoint(self._requested))
        self._records = TaskRecords(self._requested, gated=gated)
        self._shows_live = gated and not _LIVE_MODES.isdisjoint(self._requested)
        self._resumed = resumed
        self._wire = WireEvents(self._requested, gated=gated)
        speaks_protocol = "lifecycle" in self._requested
        self.arrivals: Final = Arrivals(
            PROTOCOL_QUIET_TURNS if speaks_protocol else QUIET_TURNS,
            # Commits wait for more than the run's own snapshots; the transformers of the protocol would see the marks.
            sends_marks=gated
            and not speaks_protocol
            and (subgraphs or not (RECORD_MODES | _LIVE_MODES).isdisjoint(self._requested)),
        )
        self._task: asyncio.Task[Any] | None = None
        #: Whether the end of a super-step was not told, and so not committed: neither is anything after it.
        self._is_behind = False
        self._repetitions = Repetitions(stream, resumed=resumed, goes_on=goes_on, updates=updates)
        self.passed: Final = self._repetitions.passed
        #: What the last `values` item of the run's own graph held, without interrupts; None before the first.
        self.values: Any = None
        #: The ids of checkpoints that the run's checkpointer has, or is about to get: see `own_checkpoints`.
        self.own_checkpoints: Final[set[str]] = set()
        #: The last `checkpoints` item of the run's own graph.
        self.checkpoint: Mapping[str, Any] | None = None

    @classmethod
    def of(cls, job: Job, stream: RunStream, *, resumed: bool) -> "GraphEvents":
        """What the caller of a run asked for."""
        return cls(
            stream,
            SHOWN_MODES if job.speaks_protocol else job.stream_modes,
            subgraphs=job.streams_subgraphs,
            gated=job.is_gated,
            resumed=resumed,
            goes_on=graph_input.goes_on(job.kwargs),
            updates=bool((job.kwargs.get("command") or {}).get("update")),
        )

    def follow(self, task: "asyncio.Task[Any] | None") -> None:
        """The task in which the graph is executed, and may be cancelled."""
        self._task = task

    def take(self, path: tuple[str, ...], mode: str, payload: Any) -> None:
        """One item of `astream`."""
        if not path:
            self._remember(mode, payload)
        namespace = "|".join(path)
        if self.passed and self._repeats(namespace, mode, payload):
            return
        metadata = payload["metadata"] if mode == "checkpoints" and self._is_own(namespace, payload) else None
        begun_with = self._repetitions.taken_back(namespace, metadata)
        changed_by = NULL_TASK_ID if self._repetitions.is_changed(namespace, metadata) else ""
        if metadata:
            # The item itself belongs to the super-step it ends, but to the next one if a command has changed it.
            self._wire.running[namespace] = metadata["step"] + bool(changed_by)
        if begun_with:
            self._emit_item(replace(begun_with, task=changed_by), Delivery.SNAPSHOT)
        self._records.note(namespace, mode, payload)
        if mode == "messages":
            self._take_message(namespace, payload)
        elif mode in self._requested:
            self._take_requested(Item(namespace, mode, payload, changed_by if metadata else ""))
        if mode == "checkpoints":
            self.emit_records()
        if metadata:
            self._end_superstep(namespace, metadata, payload["tasks"])

    def take_callback(self, event: Mapping[str, Any]) -> None:
        """One item of `astream_events` other than the graph's own stream."""
        self.arrivals.note(event)
        self._stream.emit(self._wire.live("", "events", self._wire.text(event)))

    def show_checkpoint(self, path: tuple[str, ...], payload: Mapping[str, Any], values: Any, *, is_own: bool) -> None:
        """What LangGraph shows of an own checkpoint when it goes on from it, unless the stream was told of it."""
        namespace, step = "|".join(path), payload["metadata"]["step"]
        if not is_own or self._stream.has_told(namespace, step):
            self._wire.running[namespace] = step + 1
            return
        self.own_checkpoints.add(_id(payload))
        self.take(path, "values", values)
        self.take(path, "checkpoints", payload)
        self.take(path, "debug", _debug("checkpoint", step, payload))
        self._stream.committed(namespace, step)

    def show_stopped_task(self, path: tuple[str, ...], task: PregelTask, values: Any, told: set[str]) -> None:
        """What LangGraph shows of a task that has asked or failed, in a super-step that is not over.

        `values` are those of its graph; `told` are the interrupts that the protocol does not tell again.
        """
        if "lifecycle" in self._requested:
            for interrupt in task.interrupts:
                if interrupt.id not in told:
                    told.add(interrupt.id)
                    self.take(path, INPUT_REQUESTED, input_requested(interrupt.id, interrupt.value))
            return
        if task.interrupts:
            asked = {INTERRUPT: task.interrupts}
            self.take(path, "updates", asked)
            self.take(path, "values", {**values, **asked} if isinstance(values, dict) else asked)
        if task.interrupts or task.error:
            asking = [asdict(interrupt) for interrupt in task.interrupts]
            ended = {"id": task.id, "name": task.name, "error": task.error, "result": {}, "interrupts": asking}
            self.take(path, "tasks", ended)
            self.take(path, "debug", _debug("task_result", self._wire.running.get("|".join(path), 0), ended))

    def emit_records(self, task_id: str | None = None) -> None:
        """Emit what waits for its super-step's end; call it then, and after the last item.

        Records are encoded only now because the end of the super-step gives messages their ids. Those of a task that
        is ahead of its super-step, or is cut off before that ends, go without.
        """
        for item in self._records.take(task_id):
            self._emit_item(item, Delivery.RECORD)

    def emit_told_records(self) -> None:
        """`emit_records` before a checkpoint is written, while another graph may be telling of a task.

        Updates stay until the next item says whose they are: what that task writes commits them.
        """
        for item in self._records.take_told():
            self._emit_item(item, Delivery.RECORD)

    def records_of(self, task_id: str) -> list[Event]:
        """What a task did, as far as it waits for its super-step's end, as it may be told now."""
        return [self._wire.of_item(item, Delivery.RECORD) for item in self._records.of(task_id)]

    async def catch_up(self, namespace: str, step: int, *, is_known: bool = True) -> None:
        """Let the events of a super-step arrive, for its commit must not come first.

        They have arrived when the item after them has; at the end of the graph and with durability "sync" that one
        comes only after the commit. `is_known` as in `RunStream.before_commit`.
        """
        is_told_of = not namespace or self._awaits_subgraphs or (self._streams_subgraphs and not is_known)
        if not self._gated:
            has_arrived = self._wire.running.get(namespace, step) > step
        elif is_told_of or self._shows_live:
            has_arrived = await self.arrivals.wait(lambda: self._wire.running.get(namespace, step) > step)
        else:
            return
        if is_told_of and not has_arrived:
            self._check_that_events_come()

    async def is_ahead(self, namespace: str, task_id: str) -> bool:
        """Whether a task has finished, with its events here, while others of its super-step still run.

        What it wrote is committed before its super-step is, and so may its events be shown. The same goes for what the
        run's command changes.
        """
        if task_id == NULL_TASK_ID:
            await self.catch_up(namespace, BEFORE_ALL.step)
            return True
        is_told_of = self._records.name_tasks and (not namespace or self._awaits_subgraphs)
        if not self._gated:
            if self._is_behind or (is_told_of and not self._records.has_finished(task_id)):
                self._check_that_events_come()
            return False
        if not is_told_of:
            if self._shows_live:
                await self.arrivals.wait()
                self._check_that_events_come()
            return False
        if not await self.arrivals.wait(lambda: self._records.has_finished(task_id)):
            self._check_that_events_come()
            return False
        return self._records.is_ahead(namespace, task_id)

    def _check_that_events_come(self) -> None:
        """What nobody is told of is not committed: LangGraph, being cancelled, still stores what it does not stream."""
        if self._task is not None and self._task.cancelling():
            self._is_behind = True
            raise asyncio.CancelledError("the run was stopped before it could tell of this")

    def _end_superstep(self, namespace: str, metadata: Mapping[str, Any], tasks: Collection[Mapping[str, Any]]) -> None:
        """Its checkpoint is here; `tasks` are those of the next one."""
        step = metadata["step"]
        self._stream.close_superstep(namespace, step)
        self._wire.running[namespace] = step + 1
        self._records.end_superstep(namespace)
        self._repetitions.note_checkpoint(namespace, step + 1, tasks)
        if self._repetitions.is_stored(namespace, metadata):
            self._stream.goes_on_from(namespace, step)

    async def before_writes(self) -> None:
        """A task is about to be stored as done, and will not be run again.

        In a resumed run it may have led a subgraph that was done before, and which says so only now: what that shows
        is stored first.
        """
        if not (self._resumed and self._gated and self._streams_subgraphs):
            return
        await self.arrivals.wait()
        self._stream.before_finish()

    def values_text(self) -> str:
        """`values` as JSON text."""
        return self._wire.text(self.values)

    def checkpoint_values_text(self) -> str:
        """The whole state at the last checkpoint as JSON text."""
        return self._wire.text(self.checkpoint["values"] if self.checkpoint else {})

    def _repeats(self, namespace: str, mode: str, payload: Any) -> bool:
        """Whether an item tells of a checkpoint that was told before those of other calls of its graph."""
        told = payload["payload"] if Item(namespace, mode, payload).is_debug_checkpoint else payload
        return (told is not payload or mode == "checkpoints") and self._repetitions.was_passed(namespace, _id(told))

    def _is_own(self, namespace: str, payload: Mapping[str, Any]) -> bool:
        """Whether a checkpoint ends a super-step that is committed on its own; a graph without any is live."""
        return not (self._gated and namespace) or _id(payload) in self.own_checkpoints

    def _remember(self, mode: str, payload: Any) -> None:
        if mode == "checkpoints":
            self.checkpoint = payload
        elif mode == "values":
            has_interrupt = isinstance(payload, dict) and "__interrupt__" in payload
            shown = cast(dict[str, Any], payload)
            self.values = {k: v for k, v in shown.items() if k != "__interrupt__"} if has_interrupt else payload

    def _take_requested(self, item: Item) -> None:
        step = self._wire.running.get(item.namespace)
        if not self._repetitions.hold_back(item, step) and (news := self._repetitions.news(item, step)):
            self._take_news(news)

    def _take_news(self, item: Item) -> None:
        delivery = streamed_items.delivery(item)
        if delivery is Delivery.RECORD and self._gated:
            self._records.add(item)
            return
        if delivery is Delivery.SNAPSHOT:
            self.emit_records()
        self._emit_item(item, delivery)

    def _emit_item(self, item: Item, delivery: Delivery) -> None:
        event = self._wire.of_item(item, delivery)
        if delivery is not Delivery.SNAPSHOT or not self._repetitions.is_shown(event.name, event.data):
            self._stream.emit(event)

    def _take_message(self, namespace: str, payload: Any) -> None:
        if not isinstance(payload, tuple):
            self._emit_item(Item(namespace, "messages", payload), Delivery.LIVE)
            return
        for event in self._wire.of_message(namespace, *cast(tuple[Any, Any], payload)):
            self._stream.emit(event)


def _id(payload: Mapping[str, Any]) -> str:
    """The id of a checkpoint, of which another server may tell otherwise than LangGraph does."""
    return (checkpoint_address(payload.get("config")) or {}).get("checkpoint_id", "")


def _debug(kind: str, step: int, payload: Mapping[str, Any]) -> dict[str, Any]:
    """An item of another mode as `debug` has it."""
    return {"step": step, "timestamp": clock.now_iso(), "type": kind, "payload": payload}
