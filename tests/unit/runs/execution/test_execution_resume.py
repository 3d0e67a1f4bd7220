"""A crash at any await, or a drain at any super-step: for every client, the run ends as if nothing had happened."""

import itertools
import json
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any, Final, TypeAlias

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import StateGraph
from langgraph.runtime import RunControl
from langgraph.types import Command

from checkpoints import group_commit
from runs.execution.graph_events import GraphEvents
from runs.execution.protocol_items import PROTOCOL_MODES
from runs.outcome import Outcome
from streaming import thread_log
from streaming.events import START, Frame
from tests.support import sample_graphs
from tests.support.compared_runs import Spent, comparable, exact, without_ids
from tests.support.run_driver import D1Opener, FarDatabase, RunDriver, SlowSaver, always, named, run_alone

ALL = ["values", "updates", "tasks", "checkpoints", "custom"]

#: More than can be on their way in the turns of the event loop in which an item usually comes.
WORDS = 150

PROTOCOL = {"stream_mode": list(PROTOCOL_MODES), "subgraphs": True}

CASES: dict[str, tuple[Callable[[], Any], dict[str, Any]]] = {
    "values": (sample_graphs.sequence, {"input": {"topic": "s"}, "stream_mode": ["values"]}),
    "all modes": (sample_graphs.sequence, {"input": {"topic": "s"}, "stream_mode": ALL}),
    "sync": (sample_graphs.sequence, {"input": {"topic": "s"}, "stream_mode": ALL, "durability": "sync"}),
    "updates": (sample_graphs.sequence, {"input": {"topic": "s"}, "stream_mode": ["updates"]}),
    "parallel": (sample_graphs.fan_out, {"input": {"trail": ["a", "b"]}, "stream_mode": ["values", "custom"]}),
    "subgraph": (sample_graphs.parent, {"input": {"trail": ["in"]}, "stream_mode": ["values", "updates"]}),
    "subgraph streamed": (
        sample_graphs.parent,
        {"input": {"trail": ["in"]}, "stream_mode": ["values", "updates"], "subgraphs": True},
    ),
    "subgraph with a memory": (
        sample_graphs.returning,
        {"input": {"trail": ["in"]}, "stream_mode": ["values", "updates"]},
    ),
    "called by a graph without checkpoints": (
        sample_graphs.forgetful,
        {"input": {"trail": ["in"]}, "stream_mode": ["values", "updates"]},
    ),
    "memory called by a graph without checkpoints": (
        partial(sample_graphs.forgetful, checkpointer=True),
        {"input": {"trail": ["in"]}, "stream_mode": ["values", "updates"]},
    ),
    "memory called by one task after another": (
        sample_graphs.visitors,
        {"input": ["Ada", "Bob"], "stream_mode": ["values", "updates"]},
    ),
    "memory called by tasks that are queued": (
        sample_graphs.queue_of_visitors,
        {
            "input": {"trail": ["Ada", "Bob", "Cy"]},
            "config": {"max_concurrency": 1},
            "stream_mode": ["values", "updates", "checkpoints"],
            "subgraphs": True,
        },
    ),
    "memory called in a loop without checkpoints": (
        sample_graphs.rounds_of_visits,
        {"input": {"trail": ["in"]}, "stream_mode": ["values", "updates"]},
    ),
    "called by an error handler": (
        sample_graphs.handled_by_a_graph,
        {"input": {"topic": "t"}, "stream_mode": ALL, "subgraphs": True},
    ),
    "interrupt": (sample_graphs.hitl, {"input": {"draft": "d"}, "stream_mode": ["values", "updates"]}),
    "breakpoint before": (
        sample_graphs.sequence,
        {"input": {"topic": "s"}, "stream_mode": ALL, "interrupt_before": ["writer"]},
    ),
    "breakpoint after": (
        sample_graphs.sequence,
        {"input": {"topic": "s"}, "stream_mode": ["values", "updates"], "interrupt_after": ["researcher"]},
    ),
    "breakpoint, narrower output": (
        sample_graphs.narrow_output,
        {"input": {"topic": "s"}, "stream_mode": ["values", "updates"], "interrupt_after": ["first"]},
    ),
    "breakpoint before, inside": (
        lambda: sample_graphs.parent(interrupt_before=["sub2"]),
        {"input": {"trail": ["in"]}, "stream_mode": ALL, "subgraphs": True},
    ),
    "breakpoint after, inside": (
        lambda: sample_graphs.parent(interrupt_after=["sub1"]),
        {"input": {"trail": ["in"]}, "stream_mode": ALL, "subgraphs": True},
    ),
    "tasks of a function": (sample_graphs.workflow, {"input": [1, 2], "stream_mode": ["values", "updates"]}),
    "parallel updates": (sample_graphs.fan_out, {"input": {"trail": ["a", "b"]}, "stream_mode": ["updates"]}),
    "protocol": (sample_graphs.parent, {"input": {"trail": ["in"]}, **PROTOCOL}),
    "protocol, interrupt": (sample_graphs.hitl, {"input": {"draft": "d"}, **PROTOCOL}),
    "protocol, breakpoint": (
        sample_graphs.sequence,
        {"input": {"topic": "s"}, "interrupt_after": ["researcher"], **PROTOCOL},
    ),
    "failure": (sample_graphs.fan_out, {"input": {"trail": ["a", "fail"]}, "stream_mode": ["values"]}),
}


def written_behind() -> D1Opener:
    """A saver that runs ahead of its commits, as production does."""
    return D1Opener(write_behind=True)


def always_slow() -> Callable[[], Any]:
    """A saver in memory that takes its time."""
    return always(SlowSaver())


@pytest.mark.parametrize("open_saver", [always_slow, D1Opener, written_behind], ids=["memory", "D1", "D1-behind"])
@pytest.mark.parametrize("case", CASES)
def test_a_crash_at_any_await_changes_nothing_that_anyone_sees(case: str, open_saver: Callable[[], Any]) -> None:
    make, kwargs = CASES[case]
    if open_saver is written_behind and case == "sync":
        open_saver = D1Opener
    calm = RunDriver(make(), open_saver())
    expected = run_alone(lambda: calm.slice(calm.job(**kwargs)))
    expected_frames = exact(run_alone(lambda: calm.read(calm.job().run_id)))

    for after in range(1, 1000):
        driver = RunDriver(make(), open_saver(), slow_storage=open_saver is written_behind)
        seen = driver.crash(driver.job(**kwargs), after=after)
        if seen is None:
            assert after > 5, "the run must have been interrupted at some points"
            return
        outcome = run_alone(lambda: driver.slice(driver.job(attempt=2, **kwargs)))  # noqa: B023
        assert comparable(outcome) == comparable(expected), f"after turn {after}"
        last = seen[-1].id if seen else START
        rest = run_alone(lambda: driver.read(driver.job().run_id, last))  # noqa: B023
        assert exact(seen + rest) == expected_frames, f"one who was there, after turn {after}"
        replay = run_alone(lambda: driver.read(driver.job().run_id))  # noqa: B023
        assert exact(replay) == expected_frames, f"one who came later, after turn {after}"
        ids = [frame.id for frame in seen + rest]
        assert ids == sorted(set(ids))
    raise AssertionError("the run never ended")


GOING_ON: dict[str, tuple[Callable[[], Any], dict[str, Any], dict[str, Any]]] = {
    "answer": (sample_graphs.hitl, {"input": {"draft": "d"}}, {"command": {"resume": "yes"}}),
    "answer and update": (
        sample_graphs.hitl,
        {"input": {"draft": "d"}},
        {"command": {"resume": "yes", "update": {"log": ["told"]}}},
    ),
    "update": (sample_graphs.hitl, {"input": {"draft": "d"}}, {"command": {"update": {"log": ["told"]}}}),
    "answer to a subgraph": (
        sample_graphs.asking_subgraph,
        {"input": {"trail": ["in"]}},
        {"command": {"resume": "yes"}, "subgraphs": True},
    ),
    "first answer to a subgraph": (
        partial(sample_graphs.asking_subgraph, twice=True),
        {"input": {"trail": ["in"]}},
        {"command": {"resume": "yes"}, "subgraphs": True},
    ),
    "answer to a function": (sample_graphs.asking_workflow, {"input": 1}, {"command": {"resume": "yes"}}),
    "answer beside others": (
        sample_graphs.questions,
        {"input": {"trail": ["in"]}},
        {"command": {"resume": "yes"}, "subgraphs": True},
    ),
    "after a breakpoint": (sample_graphs.sequence, {"input": {"topic": "s"}, "interrupt_before": ["researcher"]}, {}),
    "to breakpoints inside": (
        lambda: sample_graphs.parent(interrupt_after=["sub1", "sub2"]),
        {"input": {"trail": ["in"]}},
        {"subgraphs": True},
    ),
    "to a breakpoint by a command": (
        sample_graphs.sequence,
        {"input": {"topic": "s"}},
        {"command": {"goto": "researcher"}, "interrupt_after": ["researcher"]},
    ),
    "to a graph without checkpoints": (
        sample_graphs.forgetful,
        {"input": {"trail": ["in"]}, "interrupt_before": ["calls"]},
        {},
    ),
    "replay": (sample_graphs.returning, {"input": {"trail": ["in"]}}, {"replayed_step": 1, "subgraphs": True}),
    "replay with an update": (
        sample_graphs.returning,
        {"input": {"trail": ["in"]}},
        {"replayed_step": 4, "command": {"update": {"trail": ["told"]}}},
    ),
}


async def checkpoint_of_step(driver: RunDriver, step: int) -> Any:
    """The config of a checkpoint of the run's own graph."""
    thread: Any = {"configurable": {"thread_id": driver.thread_id, "checkpoint_ns": ""}}
    return await anext(saved.config async for saved in driver.saver.alist(thread) if saved.metadata["step"] == step)


@pytest.mark.parametrize("durability", ["async", "sync"])
@pytest.mark.parametrize("case", GOING_ON)
def test_a_crash_of_a_run_that_goes_on_from_another_one_changes_nothing_that_anyone_sees(
    case: str, durability: str
) -> None:
    make, before, asked = GOING_ON[case]
    kwargs = {"stream_mode": ALL, "durability": durability, **asked}
    replayed_step = kwargs.pop("replayed_step", None)
    is_behind = durability == "async"

    def begun() -> Begun:
        driver = RunDriver(make(), D1Opener(write_behind=is_behind), slow_storage=is_behind)
        run_alone(lambda: driver.slice(driver.job(**before)))
        if replayed_step is not None:
            config = run_alone(lambda: checkpoint_of_step(driver, replayed_step))
            kwargs["config"] = {"configurable": {"checkpoint_id": config["configurable"]["checkpoint_id"]}}
        return driver, kwargs, Counter()

    crashes_change_nothing(begun, exact)


NAMING: dict[str, tuple[dict[str, Any] | None, dict[str, Any]]] = {
    "that was answered before": ({"command": {"resume": "yes"}}, {"command": {"resume": "no"}}),
    "after which there was another input": ({"input": {"trail": ["more"]}}, {"command": {"resume": "no"}}),
    "that is the latest": ({}, {"command": {"resume": "no"}}),
    "that was changed by hand": (None, {}),
}


@pytest.mark.parametrize("durability", ["async", "sync"])
@pytest.mark.parametrize("case", NAMING)
def test_a_crash_of_a_run_that_names_a_checkpoint_changes_nothing_that_anyone_sees(case: str, durability: str) -> None:
    """LangGraph executes the tasks after it again that have finished, except after the latest; see `handing_back`."""
    between, asked = NAMING[case]
    is_behind = durability == "async"

    async def begin(driver: RunDriver) -> dict[str, Any]:
        await driver.slice(driver.job(input={"trail": ["in"]}))
        place: Any = {"configurable": {"thread_id": driver.thread_id}}
        if between is None:
            graph = driver.graph.copy({"checkpointer": driver.saver})
            await graph.aupdate_state(place, {"trail": ["changed"]}, as_node="__start__")
        named_one = (await driver.saver.aget_tuple(place)).config["configurable"]["checkpoint_id"]
        if between:
            await driver.slice(driver.job(2, **between))
        return {"config": {"configurable": {"checkpoint_id": named_one}}}

    def begun() -> Begun:
        executed = Counter[str]()
        opener = D1Opener(write_behind=is_behind)
        driver = RunDriver(sample_graphs.questions(executed), opener, slow_storage=is_behind)
        named_one = run_alone(lambda: begin(driver))
        kwargs = {"stream_mode": ALL, "durability": durability, "subgraphs": True, **asked, **named_one}
        return driver, kwargs, executed

    # What tasks and subgraphs do side by side has no order.
    crashes_change_nothing(begun, lambda frames: Counter(exact(frames)))


@pytest.mark.parametrize("asked", [{"command": {"resume": "no"}}, {}, {"command": {"update": {"trail": ["changed"]}}}])
@pytest.mark.parametrize("keeps_state", [None, True])
@pytest.mark.parametrize("durability", ["async", "sync"])
def test_a_crash_of_a_run_that_names_a_checkpoint_of_a_subgraph_changes_nothing_that_anyone_sees(
    durability: str, keeps_state: bool | None, asked: dict[str, Any]
) -> None:
    is_behind = durability == "async"

    async def begin(driver: RunDriver) -> dict[str, Any]:
        await driver.slice(driver.job(input={"trail": ["in"]}))
        graph = driver.graph.copy({"checkpointer": driver.saver})
        state = await graph.aget_state({"configurable": {"thread_id": driver.thread_id}}, subgraphs=True)
        named_one = state.tasks[0].state.config["configurable"]
        await driver.slice(driver.job(2, command={"resume": "yes"}))
        return {"config": {"configurable": {key: named_one[key] for key in ("checkpoint_ns", "checkpoint_map")}}}

    def begun() -> Begun:
        graph = sample_graphs.asking_subgraph(twice=True, checkpointer=keeps_state)
        driver = RunDriver(graph, D1Opener(write_behind=is_behind), slow_storage=is_behind)
        named_one = run_alone(lambda: begin(driver))
        return (
            driver,
            {"stream_mode": ALL, "durability": durability, "subgraphs": True, **asked, **named_one},
            Counter(),
        )

    crashes_change_nothing(begun, exact)


#: What a run goes on from, what it is asked, and how often its graph's nodes were executed.
Begun: TypeAlias = tuple[RunDriver, dict[str, Any], Counter[str]]


def crashes_change_nothing(begun: Callable[[], Begun], told: Callable[[list[Frame]], Any]) -> None:
    """The run goes on after a crash as if nothing had happened, and executes nothing again whose result it showed.

    `told`: what must be the same, with and without a crash.
    """
    calm, kwargs, _ = begun()
    expected = run_alone(lambda: calm.slice(calm.job(3, **kwargs)))
    expected_frames = run_alone(lambda: calm.read(calm.job(3).run_id))
    for after in range(1, 1000, 5):
        driver, kwargs, executed = begun()
        seen = driver.crash(driver.job(3, **kwargs), after=after)
        if seen is None:
            assert after > 5, "the run must have been interrupted at some points"
            return
        before = executed.copy()
        outcome = run_alone(lambda: driver.slice(driver.job(3, attempt=2, **kwargs)))  # noqa: B023
        assert comparable(outcome) == comparable(expected), f"after turn {after}"
        assert not {name for name, _ in results(seen)} & (executed - before).keys(), f"after turn {after}"
        replay = run_alone(lambda: driver.read(driver.job(3).run_id))  # noqa: B023
        rest = run_alone(lambda: driver.read(driver.job(3).run_id, seen[-1].id if seen else START))  # noqa: B023
        for who, frames in (("one who came later", replay), ("one who was there", seen + rest)):
            assert told(frames) == told(expected_frames), f"{who}, after turn {after}"
            assert results(frames) == results(expected_frames), f"{who}, after turn {after}"
    raise AssertionError("the run never ended")


def results(frames: list[Frame]) -> Counter[tuple[str, str]]:
    """How often the end of which task was told, with what came of it."""
    told = [json.loads(data) for _, data in named(frames, "tasks")]
    return Counter((task["name"], without_ids(str(task["result"]))) for task in told if "result" in task)


def test_a_run_does_not_stop_at_a_breakpoint_to_which_it_does_not_come_again() -> None:
    """Its checkpoint was lost, and the node before it decides otherwise the second time."""
    decided: list[int] = []

    async def decide(_: sample_graphs.Trail) -> dict[str, Any]:
        decided.append(1)
        return {"trail": ["ask" if len(decided) == 1 else "go on"]}

    builder = StateGraph(sample_graphs.Trail)
    builder.add_node("decide", decide)
    for name in ("ask", "go on"):
        builder.add_node(name, lambda _: {"trail": ["done"]})
    builder.add_edge("__start__", "decide")
    builder.add_conditional_edges("decide", lambda state: state["trail"][-1])
    graph = builder.compile(interrupt_before=["ask"])
    for after in range(1, 1000):
        decided.clear()
        driver = RunDriver(graph, written_behind(), slow_storage=True)
        if driver.crash(driver.job(input={"trail": []}), after=after) is None:
            return
        outcome = run_alone(lambda: driver.slice(driver.job(attempt=2, input={"trail": []})))  # noqa: B023
        expected = ["ask"] if len(decided) == 1 else ["go on", "done"]
        assert json.loads(outcome.values or "")["trail"] == expected, f"after turn {after}"


@pytest.mark.parametrize("durability", ["async", "sync"])
def test_a_crash_repeats_no_checkpoint_of_the_mode_debug(durability: str) -> None:
    kwargs = {"input": {"topic": "s"}, "stream_mode": ["debug"], "durability": durability}

    def steps(driver: RunDriver) -> list[int]:
        told = [json.loads(data) for _, data in named(run_alone(lambda: driver.read(driver.job().run_id)), "debug")]
        return [each["step"] for each in told if each["type"] == "checkpoint"]

    for after in range(1, 1000, 3):
        driver = RunDriver(sample_graphs.sequence(), D1Opener(write_behind=durability == "async"))
        is_over = driver.crash(driver.job(**kwargs), after=after) is None
        if not is_over:
            run_alone(lambda: driver.slice(driver.job(attempt=2, **kwargs)))  # noqa: B023
        assert steps(driver) == [-1, 0, 1, 2, 3, 4], f"after turn {after}"
        if is_over:
            assert after > 5, "the run must have been interrupted at some points"
            return
    raise AssertionError("the run never ended")


@pytest.mark.parametrize(
    "make",
    [partial(sample_graphs.parent, checkpointer=False), partial(sample_graphs.caller, durability="exit")],
    ids=["without a checkpointer", "without checkpoints before its end"],
)
def test_a_subgraph_without_checkpoints_shows_all_its_values_once_to_clients_that_come_after_a_crash(
    make: Callable[[], Any],
) -> None:
    kwargs = {"input": {"trail": ["in"]}, "stream_mode": ["values", "updates"], "subgraphs": True}

    def begun() -> RunDriver:
        return RunDriver(make(), written_behind(), slow_storage=True)

    calm = begun()
    run_alone(lambda: calm.slice(calm.job(**kwargs)))
    expected_frames = exact(run_alone(lambda: calm.read(calm.job().run_id)))
    for after in range(1, 1000, 3):
        driver = begun()
        if driver.crash(driver.job(**kwargs), after=after) is None:
            assert after > 5, "the run must have been interrupted at some points"
            return
        run_alone(lambda: driver.slice(driver.job(attempt=2, **kwargs)))  # noqa: B023
        replay = run_alone(lambda: driver.read(driver.job().run_id))  # noqa: B023
        assert exact(replay) == expected_frames, f"after turn {after}"
    raise AssertionError("the run never ended")


@pytest.mark.parametrize("open_saver", [always_slow, D1Opener, written_behind], ids=["memory", "D1", "D1-behind"])
def test_the_result_of_a_task_whose_super_step_goes_on_is_shown_once_through_any_crash(
    open_saver: Callable[[], Any],
) -> None:
    kwargs = {"input": [1, 2], "stream_mode": ["tasks"]}
    expected = Counter([2, 4, 12])
    for after in range(1, 1000):
        driver = RunDriver(sample_graphs.workflow(), open_saver(), slow_storage=open_saver is written_behind)
        frames = seen_through_a_crash(driver, kwargs, after)
        if frames is None:
            return
        shown = [json.loads(data) for _, data in named(frames, "tasks")]
        results = Counter(
            task["result"]["__return__"] for task in shown if task["name"] == "double" and "result" in task
        )
        assert results == expected, f"after turn {after}"
    raise AssertionError("the run never ended")


def ends(frames: list[Frame]) -> Counter[tuple[str, str]]:
    """How often each mode tells of the end of each node."""
    told: Counter[tuple[str, str]] = Counter()
    for mode, data in named(frames, "updates", "tasks", "debug"):
        shown = json.loads(data)
        task = shown["payload"] if mode == "debug" else shown
        ended = shown if mode == "updates" else [task["name"]] if "result" in task else []
        told.update((without_ids(mode), node) for node in ended)
    return told


@pytest.mark.parametrize("how", [{}, {"beside": False}, {"by_default": True}], ids=["", "alone", "by default"])
@pytest.mark.parametrize("durability", ["async", "sync"])
def test_what_a_node_that_failed_and_its_error_handler_did_is_shown_once_through_any_crash(
    durability: str, how: dict[str, bool]
) -> None:
    """The handler runs again after a crash, the node does not."""
    kwargs = {"input": {"topic": "t"}, "stream_mode": ["updates", "tasks", "debug"], "durability": durability}
    is_behind = durability == "async"

    def begun() -> RunDriver:
        return RunDriver(sample_graphs.handled(**how), D1Opener(write_behind=is_behind), slow_storage=is_behind)

    calm = begun()
    run_alone(lambda: calm.slice(calm.job(**kwargs)))
    expected = ends(run_alone(lambda: calm.read(calm.job().run_id)))
    assert expected["tasks", "bad"] == expected["debug", "bad"] == 1
    for after in range(1, 1000, 2):
        frames = seen_through_a_crash(begun(), kwargs, after)
        if frames is None:
            assert after > 50, "the run must have been interrupted at some points"
            return
        assert ends(frames) == expected, f"after turn {after}"
    raise AssertionError("the run never ended")


@pytest.mark.parametrize(
    ("error", "comes_back"),
    [
        (ValueError("boom", 3), True),
        (FileNotFoundError(2, "none", "file"), True),
        (sample_graphs.Refusal("no", code=7), True),
        (ValueError(object), False),
        (type("Unknown", (Exception,), {})("boom"), False),
        (ValueError("x" * 200_000), False),
    ],
    ids=["builtin", "of the system", "own class", "holds an object", "unknown class", "long"],
)
def test_an_error_handler_gets_the_error_itself_through_any_crash_or_drain(
    error: Exception, *, comes_back: bool
) -> None:
    kwargs = {"input": {"topic": "t"}, "stream_mode": ["values"]}
    graph = sample_graphs.beside_a_subgraph(error)

    def got(driver: RunDriver, control: RunControl | None = None, **more: Any) -> str | None:
        outcome = run_alone(lambda: driver.slice(driver.job(**kwargs, **more), control))
        told = json.loads(outcome.values or "{}").get("messages", ())
        return next((text for text in told if text.startswith("got ")), None)

    expected = got(RunDriver(graph, written_behind()))
    again = expected if comes_back else f"got str {repr(error)!r} "
    driver = RunDriver(graph, written_behind())
    while (drained := got(driver, Spent())) is None:
        driver.incarnate()
    assert drained == again
    for after in range(1, 1000, 3):
        driver = RunDriver(graph, written_behind())
        if driver.crash(driver.job(**kwargs), after=after) is None:
            assert after > 50, "the run must have been interrupted at some points"
            return
        assert got(driver, attempt=2) in (expected, again), f"after turn {after}"
    raise AssertionError("the run never ended")


@pytest.mark.parametrize("modes", [["updates"], ["updates", "debug"]], ids=",".join)
async def test_what_a_task_did_is_told_as_one_although_another_graph_commits_while_it_comes_in(
    modes: list[str],
) -> None:
    """LangGraph tells of it in up to three items, and others have their turn between them."""
    driver = RunDriver(sample_graphs.sequence())
    stream = driver.streams.open(driver.job().run_id)
    events = GraphEvents(stream, modes, subgraphs=True, gated=True, resumed=False, goes_on=False, updates=False)
    events.take((), "checkpoints", {"metadata": {"step": 0, "source": "loop"}, "tasks": []})
    for name in ("quick", "slow"):
        events.take((), "tasks", {"id": name, "name": name})
    ended = {"id": "quick", "name": "quick", "error": None, "result": {}, "interrupts": []}
    debug = {"step": 1, "type": "task_result", "payload": ended}
    items = {"updates": {"quick": {}}, "tasks": ended, "debug": debug}
    for mode in ("updates", "tasks", "debug")[: 3 if "debug" in modes else 2]:
        assert not await events.is_ahead("", "quick")
        events.take((), mode, items[mode])
        events.emit_told_records()
    assert await events.is_ahead("", "quick")
    assert stream.frames_after(START) == []
    stream.task_committed("quick")
    assert [frame.name for frame in stream.frames_after(START)] == modes


@pytest.mark.parametrize("block_milliseconds", [0, 1000], ids=["stored at once", "stored later"])
@pytest.mark.parametrize("subgraphs", [True, False], ids=["subgraphs", ""])
@pytest.mark.parametrize("modes", [["custom"], ["custom", "values"], ["custom", "updates"]], ids=",".join)
@pytest.mark.parametrize("graph", ["talkative", "sequence"])
def test_a_crash_takes_no_custom_event_from_anyone(
    graph: str, modes: list[str], block_milliseconds: int, monkeypatch: pytest.MonkeyPatch, *, subgraphs: bool
) -> None:
    """A task whose writes are committed is not executed again, and what it said is not said again."""
    monkeypatch.setattr(thread_log, "BLOCK_MILLISECONDS", block_milliseconds)
    kwargs = {"input": {"topic": "t"}, "stream_mode": modes, "subgraphs": subgraphs}
    assert customs_through_crashes(getattr(sample_graphs, graph), kwargs, range(1, 1000, 2))


@pytest.mark.parametrize("waiting", [group_commit.MAX_WAITING, 0], ids=["", "D1 is slow"])
@pytest.mark.parametrize("subgraphs", [True, False], ids=["subgraphs", ""])
@pytest.mark.parametrize("modes", [["custom"], ["custom", "values"], ["custom", "updates"]], ids=",".join)
def test_a_crash_takes_nothing_that_takes_its_time_to_get_through(
    modes: list[str], waiting: int, monkeypatch: pytest.MonkeyPatch, *, subgraphs: bool
) -> None:
    """Tasks end long before all that they have said has come through LangGraph's queues."""
    monkeypatch.setattr(group_commit, "MAX_WAITING", waiting)
    kwargs = {"input": {"topic": "t"}, "stream_mode": modes, "subgraphs": subgraphs}
    said = customs_through_crashes(partial(sample_graphs.talkative, words=WORDS), kwargs, range(1, 2000, 13))
    assert len(said) == (4 if subgraphs else 2) * WORDS


@pytest.mark.parametrize("options", [{}, {"durability": "exit"}], ids=["", "exit"])
@pytest.mark.parametrize("modes", [["custom"], ["custom", "events"], ["custom", "debug"]], ids=",".join)
def test_a_crash_takes_no_custom_event_of_graphs_that_a_node_calls(modes: list[str], options: dict[str, Any]) -> None:
    """The node's end is stored after the super-step around it has ended, and after others have begun."""
    kwargs = {"input": {"topic": "t"}, "stream_mode": modes, "subgraphs": True}
    assert customs_through_crashes(partial(sample_graphs.calling, **options), kwargs, range(40, 1000, 3))


class OrderlyDatabase(FarDatabase):
    """Sees to it that nothing is stored of tasks whose checkpoint is not."""

    ORPHANS: Final = """
        SELECT checkpoint_ns, task_id FROM checkpoint_writes
        WHERE (checkpoint_ns, checkpoint_id) NOT IN (SELECT checkpoint_ns, checkpoint_id FROM checkpoints)
    """

    async def batch(self, statements: Any) -> Any:
        results = await super().batch(statements)
        assert self.connection.execute(self.ORPHANS).fetchall() == []
        return results


@pytest.mark.parametrize("subgraphs", [True, False], ids=["subgraphs", ""])
@pytest.mark.parametrize("modes", [["values"], ["custom", "values"], ["updates"]], ids=",".join)
@pytest.mark.parametrize("waiting", [group_commit.MAX_WAITING, 0], ids=["", "D1 is slow"])
def test_what_a_task_did_is_not_stored_before_the_checkpoint_that_it_follows(
    waiting: int, modes: list[str], monkeypatch: pytest.MonkeyPatch, *, subgraphs: bool
) -> None:
    """A run that goes on from the checkpoint before would execute the task again, though its result was shown."""
    monkeypatch.setattr(group_commit, "MAX_WAITING", waiting)
    driver = RunDriver(sample_graphs.talkative(words=WORDS), D1Opener(OrderlyDatabase(), write_behind=True))
    kwargs = {"input": {"topic": "t"}, "stream_mode": modes, "subgraphs": subgraphs}
    assert run_alone(lambda: driver.slice(driver.job(**kwargs))).status == "success"


def seen_through_a_crash(driver: RunDriver, kwargs: dict[str, Any], after: int) -> list[Frame] | None:
    """What a client has seen in the end that comes back after a crash; None when the run had ended before."""
    seen = driver.crash(driver.job(**kwargs), after=after)
    if seen is None:
        return None
    run_alone(lambda: driver.slice(driver.job(attempt=2, **kwargs)))
    return seen + run_alone(lambda: driver.read(driver.job().run_id, seen[-1].id if seen else START))


def customs(frames: list[Frame]) -> set[tuple[str, str]]:
    """The custom events, whatever task of a subgraph they are from."""
    return {(name.partition(":")[0], data) for name, data in named(frames, "custom")}


def customs_through_crashes(make: Callable[[], Any], kwargs: dict[str, Any], points: range) -> set[tuple[str, str]]:
    """The custom events of a run, once it was seen that a crash after none of these turns takes one from anyone."""
    calm = RunDriver(make(), written_behind())
    run_alone(lambda: calm.slice(calm.job(**kwargs)))
    expected = customs(run_alone(lambda: calm.read(calm.job().run_id)))
    for after in points:
        driver = RunDriver(make(), written_behind(), slow_storage=True)
        frames = seen_through_a_crash(driver, kwargs, after)
        if frames is None:
            assert after > 50, "the run must have been interrupted at some points"
            return expected
        replay = run_alone(lambda: driver.read(driver.job().run_id))  # noqa: B023
        assert customs(replay) == customs(frames) == expected, f"after turn {after}"
    raise AssertionError("the run never ended")


@pytest.mark.parametrize(("durability", "lost"), [("sync", 1), ("async", 2)])
def test_a_committed_super_step_is_never_executed_again(durability: str, lost: int) -> None:
    for after in range(1, 1000):
        executed = Counter[str]()
        driver = RunDriver(sample_graphs.sequence(executed))
        kwargs = {"input": {"topic": "s"}, "stream_mode": ["values"], "durability": durability}
        seen = driver.crash(driver.job(**kwargs), after=after)
        if seen is None:
            return
        committed = driver.saver.get_tuple({"configurable": {"thread_id": driver.thread_id}})
        done = committed.checkpoint["channel_values"].get("messages", []) if committed else []
        before = executed.copy()
        run_alone(lambda: driver.slice(driver.job(attempt=2, **kwargs)))  # noqa: B023
        for message in done:
            name = message.partition(":")[0]
            assert executed[name] == before[name], f"{name} ran again after turn {after}"
        # "async" lets the next super-step begin while the one before is being committed.
        assert sum(executed.values()) <= len(sample_graphs.NODES) + lost


@pytest.mark.parametrize("case", CASES)
def test_two_crashes_are_no_worse_than_one(case: str) -> None:
    make, kwargs = CASES[case]
    calm = RunDriver(make())
    expected = run_alone(lambda: calm.slice(calm.job(**kwargs)))
    expected_frames = exact(run_alone(lambda: calm.read(calm.job().run_id)))
    for first in range(3, 60, 7):
        for second in range(2, 40, 5):
            driver = RunDriver(make())
            if driver.crash(driver.job(**kwargs), after=first) is None:
                return
            attempt = 2 if driver.crash(driver.job(attempt=2, **kwargs), after=second) is None else 3
            if attempt == 3:
                outcome = run_alone(lambda: driver.slice(driver.job(attempt=3, **kwargs)))  # noqa: B023
                assert comparable(outcome) == comparable(expected)
            replay = run_alone(lambda: driver.read(driver.job().run_id))  # noqa: B023
            assert exact(replay) == expected_frames, f"after turns {first} and {second}"


def test_two_crashes_give_no_answer_to_the_next_question() -> None:
    """The first answer may be stored only with the checkpoint that came of it."""
    make, before, asked = GOING_ON["first answer to a subgraph"]
    for first, second in itertools.product(range(10, 50, 8), range(20, 100, 3)):
        driver = RunDriver(make(), written_behind(), slow_storage=True)
        run_alone(lambda: driver.slice(driver.job(**before)))  # noqa: B023
        assert driver.crash(driver.job(2, **asked), after=first) is not None
        driver.crash(driver.job(2, attempt=2, **asked), after=second)
        outcome = run_alone(lambda: driver.slice(driver.job(2, attempt=3, **asked)))  # noqa: B023
        assert '"value":"sure?"' in outcome.wait_result, f"after turns {first} and {second}"


@pytest.mark.parametrize("open_saver", [always_slow, D1Opener, written_behind], ids=["memory", "D1", "D1-behind"])
@pytest.mark.parametrize("answer", ["yes", "ask again", {"ask": "again"}])
def test_a_crash_while_an_answer_is_taken_gives_it_once(answer: Any, open_saver: Callable[[], Any]) -> None:
    kwargs = {"command": {"resume": answer}, "stream_mode": ["values"]}
    calm = RunDriver(sample_graphs.hitl(), open_saver())
    run_alone(lambda: calm.slice(calm.job(input={"draft": "d"})))
    expected = run_alone(lambda: calm.slice(calm.job(2, **kwargs)))
    for after in range(1, 1000):
        driver = RunDriver(sample_graphs.hitl(), open_saver())
        run_alone(lambda: driver.slice(driver.job(input={"draft": "d"})))  # noqa: B023
        if driver.crash(driver.job(2, **kwargs), after=after) is None:
            return
        outcome = run_alone(lambda: driver.slice(driver.job(2, attempt=2, **kwargs)))  # noqa: B023
        assert (outcome.values, outcome.next) == (expected.values, expected.next), f"after turn {after}"


@pytest.mark.parametrize("open_saver", [D1Opener, written_behind], ids=["D1", "D1-behind"])
@pytest.mark.parametrize("make", [sample_graphs.asking_task, sample_graphs.hidden_asker])
def test_a_crash_gives_an_answer_by_id_to_no_other_question(
    make: Callable[[], Any], open_saver: Callable[[], Any]
) -> None:
    for first, second in itertools.product(range(3, 1000, 3), (None, 30, 60)):
        driver = RunDriver(make(), open_saver())
        asked = run_alone(lambda: driver.slice(driver.job(input={"trail": []})))  # noqa: B023
        ((question,),) = json.loads(asked.interrupts or "").values()
        kwargs = {"command": {"resume": {question["id"]: "yes"}}}
        if driver.crash(driver.job(2, **kwargs), after=first) is None:
            assert first > 5
            return
        if second and driver.crash(driver.job(2, attempt=2, **kwargs), after=second) is None:
            continue
        outcome = run_alone(lambda: driver.slice(driver.job(2, attempt=3, **kwargs)))  # noqa: B023
        ((question,),) = json.loads(outcome.interrupts or "").values()
        assert question["value"] == "second?", f"after turns {first} and {second}"
    raise AssertionError("the run never ended")


@pytest.mark.parametrize("open_saver", [D1Opener, written_behind], ids=["D1", "D1-behind"])
@pytest.mark.parametrize("nested", [False, True], ids=["", "nested"])
def test_a_crash_loses_no_answer_of_tasks_that_call_graphs_as_well(nested: bool, open_saver: Callable[[], Any]) -> None:
    for after in range(1, 1000):
        driver = RunDriver(sample_graphs.callers_that_ask(nested=nested), open_saver())
        asked = run_alone(lambda: driver.slice(driver.job(input={"trail": []})))  # noqa: B023
        questions = [each for task in json.loads(asked.interrupts or "").values() for each in task]
        kwargs = {"command": {"resume": {each["id"]: "yes" for each in questions}}}
        if driver.crash(driver.job(2, **kwargs), after=after) is None:
            assert after > 5
            return
        outcome = run_alone(lambda: driver.slice(driver.job(2, attempt=2, **kwargs)))  # noqa: B023
        assert json.loads(outcome.values or "") == {"trail": ["later: yes", "soon: yes"]}, f"after turn {after}"
    raise AssertionError("the run never ended")


@pytest.mark.parametrize(
    "case",
    [
        "values",
        "all modes",
        "sync",
        "subgraph streamed",
        "parallel",
        "subgraph with a memory",
        "called by a graph without checkpoints",
        "memory called by a graph without checkpoints",
        "memory called in a loop without checkpoints",
    ],
)
async def test_a_run_drained_at_every_super_step_looks_like_one_piece(case: str) -> None:
    make, kwargs = CASES[case]
    calm, driver = RunDriver(make()), RunDriver(make())
    expected = await calm.slice(calm.job(**kwargs))
    slices = 0
    while True:
        outcome = await short_slice(driver, kwargs)
        slices += 1
        if outcome.status != "drained":
            break
        if slices % 2:
            driver.incarnate()
    assert slices > 1
    assert comparable(outcome) == comparable(expected)
    shown, pieces = await calm.read(calm.job().run_id), await driver.read(driver.job().run_id)
    assert [name.partition(":")[0] for name, _ in named(pieces)] == [name.partition(":")[0] for name, _ in named(shown)]
    assert exact(pieces) == exact(shown)


@pytest.mark.parametrize("is_behind", [True, False], ids=["D1-behind", "D1"])
@pytest.mark.parametrize("modes", [["values", "updates"], ["updates", "tasks"], list(PROTOCOL_MODES)], ids=",".join)
@pytest.mark.parametrize("what", ["handler", "question"])
async def test_what_comes_again_beside_a_subgraph_that_drains_is_shown_once(
    what: str, modes: list[str], *, is_behind: bool
) -> None:
    kwargs = {"input": {"topic": "t"}, "stream_mode": modes, "subgraphs": True}
    graph = sample_graphs.beside_a_subgraph(None if what == "question" else ValueError("boom"))
    calm, driver = (RunDriver(graph, D1Opener(write_behind=is_behind)) for _ in range(2))
    expected, slices = await calm.slice(calm.job(**kwargs)), 1
    while (outcome := await driver.slice(driver.job(**kwargs), Spent())).status == "drained":
        slices += 1
        if slices % 2:
            driver.incarnate()
    assert slices > 3
    assert comparable(outcome) == comparable(expected)
    shown, pieces = await calm.read(calm.job().run_id), await driver.read(driver.job().run_id)
    assert sorted(exact(pieces)) == sorted(exact(shown))
    assert ends(pieces) == ends(shown)


async def test_a_subgraph_with_a_memory_gets_the_input_of_each_task_that_calls_it() -> None:
    driver = RunDriver(sample_graphs.visitors())
    ended = await driver.slice(driver.job(input=["Ada", "Bob"]))
    ada = ["Ada", "hello Ada", "bye Ada"]
    assert json.loads(ended.values or "") == [ada, [*ada, "Bob", "hello Bob", "bye Bob"]]


async def test_a_subgraph_with_a_memory_gets_its_input_from_one_that_goes_on_after_a_question() -> None:
    builder = StateGraph(sample_graphs.Trail)
    builder.add_node("child", sample_graphs.invited(is_heard=True, checkpointer=True))
    builder.set_entry_point("child")
    calm, driver = (RunDriver(builder.compile(), D1Opener(write_behind=True)) for _ in range(2))
    for number, kwargs in enumerate([*INVITED, *INVITED], 1):
        expected = await calm.slice(calm.job(number, **kwargs))
        while (outcome := await driver.slice(driver.job(number, **kwargs), Spent())).status == "drained":
            driver.incarnate()
        assert comparable(outcome) == comparable(expected)


async def test_a_subgraph_with_a_memory_gets_the_input_of_a_task_that_is_tried_again() -> None:
    driver = RunDriver(sample_graphs.invited(), D1Opener(write_behind=True))
    for number, kwargs in enumerate([*INVITED, *INVITED], 1):
        ended = await driver.slice(driver.job(number, **kwargs))
    ada = ["Ada-1", "hello Ada-1", "bye Ada-1"]
    assert json.loads(ended.values or "")["trail"][-1] == str([*ada, "Ada-5", "hello Ada-5", "bye Ada-5"])


@pytest.mark.parametrize("second", range(30, 130, 3))
def test_an_update_is_kept_that_two_crashes_kept_from_being_stored(second: int) -> None:
    kwargs = {"command": {"resume": "yes", "update": {"trail": ["told"]}}, **PROTOCOL}
    opener = D1Opener(write_behind=True)
    driver = RunDriver(sample_graphs.asking_subgraph(twice=True), opener, slow_storage=True)
    run_alone(lambda: driver.slice(driver.job(input={"trail": ["in"]})))
    assert driver.crash(driver.job(2, **kwargs), after=2) is not None
    driver.crash(driver.job(2, attempt=2, **kwargs), after=second)
    outcome = run_alone(lambda: driver.slice(driver.job(2, attempt=3, **kwargs)))
    assert (outcome.values or "").count("told") == 1


@pytest.mark.parametrize("durability", ["async", "sync"])
@pytest.mark.parametrize("update", [None, {"trail": ["told"]}], ids=["", "update"])
async def test_an_answer_is_given_once_in_however_many_slices(update: Any, durability: str) -> None:
    """Also if the run's own graph ends no super-step in the first of them."""
    kwargs = {"command": {"resume": "yes", "update": update}, "stream_mode": ALL, "durability": durability}

    async def begun() -> RunDriver:
        driver = RunDriver(sample_graphs.asking_subgraph(twice=True), D1Opener(write_behind=durability == "async"))
        await driver.slice(driver.job(input={"trail": ["in"]}))
        return driver

    calm, driver = await begun(), await begun()
    expected = await calm.slice(calm.job(2, **kwargs))
    while (outcome := await driver.slice(driver.job(2, **kwargs), Spent())).status == "drained":
        driver.incarnate()
    assert comparable(outcome) == comparable(expected)
    assert exact(await driver.read(driver.job(2).run_id)) == exact(await calm.read(calm.job(2).run_id))


@pytest.mark.parametrize("step", [-1, 0, 1, 2, 3])
async def test_time_travel_begins_a_subgraph_with_what_it_remembered_then(step: int) -> None:
    """As LangGraph does with its own savers."""
    driver = RunDriver(sample_graphs.returning(), D1Opener(write_behind=True))
    theirs = sample_graphs.returning().copy({"checkpointer": InMemorySaver()})
    thread: Any = {"configurable": {"thread_id": "theirs"}}
    for number in (1, 2):
        await driver.slice(driver.job(number, input={"trail": ["in"]}))
        await theirs.ainvoke({"trail": ["in"]}, thread)
    replayed = [state.config async for state in theirs.aget_state_history(thread)][-2 - step]
    expected = await theirs.ainvoke(None, replayed)
    ours = (await checkpoint_of_step(driver, step))["configurable"]["checkpoint_id"]
    ended = await driver.slice(driver.job(3, config={"configurable": {"checkpoint_id": ours}}))
    assert json.loads(ended.values or "") == expected


async def asked_again(durability: str) -> tuple[RunDriver, dict[str, Any]]:
    """A run began with a state made by hand, and a subgraph had one of two questions answered; what begins it again."""
    driver = RunDriver(sample_graphs.asking_subgraph(twice=True), D1Opener(write_behind=durability == "async"))
    await driver.slice(driver.job(1, input={"trail": ["in"]}))
    again = await changed(driver.graph.copy({"checkpointer": driver.saver}), driver.thread_id)
    await driver.slice(driver.job(2, config=again, durability=durability))
    await driver.slice(driver.job(3, command={"resume": "A"}, durability=durability))
    return driver, {"config": again, "durability": durability, "stream_mode": ALL, "subgraphs": True}


async def changed(graph: Any, thread_id: str) -> Any:
    """The config of a state that somebody makes by hand while a subgraph asks."""
    thread = {"configurable": {"thread_id": thread_id}}
    return await graph.aupdate_state(thread, {"trail": ["changed"]}, as_node="__start__")


async def answered_anew() -> list[str]:
    """What LangGraph makes of `asked_again`, begun once more and answered with B and C."""
    graph = sample_graphs.asking_subgraph(twice=True).copy({"checkpointer": InMemorySaver()})
    thread: Any = {"configurable": {"thread_id": "theirs"}}
    await graph.ainvoke({"trail": ["in"]}, thread)
    again = await changed(graph, "theirs")
    for answer in ("A", "B"):
        await graph.ainvoke(None, again)
        await graph.ainvoke(Command(resume=answer), thread)
    return (await graph.ainvoke(Command(resume="C"), thread))["trail"]


@pytest.mark.parametrize("durability", ["async", "sync"])
def test_questions_that_another_run_asks_again_are_answered_anew_through_any_crash(durability: str) -> None:
    expected = run_alone(answered_anew)
    for after in range(1, 1000, 3):
        driver, again = run_alone(lambda: asked_again(durability))
        if driver.crash(driver.job(4, **again), after=after) is None:
            assert after > 5
            return
        run_alone(lambda: driver.slice(driver.job(4, attempt=2, **again)))  # noqa: B023
        for number, answer in ((5, "B"), (6, "C")):
            ended = run_alone(lambda: driver.slice(driver.job(number, command={"resume": answer})))  # noqa: B023
        assert json.loads(ended.values or "")["trail"] == expected, f"after turn {after}"
    raise AssertionError("the run never ended")


@pytest.mark.parametrize("durability", ["async", "sync"])
async def test_a_run_that_is_rolled_back_takes_nothing_of_one_that_began_with_the_same_checkpoint(
    durability: str,
) -> None:
    async def stored() -> list[Any]:
        return [each async for each in driver.saver.alist({"configurable": {"thread_id": driver.thread_id}})]

    driver, again = await asked_again(durability)
    before = await stored()
    await driver.slice(driver.job(4, **again))
    assert len(await stored()) > len(before)
    await driver.saver.adelete_for_runs([driver.job(4).run_id], thread_id=driver.thread_id)
    assert await stored() == before


INVITED: list[dict[str, Any]] = [{"input": {"trail": ["in"]}}, {"command": {"resume": "Ada"}}]


@pytest.mark.parametrize(
    ("make", "asked"),
    [
        (sample_graphs.visitors, [{"input": ["Ada", "Bob"]}]),
        (partial(sample_graphs.invited, is_heard=True), INVITED),
        (sample_graphs.sequence, [{"input": {"topic": "s"}, "interrupt_after": ["researcher"]}]),
        (partial(sample_graphs.questions, checkpointer=True), [{"input": {"trail": ["in"]}}]),
    ],
    ids=["visitors", "invited", "breakpoint", "finished beside a question"],
)
def test_with_durability_exit_a_crash_changes_nothing_of_how_a_run_ends(make: Any, asked: list[Any]) -> None:
    """Subgraphs with a memory store theirs before the run stores anything."""

    def begun() -> RunDriver:
        driver = RunDriver(make(), D1Opener())
        for number, kwargs in enumerate(asked[:-1], 1):
            run_alone(lambda: driver.slice(driver.job(number, durability="exit", **kwargs)))  # noqa: B023
        return driver

    async def stored(driver: RunDriver) -> list[str]:
        history = driver.saver.alist({"configurable": {"thread_id": driver.thread_id}})
        return [without_ids(repr(each.checkpoint["channel_values"])) async for each in history]

    kwargs = {"durability": "exit", **asked[-1]}
    calm = begun()
    expected = run_alone(lambda: calm.slice(calm.job(len(asked), **kwargs)))
    left = run_alone(lambda: stored(calm))
    for after in range(1, 1000):
        driver = begun()
        if driver.crash(driver.job(len(asked), **kwargs), after=after) is None:
            assert after > 5
            return
        outcome = run_alone(lambda: driver.slice(driver.job(len(asked), attempt=2, **kwargs)))  # noqa: B023
        assert comparable(outcome) == comparable(expected), f"after turn {after}"
        assert run_alone(lambda: stored(driver)) == left, f"after turn {after}"  # noqa: B023
    raise AssertionError("the run never ended")


async def short_slice(driver: RunDriver, kwargs: dict[str, Any]) -> Outcome:
    """A slice whose budget is spent with its first commit."""
    control = RunControl()
    assert isinstance(driver.saver, SlowSaver)
    driver.saver.on_commit = control.request_drain
    return await driver.slice(driver.job(**kwargs), control)


@pytest.mark.parametrize(
    "case",
    [
        "all modes",
        "subgraph",
        "tasks of a function",
        "memory called by tasks that are queued",
        "memory called in a loop without checkpoints",
        "memory called by a graph without checkpoints",
    ],
)
@pytest.mark.parametrize("durability", ["async", "exit"])
async def test_each_slice_gets_somewhere(case: str, durability: str) -> None:
    make, kwargs = CASES[case]
    calm, driver = RunDriver(make(), D1Opener()), RunDriver(make(), D1Opener())
    expected = await calm.slice(calm.job(**kwargs))
    for _ in range(20):
        outcome = await driver.slice(driver.job(durability=durability, **kwargs), Spent())
        if outcome.status != "drained":
            assert comparable(outcome) == comparable(expected)
            return
    raise AssertionError("the run never ended")


COUNTDOWNS: dict[str, tuple[bool | None, ...]] = {
    "the run's own": (),
    "subgraph": (None,),
    "subgraph with a memory": (True,),
    "in a subgraph of a subgraph": (None, None),
}


@pytest.mark.parametrize("around", COUNTDOWNS.values(), ids=COUNTDOWNS)
@pytest.mark.parametrize("ticks", [5, 7, 40])
@pytest.mark.parametrize("durability", ["async", "exit"])
async def test_a_graph_has_one_recursion_limit_in_however_many_slices(
    durability: str, ticks: int, around: tuple[bool | None, ...]
) -> None:
    executed, executed_calmly = Counter[str](), Counter[str]()
    calm = RunDriver(sample_graphs.countdown(ticks, *around, executed=executed_calmly), D1Opener())
    driver = RunDriver(sample_graphs.countdown(ticks, *around, executed=executed), D1Opener())
    kwargs = {"input": {"trail": []}, "config": {"recursion_limit": 7}, "durability": durability}
    expected = await calm.slice(calm.job(**kwargs))
    while (outcome := await driver.slice(driver.job(**kwargs), Spent())).status == "drained":
        driver.incarnate()
    assert comparable(outcome) == comparable(expected)
    assert executed == executed_calmly
    assert outcome.status == ("success" if ticks < 7 else "error")


@pytest.mark.parametrize("around", COUNTDOWNS.values(), ids=COUNTDOWNS)
@pytest.mark.parametrize("ticks", [4, 40])
def test_a_graph_has_one_recursion_limit_through_any_crash(ticks: int, around: tuple[bool | None, ...]) -> None:
    kwargs = {"input": {"trail": []}, "config": {"recursion_limit": 6}}
    calm = RunDriver(sample_graphs.countdown(ticks, *around), D1Opener())
    expected = run_alone(lambda: calm.slice(calm.job(**kwargs)))
    for after in range(1, 1000):
        driver = RunDriver(sample_graphs.countdown(ticks, *around), D1Opener())
        if driver.crash(driver.job(**kwargs), after=after) is None:
            assert after > 5
            return
        outcome = run_alone(lambda: driver.slice(driver.job(attempt=2, **kwargs)))  # noqa: B023
        assert comparable(outcome) == comparable(expected), f"after turn {after}"
    raise AssertionError("the run never ended")
