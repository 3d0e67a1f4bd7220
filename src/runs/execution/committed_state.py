"""What LangGraph would stream of a run's last checkpoints when it goes on from them, for a run that does not."""

from collections.abc import Mapping
from typing import Any, cast

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import CheckpointTuple
from langgraph.types import StateSnapshot

from langgraph_terms import Graph, Saver
from runs.execution import continuation
from runs.execution.graph_events import GraphEvents
from runs.execution.job import Job
from streaming.run_stream import RunStream


async def show(job: Job, graph: Graph, saver: Saver, stream: RunStream, saved: CheckpointTuple) -> StateSnapshot:
    """Show what the stream does not show of `saved`, the run's last checkpoint, and of subgraphs at work then.

    The state of that checkpoint.
    """
    return await _show(job, graph, saver, GraphEvents.of(job, stream, resumed=True), saved, graph)


async def _show(
    job: Job, root: Graph, saver: Saver, events: GraphEvents, saved: CheckpointTuple, graph: Any
) -> StateSnapshot:
    # A config that names its checkpoint leaves out what tasks wrote whose super-step is not over.
    state = await root.aget_state(saved.config)
    namespace = saved.config.get("configurable", {}).get("checkpoint_ns", "")
    values, output = state.values, graph.output_channels
    if namespace and not isinstance(output, str):  # a graph that is a node shows its output
        values = {name: value for name, value in values.items() if name in output}
    events.show_checkpoint(tuple(filter(None, namespace.split("|"))), _payload(job, state), values)
    subgraphs = dict(graph.get_subgraphs())
    for task in state.tasks if job.streams_subgraphs else ():
        below = cast(RunnableConfig, task.state or {}).get("configurable", {}).get("checkpoint_ns")
        if below and (own := await continuation.own_checkpoint(job, saver, below)):
            await _show(job, root, saver, events, own, subgraphs[task.name])
    return state


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
