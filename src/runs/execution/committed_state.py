"""What LangGraph would stream of a run's last checkpoints when it goes on from them, for a run that does not."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from langchain_core.runnables import RunnableConfig
from langgraph._internal._config import recast_checkpoint_ns  # how graphs with a memory name theirs
from langgraph.checkpoint.base import CheckpointTuple
from langgraph.graph import START
from langgraph.pregel import Pregel
from langgraph.types import PregelTask, StateSnapshot

from langgraph_terms import Graph, Saver
from runs.execution import continuation
from runs.execution.graph_events import GraphEvents
from runs.execution.job import Job
from streaming.run_stream import RunStream


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a graph of the run stands."""

    state: StateSnapshot
    #: What it shows of its state.
    values: Any
    saved: CheckpointTuple

    @property
    def namespace(self) -> str:
        return self.saved.config.get("configurable", {}).get("checkpoint_ns", "")

    @property
    def path(self) -> tuple[str, ...]:
        return tuple(filter(None, self.namespace.split("|")))

    @property
    def stopped_tasks(self) -> list[PregelTask]:
        """The tasks that have asked or failed."""
        done = continuation.finished_tasks(self.saved)
        return [task for task in self.state.tasks if task.id not in done and task.name != START]


def knows(graph: Any, namespace: str) -> bool:
    """Whether the graph of a namespace is a node, so that LangGraph knows it without executing what calls it."""
    for part in filter(None, namespace.split("|")):
        node = graph.nodes.get(part.partition(":")[0]) if isinstance(graph, Pregel) else None
        graph = node and node.bound
    return isinstance(graph, Pregel)


async def show(job: Job, graph: Graph, saver: Saver, stream: RunStream, saved: CheckpointTuple) -> StateSnapshot:
    """Show what the stream does not show of `saved`, the run's last checkpoint, and of subgraphs at work then.

    So it is with the questions and errors of tasks whose super-steps are not over. The state of that checkpoint.
    """
    places: list[_Place] = []
    await _collect(job, graph, saver, saved, graph, places)
    # From here on nothing waits: either all of it is stored, or nothing.
    if stream.is_settled:
        return places[0].state
    events = GraphEvents.of(job, stream, resumed=True)
    for place in places:
        is_own = continuation.is_own(job, place.saved)
        events.show_checkpoint(place.path, _payload(job, place.state), place.values, is_own=is_own)
    told: set[str] = set()
    for place in reversed(places):
        for task in place.stopped_tasks:
            events.show_stopped_task(place.path, task, place.values, told)
    events.emit_records()
    stream.note_settled()
    return places[0].state


async def _collect(
    job: Job, root: Graph, saver: Saver, saved: CheckpointTuple, graph: Any, places: list[_Place]
) -> None:
    # A config that names its checkpoint leaves out what tasks wrote whose super-step is not over.
    state = await root.aget_state(saved.config)
    place = saved.config.get("configurable", {})
    values, output = state.values, graph.output_channels
    if place.get("checkpoint_ns") and not isinstance(output, str):  # a graph that is a node shows its output
        values = {name: value for name, value in values.items() if name in output}
    places.append(_Place(state, values, saved))
    subgraphs = dict(graph.get_subgraphs())
    for task in state.tasks if job.streams_subgraphs else ():
        below = cast(RunnableConfig, task.state or {}).get("configurable", {}).get("checkpoint_ns")
        if below and subgraphs[task.name].checkpointer is True:
            below = recast_checkpoint_ns(below)
        own = await continuation.own_checkpoint(job, saver, below) if below else None
        if own and _parent(own, place.get("checkpoint_ns", "")) == place.get("checkpoint_id"):
            await _collect(job, root, saver, own, subgraphs[task.name], places)


def _parent(saved: CheckpointTuple, namespace: str) -> str | None:
    """The id of the checkpoint around it, with which the super-step began that it is part of."""
    return cast(Mapping[str, Any], saved.metadata).get("parents", {}).get(namespace)


def _payload(job: Job, state: StateSnapshot) -> Mapping[str, Any]:
    """The item of mode `checkpoints`."""
    return {
        "config": {"configurable": {**job.config.get("configurable", {}), **state.config.get("configurable", {})}},
        "parent_config": state.parent_config,
        "values": state.values,
        "metadata": state.metadata,
        "next": list(state.next),
        "tasks": [{"id": task.id, "name": task.name, "interrupts": (), "state": task.state} for task in state.tasks],
    }
