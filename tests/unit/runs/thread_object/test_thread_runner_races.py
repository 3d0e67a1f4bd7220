"""What happens to the executor of a thread between two awaits, and what is too large for a row."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from langgraph.graph import END, START, StateGraph
from langgraph.types import interrupt

import clock
from checkpoints import group_commit
from errors import DatabaseError, ValueTooLarge
from ports import Row, Statement
from runs.thread_object import thread_runner
from settings import Settings
from tests.support.http_api import Api, State
from tests.support.thread_object_in_memory import ThreadObjectInMemory


async def new(**settings: Any) -> ThreadObjectInMemory:
    api = Api()
    return ThreadObjectInMemory(api, await api.new_thread(), Settings(**settings))


def serve(thread: ThreadObjectInMemory, *nodes: Any) -> None:
    graph = StateGraph(State)
    graph.add_sequence([(f"n{n}", node) for n, node in enumerate(nodes)])
    graph.add_edge(START, "n0")
    thread.api.registry.graphs["g"] = graph.compile()


def during(thread: ThreadObjectInMemory, text: str, act: Any) -> None:
    """`act` happens once, after the next batch with `text` was executed and before its answer arrives."""
    batch = thread.api.db.batch

    async def racing(statements: Sequence[Statement]) -> list[list[Row]]:
        results = await batch(statements)
        if any(text in statement.sql for statement in statements):
            thread.api.db.batch = batch  # type: ignore[method-assign]
            await act()
        return results

    thread.api.db.batch = racing  # type: ignore[method-assign]


async def test_a_wake_during_a_look_is_not_lost_to_a_run_that_is_due_later() -> None:
    thread = await new()
    await thread.create(after_seconds=3600)

    async def a_run_arrives() -> None:
        await thread.create(input={"topic": "t"})
        await thread.runner.wake()

    during(thread, "SET status = 'running'", a_run_arrives)
    await thread.runner.work()
    assert thread.alarm.at_ms is not None
    assert thread.alarm.at_ms < clock.now_ms() + 1000


async def test_an_alarm_that_has_asked_d1_often_leaves_the_other_runs_to_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(thread_runner, "ALARM_BATCHES", 8)
    thread = await new()
    ids = [await thread.create(input={"topic": str(n)}) for n in range(4)]
    await thread.runner.work()
    first = [await thread.status(run_id) for run_id in ids]
    assert (first[0], first[-1]) == ("success", "pending")
    while thread.alarm.at_ms is not None:
        thread.alarm.at_ms = None
        await thread.runner.work()
    assert [await thread.status(run_id) for run_id in ids] == ["success"] * 4


async def test_a_cancel_while_the_run_is_being_claimed_stops_it() -> None:
    thread = await new()
    run_id = await thread.create(input={"topic": "t"})

    async def cancel() -> None:
        asyncio.get_running_loop().create_task(thread.runner.stop(run_id, "gone"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    during(thread, "SET status = 'running'", cancel)
    await thread.runner.work()
    assert await thread.status(run_id) == "interrupted"


async def test_a_run_whose_end_was_stored_without_an_answer_ends_its_streams() -> None:
    thread = await new()
    run_id = await thread.create(input={"topic": "t"})
    waiting = asyncio.ensure_future(thread.streams.result(run_id))

    async def lose_the_answer() -> None:
        raise DatabaseError("D1 did not answer")

    during(thread, "SET status = ?, error", lose_the_answer)
    await thread.runner.work()
    await thread.runner.work()  # the alarm
    assert await thread.status(run_id) == "success"
    await asyncio.wait_for(waiting, 1)


async def test_an_interrupt_too_large_for_a_row_ends_the_run_at_once_and_says_so() -> None:
    thread = await new(max_attempts=3)
    serve(thread, lambda state: {"log": [interrupt("x" * 2_100_000)]})
    run_id = await thread.create("g", input={"topic": "t"})
    await thread.runner.work()
    assert await thread.status(run_id) in ("success", "error")
    error = (await thread.thread())["error"]
    assert error is None or error["error"] != "AttemptsExhausted"


async def test_an_error_text_too_large_for_a_row_ends_the_run_at_once() -> None:
    thread = await new(max_attempts=3)

    def fail(state: State) -> State:
        raise ValueError("x" * 2_100_000)

    serve(thread, fail)
    run_id = await thread.create("g", input={"topic": "t"})
    await thread.runner.work()
    assert await thread.status(run_id) == "error"
    assert (await thread.thread())["error"]["error"] == "ValueError"


async def test_a_checkpoint_that_is_refused_for_good_is_not_tried_again_when_written_behind() -> None:
    thread, executed = await new(max_attempts=3), list[int]()

    async def node(state: State) -> State:
        executed.append(1)
        return {"log": ["a"]}

    serve(thread, node)
    run_id = await thread.create("g", input={"topic": "t"}, durability="async")
    batch = thread.api.db.batch

    async def refusing(statements: Sequence[Statement]) -> list[list[Row]]:
        if any("INSERT INTO checkpoint_writes" in statement.sql for statement in statements):
            raise ValueTooLarge("string or blob too big")
        return await batch(statements)

    thread.api.db.batch = refusing  # type: ignore[method-assign]
    for _ in range(5):
        await thread.runner.work()
    assert (await thread.status(run_id), (await thread.thread())["error"]["error"]) == ("error", "ValueTooLarge")
    assert len(executed) <= 1


@pytest.mark.parametrize("durability", ["async", "sync"])
async def test_an_executor_that_was_replaced_does_not_take_the_run_back(durability: str) -> None:
    thread = await new(max_attempts=100)
    replaced = list[bool]()

    async def replace(state: State) -> State:
        if not replaced:
            replaced.append(True)
            thread.api.db.connection.execute("UPDATE runs SET attempt = attempt + 1")
        return {"log": ["a"]}

    serve(thread, replace, lambda state: {"log": ["b"]})
    await thread.create("g", input={"topic": "t"}, durability=durability)
    await thread.runner.work()
    assert thread.alarm.at_ms is None
    assert thread.api.db.connection.execute("SELECT attempt FROM runs").fetchone()[0] == 2


async def test_the_silence_of_a_finished_runs_workflow_does_not_hold_up_the_next_run() -> None:
    thread = await new(slice_supersteps=1)
    long = await thread.create(input={"topic": "t"})
    await thread.runner.work()
    while await thread.runner.run_slice(long, 1):
        pass
    after = await thread.create(input={"topic": "t"})
    thread.api.db.connection.execute("UPDATE runs SET status = 'running', attempt = 1 WHERE run_id = ?", (after,))
    await thread.runner.work()
    query = "SELECT attempt FROM runs WHERE run_id = ?"
    assert thread.api.db.connection.execute(query, (after,)).fetchone()[0] == 2, "it was taken over at once"


async def test_cancelling_a_pending_run_leaves_its_thread_interrupted() -> None:
    thread = await new()
    await thread.create("approval", input={"topic": "t"})
    await thread.runner.work()
    pending = await thread.create("approval", after_seconds=3600)
    await thread.runner.stop(pending, "gone")
    await thread.runner.work()
    assert (await thread.thread())["status"] == "interrupted"


async def test_what_waits_behind_a_slow_commit_is_bounded_in_size(monkeypatch: pytest.MonkeyPatch) -> None:
    thread, most, steps = await new(), [0], [0]

    async def node(state: State) -> State:
        steps[0] += 1
        return {"topic": str(steps[0]) * 500_000}

    graph = StateGraph(State)
    graph.add_node("n", node)
    graph.add_edge(START, "n")
    graph.add_conditional_edges("n", lambda state: END if steps[0] >= 30 else "n")
    thread.api.registry.graphs["g"] = graph.compile()
    await thread.create("g", input={"topic": "t"}, config={"recursion_limit": 100})
    batch, submit = thread.api.db.batch, group_commit.GroupCommit.submit

    async def far(statements: Sequence[Statement]) -> list[list[Row]]:
        for _ in range(3000):
            await asyncio.sleep(0)
        return await batch(statements)

    def noting(self: Any, statements: Sequence[Statement]) -> Any:
        submitted = submit(self, statements)
        most[0] = max(most[0], sum(waiting.chars for waiting in self._waiting))
        return submitted

    thread.api.db.batch = far  # type: ignore[method-assign]
    monkeypatch.setattr(group_commit.GroupCommit, "submit", noting)
    await thread.runner.work()
    assert most[0] < 4 * group_commit.MAX_BATCH_CHARS


async def test_a_history_filter_of_many_keys_is_no_database_error() -> None:
    api = Api()
    thread_id = await api.new_thread(metadata={"graph_id": "sequence"})
    metadata = {f"k{n}": "x" for n in range(60)}
    assert await api.json("POST", f"/threads/{thread_id}/history", {"metadata": metadata}) == []
