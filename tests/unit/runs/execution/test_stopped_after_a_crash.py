"""A run that was cut off at any await, and is stopped before it goes on: its stream has what is committed, once."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from langgraph.graph import START, StateGraph

from graphs.factories import Purpose
from langgraph_terms import Graph
from runs.execution import stopping
from runs.execution.job import Job
from runs.execution.protocol_items import PROTOCOL_MODES
from runs.outcome import stream_end
from runs.threads.graph_reader import GraphReader
from streaming import sse
from streaming.events import Frame
from tests.support import sample_graphs
from tests.support.run_driver import D1Opener, RunDriver, named, run_alone, run_for

SHOWN = ["values", "updates", "checkpoints", "debug"]


def narrow_subgraph() -> Any:
    """A graph whose only node is a graph that shows a part of its state."""
    builder = StateGraph(sample_graphs.Sequence)
    builder.add_node("child", sample_graphs.narrow_output())
    builder.add_edge(START, "child")
    return builder.compile()


CASES: dict[str, tuple[Callable[[], Any], dict[str, Any]]] = {
    "nodes": (sample_graphs.sequence, {"input": {"topic": "s"}, "stream_mode": SHOWN}),
    "values": (sample_graphs.sequence, {"input": {"topic": "s"}, "stream_mode": ["values"]}),
    "sync": (sample_graphs.sequence, {"input": {"topic": "s"}, "stream_mode": SHOWN, "durability": "sync"}),
    "parallel": (sample_graphs.fan_out, {"input": {"trail": ["a", "b"]}, "stream_mode": SHOWN}),
    "subgraph": (sample_graphs.parent, {"input": {"trail": ["in"]}, "stream_mode": SHOWN, "subgraphs": True}),
    "subgraph, narrower output": (
        narrow_subgraph,
        {"input": {"topic": "s"}, "stream_mode": ["values"], "subgraphs": True},
    ),
    "tasks of a function": (sample_graphs.workflow, {"input": [1, 2], "stream_mode": SHOWN}),
    "protocol": (
        sample_graphs.parent,
        {"input": {"trail": ["in"]}, "stream_mode": list(PROTOCOL_MODES), "subgraphs": True},
    ),
}


class OneGraph:
    """A registry of one graph."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph

    def graph_ids(self) -> tuple[str, ...]:
        """See `graph_reader.Registry`."""
        return ("graph",)

    @asynccontextmanager
    async def open(self, graph_id: str, purpose: Purpose) -> AsyncIterator[Graph]:
        """See `graph_reader.Registry`."""
        yield self._graph


async def stop(driver: RunDriver, job: Job) -> None:
    """What an object does that finds the run's time to be over."""
    graphs = GraphReader(OneGraph(driver.graph), None)  # type: ignore[arg-type]
    stream = driver.streams.open(job.run_id)
    ended = await stopping.timed_out(job, graphs, driver.saver, stream)
    await asyncio.sleep(0)  # where the run's row would be stored
    stream.finish(ended.wait_result, stream_end(ended))
    driver.streams.close(job.run_id)


def crash_in(driver: RunDriver, work: Any, *, after: int) -> bool:
    """Do this for so many turns of the event loop, then lose everything in memory; whether it was not over."""
    [task] = run_for(after, work)
    if not task.done():
        driver.lose()
    return not task.done()


def frames(driver: RunDriver) -> list[Frame]:
    return run_alone(lambda: driver.read(driver.job().run_id))


def told(shown: list[Frame]) -> Counter[str]:
    """How often each event was shown; those with ids of checkpoints and tasks by their names alone."""
    plain = ("values", "updates")
    pairs = [(name.partition(":")[0], data) for name, data in named(shown, *plain, "checkpoints", "debug")]
    return Counter(name + (data if name.partition("|")[0] in plain else "") for name, data in pairs)


async def committed(driver: RunDriver) -> Counter[str]:
    """How many checkpoints each graph of the run has stored."""
    stored = driver.open_saver().alist({"configurable": {"thread_id": driver.thread_id}})
    return Counter([one.config["configurable"]["checkpoint_ns"].partition(":")[0] async for one in stored])


@pytest.mark.parametrize("stops", [1, 2])
@pytest.mark.parametrize("case", CASES)
def test_the_stream_of_a_run_that_is_stopped_after_a_crash_has_what_is_committed(case: str, stops: int) -> None:
    make, kwargs = CASES[case]
    opener = D1Opener if case == "sync" else lambda: D1Opener(write_behind=True)
    calm = RunDriver(make(), opener())
    run_alone(lambda: calm.slice(calm.job(**kwargs)))
    whole = told(frames(calm))
    for after in range(1, 1000, 2 if stops == 1 else 7):
        driver = RunDriver(make(), opener())
        if driver.crash(driver.job(**kwargs), after=after) is None:
            assert after > 5, "the run must have been interrupted at some points"
            return
        job = driver.job(attempt=2, **kwargs)
        if stops == 2:
            crash_in(driver, stop(driver, job), after=after % 60)
        run_alone(lambda: stop(driver, driver.job(attempt=3, **kwargs)))  # noqa: B023
        shown = frames(driver)
        assert told(shown) <= whole, f"after turn {after}"
        stored = run_alone(lambda: committed(driver))  # noqa: B023
        if "checkpoints" in kwargs["stream_mode"] and case != "protocol":
            checkpoints = Counter(frame.name.partition(":")[0] for frame in shown if frame.name.startswith("checkpo"))
            assert checkpoints == {f"checkpoints|{ns}" if ns else "checkpoints": n for ns, n in stored.items()}
        values = [sse.data_of(frame) for frame in shown if frame.name == "values"]
        assert not values or values[-1] == driver.streams.stored_result(job.run_id)
        if case != "tasks of a function":
            assert len(values) == max(0, stored[""] - 1), f"after turn {after}"
    raise AssertionError("the run never ended")
