"""A run that was cut off at any await, and is stopped before it goes on: its stream has what is committed, once."""

import asyncio
import itertools
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from langgraph._internal._constants import NULL_TASK_ID
from langgraph.checkpoint.base import WRITES_IDX_MAP

import clock
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
from tests.support.stored_runs import DETACHED

SHOWN = ["values", "updates", "tasks", "checkpoints", "debug", "custom"]

#: Modes that tell of the ends of tasks and of super-steps.
ENDS = ["tasks", "checkpoints"]


@dataclass(frozen=True, kw_only=True)
class Case:
    """A graph, what its last run is asked, and what the runs before it were."""

    make: Callable[[], Any]
    asked: dict[str, Any]
    before: tuple[dict[str, Any], ...] = ()
    modes: list[str] = field(default_factory=lambda: SHOWN)
    #: Whether each of its super-steps changes its state.
    changes: bool = True
    #: Whether LangGraph tells of a checkpoint when it goes on from it: one in whose place it stops it never tells of.
    lags: bool = False
    #: What its state has only if its command's update is stored.
    sign: str = ""

    @property
    def kwargs(self) -> dict[str, Any]:
        return {"stream_mode": self.modes, "subgraphs": True, **self.asked}

    @property
    def number(self) -> int:
        return len(self.before) + 1

    def opener(self) -> D1Opener:
        return D1Opener(write_behind=self.asked.get("durability") is None)

    async def begin(self, driver: RunDriver) -> None:
        for number, kwargs in enumerate(self.before, 1):
            await driver.slice(driver.job(number, **kwargs))

    def driver(self, opener: D1Opener) -> RunDriver:
        driver = RunDriver(self.make(), opener)
        run_alone(lambda: self.begin(driver))
        return driver


def with_memory() -> Any:
    """A graph whose subgraph has a checkpointer of its own."""
    return sample_graphs.parent(checkpointer=True)


def hidden_caller() -> Any:
    """A graph of whose subgraph LangGraph learns when it is called."""
    return sample_graphs.caller(hidden=True)


TRAIL = {"input": {"trail": ["a", "b"]}}
SEQUENCE = {"input": {"topic": "s"}}

CASES: dict[str, Case] = {
    "nodes": Case(make=sample_graphs.sequence, asked=SEQUENCE),
    "values": Case(make=sample_graphs.sequence, asked=SEQUENCE, modes=["values"]),
    "updates": Case(make=sample_graphs.sequence, asked=SEQUENCE, modes=["updates"]),
    "sync": Case(make=sample_graphs.sequence, asked={**SEQUENCE, "durability": "sync"}),
    "exit": Case(make=sample_graphs.sequence, asked={**SEQUENCE, "durability": "exit"}),
    "parallel": Case(make=sample_graphs.fan_out, asked=TRAIL),
    "subgraph": Case(make=sample_graphs.parent, asked=TRAIL),
    "subgraph, sync": Case(make=sample_graphs.parent, asked={**TRAIL, "durability": "sync"}),
    "subgraph, not shown": Case(make=sample_graphs.parent, asked={**TRAIL, "subgraphs": False}),
    "subgraph, narrower output": Case(make=sample_graphs.narrow_subgraph, asked=SEQUENCE, modes=["values"]),
    "subgraph with a memory": Case(make=with_memory, asked=TRAIL),
    "subgraph with a memory of another run": Case(make=with_memory, asked=TRAIL, before=(TRAIL,)),
    "subgraphs in parallel": Case(make=sample_graphs.crowd, asked=TRAIL),
    "subgraph that is called twice": Case(make=sample_graphs.caller, asked=TRAIL),
    "subgraph that is called twice, values": Case(make=sample_graphs.caller, asked=TRAIL, modes=["values"]),
    "subgraph that is called twice, sync": Case(
        make=sample_graphs.caller, asked={**TRAIL, "durability": "sync"}, lags=True
    ),
    "subgraph that nobody knows of": Case(make=hidden_caller, asked=TRAIL),
    "tasks of a function": Case(make=sample_graphs.workflow, asked={"input": [1, 2]}, changes=False),
    "resumed beside others": Case(
        make=sample_graphs.questions,
        asked={"command": {"resume": "yes"}},
        before=({"input": {"trail": ["in"]}},),
        changes=False,
    ),
    "resumed with an update": Case(
        make=sample_graphs.hitl,
        asked={"command": {"resume": "yes", "update": {"log": ["told"]}}},
        before=({"input": {"draft": "d"}},),
        changes=False,
        sign="told",
    ),
    "question beside others": Case(make=sample_graphs.questions, asked={"input": {"trail": ["in"]}}, changes=False),
    "protocol": Case(make=sample_graphs.parent, asked=TRAIL, modes=list(PROTOCOL_MODES)),
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


async def stop(driver: RunDriver, job: Job, *, is_late: bool = True) -> None:
    """What an object does that finds the run's time to be over, or that it was asked to interrupt it."""
    graphs = GraphReader(OneGraph(driver.graph), None)  # type: ignore[arg-type]
    stream = driver.streams.open(job.run_id)
    if is_late:
        ended = await stopping.timed_out(job, graphs, driver.saver, stream)
    else:
        run = replace(DETACHED, run_id=job.run_id, cancel_action="interrupt", started_at=clock.now_iso())
        ended = await stopping.carry_out(run, job, graphs, driver.saver, None, stream, max_attempts=3)  # type: ignore[arg-type]
    await asyncio.sleep(0)  # where the run's row would be stored
    stream.finish(ended.wait_result, stream_end(ended))
    driver.streams.close(job.run_id)


def crash_in(driver: RunDriver, work: Any, *, after: int) -> None:
    """Do this for so many turns of the event loop, then lose everything in memory, unless it was over."""
    [task] = run_for(after, work)
    if not task.done():
        driver.lose()


async def cut_off(driver: RunDriver, case: Case, *, after: int, dies: bool = False) -> bool:
    """Cancel a run after so many turns of the event loop, then stop it in the same object; whether it was not over.

    If the object `dies` then, the next one stops the run.
    """
    stream = driver.streams.open(driver.job(case.number).run_id)
    executing = asyncio.ensure_future(driver.slice(driver.job(case.number, **case.kwargs)))
    for _ in range(after):
        await asyncio.sleep(0)
    if executing.done():
        return False
    executing.cancel()
    await asyncio.wait({executing})
    if not executing.cancelled():
        return False
    await driver.saver.flush()
    assert stream.result is None
    if dies:
        driver.lose()
    await stop(driver, driver.job(case.number, attempt=1 + dies, **case.kwargs), is_late=False)
    return True


def told(shown: list[Frame]) -> Counter[str]:
    """How often each event was shown, without questions; checkpoints by their names alone."""
    named_ones = named(shown, "values", "updates", "checkpoints")
    pairs = [(name.partition(":")[0], data) for name, data in named_ones if "__interrupt__" not in data]
    return Counter(name + ("" if name.startswith("checkpoints") else data) for name, data in pairs)


@dataclass
class Stored:
    """What D1 has of a run, by namespace and super-step."""

    #: The super-steps that are committed; True for those that began with an input.
    steps: dict[tuple[str, int], bool]
    #: The tasks that have finished, those that ask, and those that failed or were cancelled.
    finished: dict[tuple[str, int], set[str]]
    asking: dict[tuple[str, int], set[str]]
    failed: dict[tuple[str, int], set[str]]
    #: The tasks of the run's super-steps that an earlier run had finished.
    cached: dict[tuple[str, int], set[str]]

    def named(self, *, cached: bool) -> dict[tuple[str, int], int]:
        """How many tasks finish in each super-step, by the name of its graph."""
        counts = Counter[tuple[str, int]]()
        for (namespace, step), tasks in self.finished.items():
            before = self.cached.get((namespace, step), set[str]()) - tasks if cached else ()
            counts[_name(namespace), step] = len(tasks) + len(before)
        return counts

    def events(self, whole: "Stored") -> dict[str, Counter[str]]:
        """By mode, how many events of each namespace tell of it; `whole`: the same run, undisturbed."""
        of_tasks = {"tasks": whole.named(cached=False), "updates": whole.named(cached=True)}
        counts: dict[str, Counter[str]] = {mode: Counter() for mode in ("checkpoints", "values", "updates", "tasks")}
        for (namespace, step), is_input in self.steps.items():
            counts["checkpoints"][namespace] += 1
            counts["values"][namespace] += not is_input
            for mode, finishing in of_tasks.items():
                counts[mode][namespace] += finishing[_name(namespace), step]
        told = {"finished": ("updates", "tasks"), "asking": ("updates", "tasks", "values"), "failed": ("tasks",)}
        for kind, modes in told.items():
            for (namespace, step), tasks in getattr(self, kind).items():
                for mode in modes if (namespace, step) not in self.steps else ():
                    counts[mode][namespace] += len(tasks)
        return counts


async def stored_of(driver: RunDriver, job: Job) -> Stored:
    """What D1 has of a run."""
    saver = driver.open_saver()
    stored = Stored({}, {}, {}, {}, {})
    steps: dict[tuple[str, str], int] = {}
    latest: dict[str, str] = {}
    async for one in saver.alist({"configurable": {"thread_id": driver.thread_id}}):
        place = one.config["configurable"]
        step = steps[place["checkpoint_ns"], place["checkpoint_id"]] = one.metadata["step"]
        latest.setdefault(place["checkpoint_ns"], place["checkpoint_id"])
        if one.metadata["run_id"] == job.run_id:
            stored.steps[place["checkpoint_ns"], step] = one.metadata["source"] == "input"
    rows = saver._database.connection.execute(  # type: ignore[attr-defined]
        # Tasks that a function calls fail with it; the graph's start is nobody's business.
        "SELECT checkpoint_ns, checkpoint_id, task_id, run_id, entries FROM checkpoint_writes WHERE part = 0"
        " AND NOT (task_path LIKE '~__pregel_push, ~%' AND entries LIKE '%__error__%')"
        " AND task_path NOT LIKE '%, \\_\\_start\\_\\_' ESCAPE '\\' AND task_id != ?",
        (NULL_TASK_ID,),
    ).fetchall()
    done = {task_id for _, _, task_id, _, entries in rows if _channels(entries) - WRITES_IDX_MAP.keys()}
    for namespace, checkpoint_id, task_id, run_id, entries in rows:
        place = namespace, steps[namespace, checkpoint_id] + 1
        if task_id not in done and latest[namespace] == checkpoint_id:
            kind = stored.asking if "__interrupt__" in _channels(entries) else stored.failed
            kind.setdefault(place, set()).add(task_id)
        if task_id in done:
            kind = stored.finished if run_id == job.run_id else stored.cached
            kind.setdefault(place, set()).add(task_id)
    return stored


def _channels(entries: str) -> set[str]:
    return {channel for _, channel, *_ in json.loads(entries)}


def _name(namespace: str) -> str:
    return "|".join(part.partition(":")[0] for part in namespace.split("|"))


def namespaces(shown: list[Frame], mode: str) -> Counter[str]:
    """How many events of a mode each namespace has; of tasks their ends alone."""
    found = Counter[str]()
    for frame in shown:
        name, _, namespace = frame.name.partition("|")
        if name == mode and (mode != "tasks" or "result" in json.loads(sse.data_of(frame))):
            found[namespace] += 1
    return found


def check(case: Case, driver: RunDriver, calm: RunDriver, at: str) -> None:
    """The stream of the run that was stopped tells what D1 has, once, and what `/wait` answers."""
    job = driver.job(case.number)
    shown, whole = (run_alone(lambda: each.read(job.run_id)) for each in (driver, calm))  # noqa: B023
    assert told(shown) <= told(whole), at
    values = [sse.data_of(frame) for frame in shown if frame.name == "values"]
    result = driver.streams.stored_result(job.run_id)
    assert not values or values[-1] == result, at
    assert not case.sign or any(case.sign in data for data in values) == (case.sign in str(result)), at
    if "lifecycle" in case.modes or case.asked.get("durability") == "exit":
        return
    stored, stored_whole = (run_alone(lambda: stored_of(each, job)) for each in (driver, calm))  # noqa: B023
    for mode, counts in stored.events(stored_whole).items():
        if mode not in case.modes or (mode == "values" and not case.changes):
            continue
        found = namespaces(shown, mode)
        if mode == "checkpoints" and found[""] > counts[""]:
            found[""] -= bool(case.before)  # the one that the run went on from
        if mode == "checkpoints" and case.lags:
            found.update(name for name, count in counts.items() if name.endswith("|1") and found[name] == count - 1)
        shown_of = counts if case.kwargs["subgraphs"] else Counter({"": counts[""]})
        assert +found == +shown_of, f"{mode} {at}"


STEPS = {"timeout": 4, "interrupt": 17, "crash in the stop": 13, "two attempts": 19}


@pytest.mark.parametrize(("case", "how"), [*itertools.product(CASES, STEPS)])
def test_the_stream_of_a_run_that_is_stopped_after_a_crash_has_what_is_committed(case: str, how: str) -> None:
    example = CASES[case]
    calm = example.driver(example.opener())
    job = calm.job(example.number, **example.kwargs)
    run_alone(lambda: calm.slice(job))
    for after in range(1, 1000, STEPS[how]):
        driver = example.driver(example.opener())
        if driver.crash(driver.job(example.number, **example.kwargs), after=after) is None:
            assert after > 5, "the run must have been interrupted at some points"
            return
        second = driver.job(example.number, attempt=2, **example.kwargs)
        if how == "two attempts" and driver.crash(second, after=after % 83) is None:
            continue
        if how == "crash in the stop":
            crash_in(driver, stop(driver, second), after=after % 60)
        third = driver.job(example.number, attempt=3, **example.kwargs)
        if driver.streams.stored_result(third.run_id) is None:
            run_alone(lambda: stop(driver, third, is_late=how != "interrupt"))  # noqa: B023
        check(example, driver, calm, f"after turn {after}")
    raise AssertionError("the run never ended")


@pytest.mark.parametrize("case", CASES)
def test_the_stream_of_a_run_that_is_stopped_where_it_executes_has_what_is_committed(case: str) -> None:
    example = CASES[case]
    calm = example.driver(example.opener())
    job = calm.job(example.number, **example.kwargs)
    run_alone(lambda: calm.slice(job))
    for after in range(1, 1000, 7):
        driver = example.driver(example.opener())
        if not run_alone(lambda: cut_off(driver, example, after=after)):  # noqa: B023
            assert after > 5, "the run must have been stopped at some points"
            return
        check(example, driver, calm, f"after turn {after}")
    raise AssertionError("the run never ended")


@pytest.mark.parametrize("how", ["timeout", "two attempts"])
@pytest.mark.parametrize("asked", [SEQUENCE, {**SEQUENCE, "durability": "sync"}], ids=["async", "sync"])
def test_the_result_of_a_node_that_failed_is_told_once_if_its_error_is_stored(asked: dict[str, Any], how: str) -> None:
    example = Case(make=sample_graphs.handled, asked=asked, modes=ENDS)
    seen = set[int]()
    for after in range(1, 1000, 4):
        driver = example.driver(example.opener())
        if driver.crash(driver.job(**example.kwargs), after=after) is None:
            assert seen == {0, 1}, "the run must have been interrupted at some points"
            return
        second = driver.job(attempt=2, **example.kwargs)
        if how == "two attempts" and driver.crash(second, after=after % 61) is None:
            continue
        run_alone(lambda: stop(driver, driver.job(attempt=3, **example.kwargs)))  # noqa: B023
        shown = ends_told(run_alone(lambda: driver.read(second.run_id)))  # noqa: B023
        rows = driver.open_saver()._database.connection.execute(  # type: ignore[attr-defined]
            "SELECT 1 FROM checkpoint_writes WHERE entries LIKE '%__error_source_node__%'"
        )
        stored = len(rows.fetchall())
        assert sum(end.get("name") == "bad" for end in shown) == stored, f"after turn {after}"
        seen.add(stored)
    raise AssertionError("the run never ended")


async def answer(driver: RunDriver) -> str:
    """Let a run ask and another one answer; the checkpoint at which the first asked."""
    await driver.slice(driver.job(**TRAIL))
    saved = await driver.saver.aget_tuple({"configurable": {"thread_id": driver.thread_id}})
    await driver.slice(driver.job(2, command={"resume": "yes"}))
    return saved.config["configurable"]["checkpoint_id"]


def test_a_stopped_run_that_answers_an_old_question_again_has_shown_what_it_did_itself() -> None:
    """What the run that answered it first stored beside the question is no news, and no question is left."""
    for after in range(1, 1000, 3):
        driver = RunDriver(sample_graphs.questions(), D1Opener(write_behind=True), slow_storage=True)
        question = run_alone(lambda: answer(driver))  # noqa: B023
        asked = {"command": {"resume": "no"}, "config": {"configurable": {"checkpoint_id": question}}}
        job = driver.job(3, attempt=2, stream_mode=["updates", "tasks"], subgraphs=True, **asked)
        if driver.crash(replace(job, attempt=1), after=after) is None:
            assert after > 5, "the run must have been interrupted at some points"
            return
        run_alone(lambda: stop(driver, job))  # noqa: B023
        shown = [json.loads(data) for _, data in named(run_alone(lambda: driver.read(job.run_id)))]  # noqa: B023
        stored = run_alone(lambda: stored_of(driver, job))  # noqa: B023
        finished = [task for tasks in stored.finished.values() for task in tasks]
        assert Counter(event["id"] for event in shown if "result" in event) == Counter(finished), f"after turn {after}"
    raise AssertionError("the run never ended")


EXIT: dict[str, Case] = {
    "events": Case(
        make=sample_graphs.sequence, asked={**SEQUENCE, "durability": "exit"}, modes=["updates", *ENDS, "events"]
    ),
    "subgraphs in parallel": Case(make=sample_graphs.crowd, asked={**TRAIL, "durability": "exit"}, modes=[*SHOWN]),
    "tasks of a function": Case(make=sample_graphs.workflow, asked={"input": [1, 2], "durability": "exit"}),
}


def ends_told(shown: list[Frame]) -> list[dict[str, Any]]:
    """The ends of tasks of the run's own graph that were shown, and its checkpoints."""
    told = [json.loads(data) for _, data in named([frame for frame in shown if frame.name in ENDS])]
    return [end for end in told if "values" in end or "result" in end]


@pytest.mark.parametrize("dies", [False, True], ids=["", "and its object dies"])
@pytest.mark.parametrize("case", EXIT)
def test_what_a_run_commits_as_it_is_cancelled_was_told(case: str, *, dies: bool) -> None:
    """With durability `exit`, LangGraph stores all that it has only when it is cancelled."""
    example = EXIT[case]
    calm = example.driver(example.opener())
    job = calm.job(example.number, **example.kwargs)
    run_alone(lambda: calm.slice(job))
    whole = ends_told(run_alone(lambda: calm.read(job.run_id)))
    committed = 0
    for after in range(1, 1000, 3):
        driver = example.driver(example.opener())
        if not run_alone(lambda: cut_off(driver, example, after=after, dies=dies)):  # noqa: B023
            assert committed, "something must have been committed at some points"
            return
        shown = ends_told(run_alone(lambda: driver.read(job.run_id)))  # noqa: B023
        stored = run_alone(lambda: stored_of(driver, job))  # noqa: B023
        own_tasks = [tasks for (namespace, _), tasks in stored.finished.items() if not namespace]
        assert {end["id"] for end in shown if "id" in end} >= {task for tasks in own_tasks for task in tasks}, after
        if steps := [step for namespace, step in stored.steps if not namespace]:
            committed += 1
            until = next(n for n, end in enumerate(whole) if "values" in end and end["metadata"]["step"] == max(steps))
            expected, found = (
                Counter(end.get("name", "checkpoint") for end in each) for each in (whole[: until + 1], shown)
            )
            assert found >= expected, f"after turn {after}"
    raise AssertionError("the run never ended")
