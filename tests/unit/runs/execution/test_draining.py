"""A slice that ends inside subgraphs: no node notices, and the run ends as if it had been one piece."""

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from langchain_core.runnables import RunnableLambda
from langgraph.errors import EmptyInputError
from langgraph.func import entrypoint, task
from langgraph.graph import StateGraph
from langgraph.runtime import RunControl
from langgraph.types import interrupt

from runs.execution import slice_at_work
from runs.execution.slice_at_work import SliceAtWork
from runs.outcome import Outcome
from tests.support.compared_runs import Spent, comparable, exact, without_ids
from tests.support.run_driver import D1Opener, RunDriver, run_alone
from tests.support.sample_graphs import Trail

Node = Callable[[Any], Awaitable[Any]]

MODES = ["values", "updates", "tasks", "checkpoints"]


class AskedOften(RunControl):
    """A budget that is spent when it has been asked for so many times."""

    __slots__ = ("_left",)

    def __init__(self, times: int) -> None:
        super().__init__()
        self._left = times

    @property
    def drain_requested(self) -> bool:
        self._left -= 1
        return self._left < 0


def node(word: str, turns: int = 2) -> Node:
    async def act(_: Any) -> Any:
        for _ in range(turns):
            await asyncio.sleep(0)
        return {"trail": [word]}

    return act


def sequence(*nodes: tuple[str, Any]) -> Any:
    builder = StateGraph(Trail)
    builder.add_sequence(nodes)
    builder.set_entry_point(nodes[0][0])
    return builder.compile()


def child(name: str, turns: int = 2, steps: int = 3) -> Any:
    return sequence(*((f"{name}{n}", node(f"{name}{n}", turns)) for n in range(steps)))


def calling(make: Callable[[], Any]) -> Any:
    return sequence(("before", node("before")), ("call", make()), ("after", node("after")))


def catching() -> Node:
    called = child("a")

    async def call(_: Any) -> Any:
        try:
            return await called.ainvoke({"trail": []})
        except Exception as error:  # noqa: BLE001 - as users write it
            return {"trail": [type(error).__name__]}

    return call


def gathering(**how: Any) -> Node:
    quick, slow = child("a"), child("b", 30)

    async def call(_: Any) -> Any:
        ended = await asyncio.gather(quick.ainvoke({"trail": []}), slow.ainvoke({"trail": []}), **how)
        return {"trail": [str(each) for each in ended]}

    return call


def in_task_group() -> Node:
    quick, slow = child("a"), child("b", 30)

    async def call(_: Any) -> Any:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(each.ainvoke({"trail": []})) for each in (quick, slow)]
        return {"trail": [str(each.result()) for each in tasks]}

    return call


def calling_at_last() -> Node:
    called, last = child("a"), child("z")

    async def call(_: Any) -> Any:
        ended = "badly"
        try:
            await called.ainvoke({"trail": []})
            ended = "well"
        finally:
            said = await last.ainvoke({"trail": [ended]})
        return said

    return call


def not_to_be_cancelled() -> Any:
    called = child("a")

    async def call(_: Any) -> Any:
        try:
            return await called.ainvoke({"trail": []})
        except asyncio.CancelledError:
            return {"trail": ["cancelled"]}

    return calling(lambda: call)


def forgetting() -> Node:
    forgotten: list[Any] = []

    async def call(_: Any) -> Any:
        forgotten.append(asyncio.ensure_future(child("a", 30).ainvoke({"trail": []})))
        return {"trail": ["called"]}

    return call


def falling_back() -> Any:
    return child("a").with_fallbacks([RunnableLambda(lambda _: {"trail": ["fell back"]})])


def reading(mode: Any) -> Node:
    """Reads what a graph streams, then calls another one."""
    read, last = child("a"), child("z")

    async def call(_: Any) -> Any:
        streamed = [item async for item in read.astream({"trail": []}, stream_mode=mode)]
        await last.ainvoke({"trail": []})
        return {"trail": [str(streamed)]}

    return call


def beside(make: Callable[[], Node], **options: Any) -> Any:
    """A node and a subgraph side by side."""
    builder = StateGraph(Trail)
    builder.add_node("one", make(), **options)
    builder.add_node("child", child("a"))
    builder.add_node("after", node("after"))
    builder.set_entry_point("one")
    builder.set_entry_point("child")
    builder.add_edge(["one", "child"], "after")
    return builder.compile()


def asking() -> Node:
    async def ask(_: Any) -> Any:
        return {"trail": [interrupt("?")]}

    return ask


def failing(turns: int) -> Node:
    """Fails the first time only."""
    times = 0

    async def fail(_: Any) -> Any:
        nonlocal times
        times += 1
        await node("", turns)(None)
        if times == 1:
            raise ConnectionError("nobody heard that")
        return {"trail": ["heard"]}

    return fail


def out_of_step(done: list[float]) -> Any:
    """Two graphs side by side, of which one ends its super-steps in the middle of the other's."""

    def lasting(seconds: float) -> Node:
        async def act(_: Any) -> None:
            await asyncio.sleep(seconds)
            done.append(seconds)

        return act

    builder = StateGraph(Trail)
    for name, first in (("one", 0.2), ("two", 0.1)):
        builder.add_node(name, sequence(("first", lasting(first)), *((f"s{n}", lasting(0.2)) for n in range(20))))
        builder.set_entry_point(name)
    return builder.compile()


def taking_turns(steps: int = 3) -> Any:
    """Two nodes that call a graph, one at a time."""
    called, lock = child("a", steps=steps), asyncio.Semaphore(1)

    async def call(_: Any) -> Any:
        async with lock:
            return await called.ainvoke({"trail": []})

    builder = StateGraph(Trail)
    for name in ("one", "two"):
        builder.add_node(name, call)
        builder.set_entry_point(name)
    return builder.compile()


def functions() -> Any:
    called = child("a")

    @task
    async def call(name: str) -> Any:
        return await called.ainvoke({"trail": [name]})

    @entrypoint()
    async def program(names: Any) -> Any:
        return {"trail": [str(each) for each in await asyncio.gather(*map(call, names["trail"]))]}

    return program


def in_stages(executed: Counter[str], delays: Iterator[int] | None = None) -> Node:
    """Puts two words at once through one graph after the other; the first word takes longer."""

    def stage(name: str) -> Any:
        async def act(state: Any) -> Any:
            word = state["trail"][0]
            executed[f"{name} {word}"] += 1
            await node("", 40 if word == "a" else 2)(None)
            return {"trail": [f"{name}({word})"]}

        return sequence((f"{name}0", act), (f"{name}1", node("", 2)), (f"{name}2", node("", 2)))

    stages = [stage(name) for name in "PQR"]

    async def put(word: str) -> str:
        for _ in range(next(delays) if delays else 0):
            await asyncio.sleep(0)
        results = [await stage.ainvoke({"trail": [word]}) for stage in stages]
        return " ".join(result["trail"][1] for result in results)

    async def call(_: Any) -> Any:
        return {"trail": await asyncio.gather(put("a"), put("b"))}

    return call


GRAPHS: dict[str, Callable[[], Any]] = {
    "try": partial(calling, catching),
    "gather": partial(calling, gathering),
    "gather, errors returned": partial(calling, partial(gathering, return_exceptions=True)),
    "TaskGroup": partial(calling, in_task_group),
    "fallbacks": partial(calling, falling_back),
    "finally": partial(calling, calling_at_last),
    "what a graph streams": partial(calling, partial(reading, "updates")),
    "what a graph streams of several modes": partial(calling, partial(reading, ["updates", "custom"])),
    "cancellation caught": partial(calling, not_to_be_cancelled),
    "one that asks": partial(beside, asking),
    "one that fails": partial(beside, partial(failing, 1)),
    "one that fails late": partial(beside, partial(failing, 40)),
    "one whose error is handled": partial(beside, partial(failing, 1), error_handler=node("handled", 40)),
    "one that takes long": partial(beside, partial(node, "one", 100)),
    "functions": functions,
}


def run(graph: Callable[[], Any], durability: str) -> tuple[RunDriver, dict[str, Any]]:
    driver = RunDriver(graph(), D1Opener(write_behind=durability == "async"))
    return driver, {"input": {"trail": ["a", "b"]}, "stream_mode": MODES, "durability": durability}


async def in_slices(driver: RunDriver, control: Callable[[], RunControl], attempt: int = 1, **kwargs: Any) -> Outcome:
    for _ in range(40):
        outcome = await driver.slice(driver.job(attempt=attempt, **kwargs), control())
        if outcome.status != "drained":
            return outcome
        await driver.saver.flush()  # type: ignore[attr-defined]
        driver.incarnate()
    raise AssertionError("the run never ended")


async def left_by(driver: RunDriver, outcome: Outcome) -> Any:
    """What clients and the thread have of a run."""
    history = [
        (
            without_ids(saved.config["configurable"]["checkpoint_ns"]),
            saved.metadata["step"],
            without_ids(json.dumps(saved.checkpoint["channel_values"], default=repr)),
            sorted(without_ids(repr(write[1:])) for write in saved.pending_writes or ()),
        )
        async for saved in driver.saver.alist({"configurable": {"thread_id": driver.thread_id}})
        # How far a subgraph came beside a node that failed is chance.
        if outcome.status != "error" or not saved.config["configurable"]["checkpoint_ns"]
    ]
    # What is side by side has no order.
    events = sorted(exact(await driver.read(driver.job().run_id)), key=repr)
    return comparable(outcome), events, sorted(history)


async def undisturbed(graph: Callable[[], Any], durability: str) -> Any:
    driver, kwargs = run(graph, durability)
    return await left_by(driver, await driver.slice(driver.job(**kwargs)))


@pytest.mark.parametrize("durability", ["async", "sync"])
@pytest.mark.parametrize("case", GRAPHS)
async def test_no_node_notices_that_a_slice_ends_in_a_subgraph(case: str, durability: str) -> None:
    expected = await undisturbed(GRAPHS[case], durability)
    for times in (0, 3):
        driver, kwargs = run(GRAPHS[case], durability)
        outcome = await in_slices(driver, partial(AskedOften, times), **kwargs)
        assert await left_by(driver, outcome) == expected, f"asked {times} times"


@pytest.mark.parametrize("times", range(12))
async def test_a_graph_goes_on_from_what_it_had_stored_whatever_the_order_in_which_it_is_called(times: int) -> None:
    executed = Counter[str]()
    driver, kwargs = run(partial(calling, partial(in_stages, executed)), "async")
    outcome = await in_slices(driver, partial(AskedOften, times), **kwargs)
    assert json.loads(outcome.values or "")["trail"][3:5] == ["P(a) Q(a) R(a)", "P(b) Q(b) R(b)"]
    assert set(executed.values()) == {1}


def test_so_does_one_whose_slice_was_cut_off_by_a_crash() -> None:
    for after in range(20, 300, 7):
        # Whoever is called first is called last afterwards.
        driver, kwargs = run(partial(calling, partial(in_stages, Counter(), iter([0, 9, 9, 0]))), "async")
        if driver.crash(driver.job(**kwargs), after=after) is None:
            break
        driver.incarnate()
        outcome = run_alone(lambda: in_slices(driver, RunControl, 2, **kwargs))  # noqa: B023
        assert json.loads(outcome.values or "")["trail"][3:5] == ["P(a) Q(a) R(a)", "P(b) Q(b) R(b)"], f"turn {after}"


@pytest.mark.parametrize("before", [{"trail": ["first"]}, None], ids=["", "after one that could not begin"])
async def test_a_graph_that_is_called_with_something_new_each_time_goes_on(before: Any) -> None:
    called, said = child("a"), list[str]()

    async def call(_: Any) -> Any:
        with contextlib.suppress(EmptyInputError):
            await called.ainvoke(before)
        said.append(str(uuid4()))
        return await called.ainvoke({"trail": [said[-1]]})

    driver, kwargs = run(partial(calling, lambda: call), "async")
    outcome = await in_slices(driver, Spent, **kwargs)
    assert len(said) > 1
    assert json.loads(outcome.values or "")["trail"][3:] == [said[0], "a0", "a1", "a2", "after"]


@pytest.mark.parametrize("times", range(10))
async def test_a_graph_that_a_node_forgot_does_not_cancel_a_slice_that_has_ended(times: int) -> None:
    driver, kwargs = run(partial(calling, forgetting), "async")
    outcome = await driver.slice(driver.job(**kwargs), AskedOften(times))
    for _ in range(200):
        await asyncio.sleep(0)
    assert outcome.status in ("success", "drained")


async def test_a_graph_that_cannot_begin_holds_up_nobody() -> None:
    called = child("a")

    async def call(_: Any) -> Any:
        with contextlib.suppress(EmptyInputError):
            await called.ainvoke(None)
        return await called.ainvoke({"trail": []})

    driver, kwargs = run(lambda: calling(lambda: call), "async")
    async with asyncio.timeout(slice_at_work.PATIENCE_SECONDS):
        assert (await in_slices(driver, Spent, **kwargs)).status == "success"


@pytest.mark.parametrize("case", ["gather, errors returned", "one that asks", "one whose error is handled"])
def test_nor_does_anyone_if_a_slice_is_cut_off_by_a_crash_as_well(case: str) -> None:
    expected = run_alone(lambda: undisturbed(GRAPHS[case], "async"))
    for after in range(10, 200, 19):
        driver, kwargs = run(GRAPHS[case], "async")
        run_alone(lambda: driver.slice(driver.job(**kwargs), AskedOften(3)))  # noqa: B023
        driver.incarnate()
        driver.crash(driver.job(**kwargs), after=after, control=Spent())
        driver.incarnate()
        outcome = run_alone(lambda: in_slices(driver, Spent, 2, **kwargs))  # noqa: B023
        assert run_alone(lambda: left_by(driver, outcome)) == expected, f"after turn {after}"  # noqa: B023


async def test_a_node_that_waits_for_one_whose_graph_is_to_wait_gets_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slice_at_work, "PATIENCE_SECONDS", 0.01)
    expected = await undisturbed(taking_turns, "async")
    driver, kwargs = run(taking_turns, "async")
    assert (await left_by(driver, await in_slices(driver, Spent, **kwargs)))[0] == expected[0]


async def test_a_graph_for_which_another_node_waits_seldom_waits_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    waits, let_go_on = Counter[SliceAtWork](), SliceAtWork._let_go_on

    def noting(current: SliceAtWork) -> None:
        waits[current] += 1
        let_go_on(current)

    monkeypatch.setattr(slice_at_work, "PATIENCE_SECONDS", 0.001)
    monkeypatch.setattr(SliceAtWork, "_let_go_on", noting)
    driver, kwargs = run(partial(taking_turns, 30), "async")
    await in_slices(driver, Spent, **kwargs)
    assert 0 < max(waits.values()) < 15  # before 30 super-steps; so many waits would take half a minute


async def test_graphs_that_are_out_of_step_end_a_slice_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slice_at_work, "PATIENCE_SECONDS", 0.0002)
    done: list[float] = []
    driver, kwargs = run(partial(out_of_step, done), "async")
    assert (await driver.slice(driver.job(**kwargs), AskedOften(6))).status == "drained"
    assert len(done) < 25  # of 42


@pytest.mark.parametrize("case", ["gather", "one that takes long"])
async def test_a_run_may_be_stopped_just_when_its_slice_ends(case: str) -> None:
    expected = await undisturbed(GRAPHS[case], "async")
    for turn in range(20, 200, 13):
        driver, kwargs = run(GRAPHS[case], "async")
        for _ in range(3):
            await driver.slice(driver.job(**kwargs), Spent())
        slice_ = asyncio.ensure_future(driver.slice(driver.job(**kwargs), Spent()))
        for _ in range(turn):
            await asyncio.sleep(0)
        slice_.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await slice_
        await driver.saver.flush()  # type: ignore[attr-defined]
        driver.incarnate()
        outcome = await in_slices(driver, Spent, 2, **kwargs)
        assert comparable(outcome) == expected[0], f"turn {turn}"
