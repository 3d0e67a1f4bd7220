"""The signal by which the platform warns that it is about to stop an invocation."""

import signal
from collections.abc import Callable, Iterator
from types import FrameType

import pytest
from langgraph.graph import START, StateGraph

from runs.execution import cpu_watch
from runs.execution.cpu_watch import CpuWatch
from settings import Settings
from tests.support.http_api import Api, State
from tests.support.thread_object_in_memory import ThreadObjectInMemory

STEPS = 3


class CpuLimitExceededError(BaseException):
    """What the platform's own handler raises."""


def raise_exceeded(_signal: int, _frame: FrameType | None) -> None:
    raise CpuLimitExceededError


@pytest.fixture(autouse=True)
def platform() -> Iterator[None]:
    """The signal as the platform leaves it to a Worker, then taken over, twice."""
    before = signal.signal(signal.SIGXCPU, raise_exceeded)
    cpu_watch.install()
    cpu_watch.install()
    yield
    signal.signal(signal.SIGXCPU, before)


def warn() -> None:
    signal.raise_signal(signal.SIGXCPU)


def test_whoever_watches_is_told_and_not_interrupted() -> None:
    with CpuWatch() as over:
        pass
    with CpuWatch() as outer, CpuWatch() as inner:
        assert not inner.is_scarce
        warn()
    assert (outer.is_scarce, inner.is_scarce, over.is_scarce) == (True, True, False)


def test_where_nobody_watches_the_platform_has_its_way() -> None:
    with CpuWatch():
        pass
    with pytest.raises(CpuLimitExceededError):
        warn()


async def computing(*, scarce_in: set[int], **settings: int) -> ThreadObjectInMemory:
    """A thread with a graph of three super-steps; the CPU becomes scarce while some of them are executed."""
    api = Api()

    def node(number: int) -> Callable[[State], State]:
        def compute(_state: State) -> State:
            if number in scarce_in:
                warn()
            return {"log": [str(number)]}

        return compute

    graph = StateGraph(State)
    graph.add_sequence([(f"n{number}", node(number)) for number in range(STEPS)])
    api.registry.graphs["computing"] = graph.add_edge(START, "n0").compile()
    return ThreadObjectInMemory(api, await api.new_thread(), Settings(**settings))


async def log(thread: ThreadObjectInMemory) -> list[str]:
    """Of the steps that are stored."""
    return (await thread.api.json("GET", f"/threads/{thread.thread_id}/state"))["values"]["log"]


async def test_a_run_goes_on_in_another_invocation_at_the_next_super_step() -> None:
    thread = await computing(scarce_in={0, 1})
    run_id = await thread.create("computing", input={"topic": "t"})
    await thread.runner.work()
    assert [run_id for _, run_id, _ in thread.workflows.started] == [run_id]
    assert await log(thread) == ["0"]
    assert await thread.runner.run_slice(run_id, 1)
    assert await log(thread) == ["0", "1"]
    assert not await thread.runner.run_slice(run_id, 1)
    assert await log(thread) == ["0", "1", "2"]
    assert await thread.status(run_id) == "success"


async def test_an_alarm_whose_cpu_is_scarce_begins_no_other_run() -> None:
    thread = await computing(scarce_in={STEPS - 1})
    for _ in range(2):
        await thread.create("computing", input={"topic": "t"})
    await thread.runner.work()
    assert await log(thread) == ["0", "1", "2"]
    assert thread.alarm.at_ms is not None
    await thread.runner.work()
    assert await log(thread) == ["0", "1", "2"] * 2
    attempts = thread.api.db.connection.execute("SELECT attempt FROM runs").fetchall()
    assert [tuple(row) for row in attempts] == [(1,), (1,)]
