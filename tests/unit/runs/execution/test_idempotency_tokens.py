"""`run_id:task_id`, by which other systems can tell that a node runs again: stable through any crash, and unique."""

import asyncio
import operator
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Any, TypedDict
from uuid import UUID

import pytest
from langgraph.checkpoint.base import CheckpointTuple
from langgraph.checkpoint.base.id import uuid6
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.func import entrypoint, task
from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime, get_runtime
from langgraph.types import RetryPolicy, Send, interrupt

import clock
from runs.execution.task_names import CheckpointIds
from tests.support.run_driver import D1Opener, RunDriver, SlowSaver, always, run_alone

RUN = "01a1fc60-905c-7390-9fc1-ed6b2aa6090c"

#: For each place in a graph, by the names that the test gives them, the tokens that were seen there.
Seen = defaultdict[str, list[str]]


class State(TypedDict, total=False):
    log: Annotated[list[str], operator.add]
    item: str


def note(seen: Seen, place: str) -> None:
    """What a node with a side effect does."""
    info = get_runtime().execution_info
    assert info is not None
    seen[place].append(f"{info.run_id}:{info.task_id}")


def many_places(seen: Seen) -> Any:
    """Two tasks at once, a loop over a subgraph, a node that is tried again."""

    def node(place: str) -> Any:
        async def act(state: State) -> State:
            here = f"{place} {state.get('item', '')} {len(state.get('log', []))}"
            note(seen, here)
            return {"log": [place]}

        return act

    async def flaky(state: State) -> State:
        note(seen, "flaky")
        if len(seen["flaky"]) % 2:
            raise ConnectionError
        return {"log": ["flaky"]}

    child = StateGraph(State).add_sequence([("one", node("one")), ("two", node("two"))]).add_edge(START, "one")
    builder = StateGraph(State)
    builder.add_node("first", node("first"))
    builder.add_node("work", node("work"))
    builder.add_node("child", child.compile())
    builder.add_node("flaky", flaky, retry_policy=RetryPolicy(max_attempts=3, initial_interval=0, jitter=False))
    builder.add_edge(START, "first")
    builder.add_conditional_edges("first", lambda _: [Send("work", {"item": "a"}), Send("work", {"item": "b"})])
    builder.add_edge("work", "child")
    builder.add_conditional_edges("child", lambda state: "child" if state["log"].count("two") < 2 else "flaky")
    builder.add_edge("flaky", END)
    return builder.compile()


def tasks_of_a_function(seen: Seen) -> Any:
    """Tasks, some with the same input."""

    @task
    async def work(item: int) -> int:
        note(seen, f"work {item} {len(seen)}" if item < 0 else f"work {item}")
        return item

    @entrypoint()
    async def workflow(_: Any) -> list[int]:
        note(seen, "workflow")
        return [*await asyncio.gather(work(1), work(2)), await work(3)]

    return workflow


SAVERS: dict[str, tuple[str, Callable[[], Callable[[], Any]]]] = {
    "async": ("async", lambda: D1Opener(write_behind=True)),
    "async, slow": ("async", lambda: always(SlowSaver())),
    "sync": ("sync", D1Opener),
}


@pytest.mark.parametrize("saver", SAVERS)
@pytest.mark.parametrize("graph", [many_places, tasks_of_a_function])
def test_a_node_that_runs_again_after_a_crash_has_the_same_token(graph: Callable[[Seen], Any], saver: str) -> None:
    durability, opener = SAVERS[saver]
    places = repeated = 0
    for after in range(0, 10_000, 3):
        seen = Seen(list)
        driver = RunDriver(graph(seen), opener())
        kwargs = {"input": {} if graph is many_places else 0, "durability": durability}
        crashed = driver.crash(driver.job(**kwargs), after=after)
        before = set(seen)
        if crashed is None:
            break
        outcome = run_alone(lambda driver=driver, kwargs=kwargs: driver.slice(driver.job(attempt=2, **kwargs)))
        assert outcome.status == "success"
        tokens = [set(each) for each in seen.values()]
        assert all(len(each) == 1 for each in tokens), seen
        assert len(set.union(*tokens)) == len(tokens), seen
        places, repeated = len(seen), repeated + sum(len(seen[place]) > 1 for place in before - {"flaky"})
    else:
        pytest.fail("the run never came to its end")
    assert repeated > places


async def test_two_runs_of_a_thread_share_no_token() -> None:
    seen = Seen(list)
    driver = RunDriver(many_places(seen))
    tokens: list[set[str]] = []
    for number in (1, 2):
        job = driver.job(number, input={})
        await driver.slice(job)
        tokens.append({token for each in seen.values() for token in each})
        assert {token.split(":")[0] for token in tokens[-1]} == {job.run_id}
        seen.clear()
    assert not tokens[0] & tokens[1]


async def test_a_task_keeps_its_id_when_its_question_is_answered() -> None:
    """By another run, so the token is another one."""
    seen = Seen(list)

    async def ask(state: State) -> State:
        note(seen, "ask")
        return {"log": [interrupt("ok?")]}

    driver = RunDriver(StateGraph(State).add_node(ask).add_edge(START, "ask").compile())
    await driver.slice(driver.job(1, input={}))
    await driver.slice(driver.job(2, command={"resume": "yes"}))
    (first_run, first_task), (second_run, second_task) = [token.split(":") for token in seen["ask"]]
    assert first_task == second_task
    assert first_run != second_run


async def test_a_node_learns_whose_assistant_it_works_for() -> None:
    known: list[Any] = []

    async def look(state: State, runtime: Runtime) -> State:
        known.append(runtime.server_info)
        return {}

    driver = RunDriver(StateGraph(State).add_node(look).add_edge(START, "look").compile())
    user = {"identity": "alice"}
    configurable = {"assistant_id": RUN, "graph_id": "graph", "langgraph_auth_user": user}
    await driver.slice(driver.job(input={}, config={"configurable": configurable}))
    [info] = known
    assert (info.assistant_id, info.graph_id, info.user.identity) == (RUN, "graph", "alice")


def test_ids_sort_by_step_and_after_what_was_there() -> None:
    ids = CheckpointIds(RUN, clock.shifted(clock.now_iso(), -60))
    steps = [str(ids.of_step(step, 0)) for step in (-2, -1, 0, 1, 9, 10, 5000, 100_000)]
    assert steps == sorted(steps)
    assert all(UUID(each).version == 6 for each in steps)
    assert steps[-1] < str(uuid6()) < str(CheckpointIds(RUN, clock.shifted(clock.now_iso(), 1)).of_step(-2, 0))


def test_ids_are_not_ahead_of_the_clock_on_an_old_thread() -> None:
    """Steps are counted for the whole thread, and after a run its state may be set by hand."""
    ids, older, saved = CheckpointIds(RUN, clock.now_iso()), str(uuid6()), str(uuid6())
    for step, checkpoint_id in ((70_000, saved), (69_000, older)):
        config: Any = {"configurable": {"thread_id": "t", "checkpoint_ns": ""}}
        checkpoint: Any = {"id": checkpoint_id}
        ids.follow(CheckpointTuple(config, checkpoint, {"step": step}))
    called = str(ids.of_call(7, [str(ids.of_call(7, [saved], 3))], 4))
    time.sleep(0.002)
    assert saved < called < str(ids.of_step(69_001, 0)) < str(ids.of_step(69_002, 0)) < str(uuid6())


def test_ids_of_a_subgraph_sort_by_step_within_the_super_step_around_it() -> None:
    ids = CheckpointIds(RUN, clock.now_iso())
    around = [str(ids.of_step(step, 0)) for step in (4, 5)]
    called: list[str] = []
    for used in range(1, 22):
        called.append(str(ids.of_call(7, [around[0], *called[-1:]], used)))
    assert [*around[:1], *called, *around[1:]] == sorted([*around, *called])
    assert len({*called, str(ids.of_call(8, around[:1], 1))}) == len(called) + 1


def test_a_run_follows_a_state_that_was_made_by_a_faster_clock() -> None:
    driver = RunDriver(many_places(Seen(list)), D1Opener(write_behind=True))
    early = CheckpointIds(RUN, clock.shifted(clock.now_iso(), 3600)).of_step(0, 0)
    config: Any = {"configurable": {"thread_id": driver.thread_id, "checkpoint_ns": ""}}

    async def begin() -> None:
        await driver.slice(driver.job(1, input={}))
        latest = await driver.saver.aget_tuple(config)
        assert latest is not None
        await driver.saver.aput(config, {**latest.checkpoint, "id": str(early)}, {"step": 1}, {})
        await driver.saver.flush()

    run_alone(begin)
    assert driver.crash(driver.job(2, input={}), after=60) is not None
    outcome = run_alone(lambda: driver.slice(driver.job(2, input={}, attempt=2)))
    ended = run_alone(lambda: driver.saver.aget_tuple(config))
    assert outcome.status == "success"
    assert ended is not None
    assert ended.metadata.get("run_id") == driver.job(2).run_id
    assert ended.checkpoint["id"] > str(early)


async def test_a_graph_on_another_thread_keeps_the_ids_of_the_clock() -> None:
    """Others may have worked there since this run began."""
    other = StateGraph(State).add_node("note", lambda _: {"log": ["other"]}).add_edge(START, "note")
    remembering = other.compile(checkpointer=InMemorySaver())
    elsewhere: Any = {"configurable": {"thread_id": "elsewhere", "checkpoint_ns": ""}}

    async def act(_: State) -> State:
        await remembering.ainvoke({"log": []}, elsewhere)
        return {"log": ["act"]}

    driver = RunDriver(StateGraph(State).add_node(act).add_edge(START, "act").compile())
    job = replace(driver.job(input={}), first_started_at=clock.shifted(clock.now_iso(), -3600))
    before = str(uuid6())
    await driver.slice(job)
    own = await driver.saver.aget_tuple({"configurable": {"thread_id": driver.thread_id, "checkpoint_ns": ""}})
    foreign = await remembering.aget_state(elsewhere)
    assert own is not None
    assert own.checkpoint["id"] < before < foreign.config["configurable"]["checkpoint_id"]
