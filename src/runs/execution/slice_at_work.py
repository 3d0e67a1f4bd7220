"""What is at work in a slice that is to end, and whether any of it can go on: see `draining`.

Nothing can go on once each task at work has a waiting graph below it. A task that goes on may wait for one whose graph
waits, as for a lock. So after a while the graphs go on for as long as they had waited, then wait again for twice as
long: in the end longer than the super-steps of others beside them take.

A graph does not wait if its super-steps are not stored: one with `checkpointer=False`, with a checkpointer of its own,
or any subgraph with durability "exit". It would begin anew in each slice, and what it calls as well. It is part of the
node that calls it.

Nor does a graph if the node that calls it has read what a graph streams. In the next slice that graph would go on from
its checkpoint, and the node would miss what was streamed before. Such a node is not cut off.
"""

import asyncio
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, TypeAlias, cast

# LangGraph has no public names for these.
from langgraph._internal._constants import CONF, NS_SEP
from langgraph._internal._constants import CONFIG_KEY_CHECKPOINT_MAP as _AROUND
from langgraph.pregel._loop import AsyncPregelLoop
from langgraph.runtime import RunControl

from runs.execution import own_checkpoints

#: How long graphs wait at first, and at most.
PATIENCE_SECONDS: Final = 5.0
MAX_PATIENCE_SECONDS: Final = 60.0

#: Thread and namespace of a graph.
_Place: TypeAlias = tuple[Any, str]


@dataclass(slots=True, eq=False)
class TaskAtWork:
    """A task at work."""

    #: The task in which it began: that of a graph around it, or the function that called it.
    caller: "TaskAtWork | None" = None
    #: How many graphs below it wait.
    waiting: int = 0
    #: Whether it reads, or has read, what a graph streams.
    reads: bool = False

    @property
    def is_stuck(self) -> bool:
        """Whether it may be cut off."""
        return self.waiting > 0 and not self.reads


#: The innermost task at work.
innermost: Final = ContextVar[TaskAtWork | None]("task_at_work", default=None)


@dataclass(slots=True, eq=False)
class GraphAtWork:
    """A graph that stores its super-steps, and is under way."""

    loop: Any
    #: Its tasks at work, by id.
    tasks: dict[str, TaskAtWork] = field(default_factory=dict)
    #: Whether its next super-step has not begun.
    is_between: bool = True
    #: Its next super-step waits for this.
    waits: asyncio.Future[None] | None = None

    @property
    def is_stuck(self) -> bool:
        """Whether nothing of it can go on."""
        return bool(self.waits or (self.tasks and all(task.is_stuck for task in self.tasks.values())))

    def storing(self) -> list[asyncio.Future[Any]]:
        """What it stores just now; nothing if that has to wait for its tasks (`max_concurrency`)."""
        under_way = self.loop.submit.__self__.tasks.items()
        stores = [future for future, (is_node, _) in under_way if not (is_node or future.done())]
        limit = self.loop.config.get("max_concurrency")
        is_full = limit and len(self.tasks) >= limit and any(is_node for _, (is_node, _) in under_way)
        return [] if is_full else stores


class SliceAtWork:
    """What is at work in one slice."""

    def __init__(self, control: RunControl) -> None:
        self.control: Final = control
        self.task: Final = cast("asyncio.Task[Any]", asyncio.current_task())
        #: A super-step of any of its graphs is over.
        self.got_somewhere = False
        #: Whether the slice has cancelled itself.
        self.is_cut_off = False
        #: Whether it has ended; graphs that nobody awaited may still be at work.
        self._is_over = False
        self._graphs: dict[_Place, GraphAtWork] = {}
        #: The namespaces of graphs whose super-steps are not stored.
        self._unstored: set[str] = set()
        self._cutting: asyncio.Task[None] | None = None
        self._patience: asyncio.TimerHandle | None = None
        self._patience_seconds = PATIENCE_SECONDS
        #: By the clock of the event loop: until then no subgraph waits, because the last wait was in vain.
        self._goes_on_until = 0.0

    @property
    def is_to_end(self) -> bool:
        """Whether no further super-step is to begin."""
        return self.got_somewhere and self.control.drain_requested

    def begin(self, loop: Any) -> None:
        """A graph begins."""
        loop.control = None if loop.is_nested else _Patient(self)
        place = loop.config[CONF]
        if self._can_wait(loop) and self._unstored.isdisjoint(place.get(_AROUND, ())):
            self._graphs[_place(loop.config)] = GraphAtWork(loop)
            loop.has_ended = partial(self.end, loop)
            if (caller := innermost.get()) and _is_read(loop):
                caller.reads = True
        else:
            self._unstored.add(place.get("checkpoint_ns", ""))

    def _can_wait(self, loop: Any) -> bool:
        is_here = isinstance(loop, AsyncPregelLoop) and asyncio.get_running_loop() is self.task.get_loop()
        return is_here and _stores(loop)

    def end(self, loop: Any) -> None:
        """A graph ends."""
        if self.graph_of(loop):
            del self._graphs[_place(loop.config)]
            self.look()

    def graph_of(self, loop: Any) -> GraphAtWork | None:
        """What is known of a graph under way."""
        graph = self._graphs.get(_place(loop.config))
        return graph if graph and graph.loop is loop else None

    def graph_around(self, task: Any) -> GraphAtWork | None:
        """The graph that a task is of."""
        thread_id, namespace = _place(task.config)
        return self._graphs.get((thread_id, namespace.rpartition(NS_SEP)[0]))

    def check(self) -> None:
        """Raise `CancelledError` in a graph that goes on although the slice was cut off or has ended."""
        if self.is_cut_off or self._is_over:
            raise asyncio.CancelledError

    async def may_go_on(self, graph: GraphAtWork) -> None:
        """Return when a subgraph may begin its next super-step, if ever."""
        self.check()
        here = asyncio.get_running_loop()
        callers = list(_callers())
        if not self.is_to_end or here.time() < self._goes_on_until or any(task.reads for task in callers):
            return
        for task in callers:
            task.waiting += 1
        graph.waits = here.create_future()
        self._patience = self._patience or here.call_later(self._patience_seconds, self._let_go_on)
        self.look()
        try:
            await graph.waits
        finally:
            graph.waits = None
            for task in callers:
                task.waiting -= 1

    def _let_go_on(self) -> None:
        self._patience = None
        if self.is_cut_off:
            return
        self._goes_on_until = asyncio.get_running_loop().time() + self._patience_seconds
        self._patience_seconds = min(2 * self._patience_seconds, MAX_PATIENCE_SECONDS)
        for graph in self._graphs.values():
            if graph.waits and not graph.waits.done():
                graph.waits.set_result(None)

    def look(self) -> None:
        """Cut the slice off if nothing can go on."""
        if self._cutting is None and self._is_stuck:
            self._cutting = asyncio.ensure_future(self._cut_off())

    @property
    def _is_stuck(self) -> bool:
        graphs = self._graphs.values()
        is_over = self.is_cut_off or self._is_over
        return bool(graphs) and not is_over and all(graph.is_stuck for graph in graphs)

    async def _cut_off(self) -> None:
        while self._is_stuck and (storing := [each for graph in self._graphs.values() for each in graph.storing()]):
            await asyncio.wait(storing)
        self._cutting = None
        if self._is_stuck and not self.task.cancelling():
            self.is_cut_off = True
            self.task.cancel()

    def close(self) -> None:
        """The slice has ended; graphs in tasks that nobody has cancelled end, too."""
        self._is_over = True
        for each in (self._patience, self._cutting, *(graph.waits for graph in self._graphs.values())):
            if each:
                each.cancel()


class _Patient(RunControl):
    """What the run's own graph asks before each of its super-steps."""

    __slots__ = ("_slice",)

    def __init__(self, current: SliceAtWork) -> None:
        super().__init__()
        self._slice = current

    @property
    def drain_requested(self) -> bool:
        """See `RunControl`."""
        return self._slice.is_to_end

    @property
    def drain_reason(self) -> str | None:
        """See `RunControl`."""
        return self._slice.control.drain_reason


def _stores(loop: Any) -> bool:
    """Whether a graph stores its super-steps as it goes; the run's own does so when it drains."""
    return own_checkpoints.are_noted(loop.checkpointer) and not (loop.is_nested and loop.durability == "exit")


def _is_read(loop: Any) -> bool:
    """Whether who called a graph reads what it streams, rather than its last values: `ainvoke` asks for no more."""
    return loop.asked_modes not in ({"values"}, {"values", "updates"})


def _place(config: Mapping[str, Any]) -> _Place:
    return config[CONF].get("thread_id"), config[CONF].get("checkpoint_ns", "")


def _callers() -> Iterator[TaskAtWork]:
    """The tasks around the one who asks, the innermost first."""
    task = innermost.get()
    while task:
        yield task
        task = task.caller
