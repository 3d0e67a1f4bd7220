"""What each mechanism is for: without it, but with all others, something does not happen, or happens only later."""

import asyncio
from typing import Any

import pytest
from langgraph.graph import START, StateGraph

from runs.thread_object import workflow_drive
from settings import Settings
from tests.support.dying_thread import DyingThread
from tests.support.http_api import Api, State

STEPS = 4


async def new(**settings: Any) -> DyingThread:
    """A thread with a graph of four super-steps; its nodes run on the event loop, so that its turns can be counted."""

    def node(number: int) -> Any:
        async def act(_state: State) -> State:
            return {"log": [str(number)]}

        return act

    api = Api()
    graph = StateGraph(State)
    graph.add_sequence([(f"n{n}", node(n)) for n in range(STEPS)])
    api.registry.graphs["steps"] = graph.add_edge(START, "n0").compile()
    return DyingThread(api, await api.new_thread(), Settings(**settings), patience_seconds=10)


async def settled() -> None:
    """Whatever is at work goes on."""
    for _ in range(200):
        await asyncio.sleep(0)


async def time_passes(thread: DyingThread) -> None:
    """Alarms ring."""
    for _ in range(10):
        thread.ring()
        await settled()


async def assert_waits_for_the_sweeper(thread: DyingThread, run_id: str, status: str) -> None:
    """The run stays as it is until the sweeper comes by, and succeeds then."""
    await time_passes(thread)
    assert await thread.status(run_id) == status
    await thread.sweep()
    await time_passes(thread)
    assert await thread.status(run_id) == "success"


async def killed_while_it_executes(thread: DyingThread) -> str:
    """A run whose object died in the middle of it."""
    run_id = await thread.create("steps", input={"topic": "t"})
    await thread.runner.wake()
    thread.ring()
    for _ in range(20):
        await asyncio.sleep(0)
    assert await thread.status(run_id) == "running"
    thread.die()
    return run_id


async def test_with_the_alarm_a_killed_run_goes_on_by_itself() -> None:
    thread = await new()
    run_id = await killed_while_it_executes(thread)
    await time_passes(thread)
    assert await thread.status(run_id) == "success"


async def test_without_the_alarm_a_killed_run_waits_for_the_sweeper() -> None:
    thread = await new()
    run_id = await killed_while_it_executes(thread)
    thread.alarm.at_ms = None
    await assert_waits_for_the_sweeper(thread, run_id, "running")


async def test_without_the_queue_a_background_run_waits_for_the_sweeper() -> None:
    thread = await new()
    run_id = await thread.create("steps", input={"topic": "t"})
    await assert_waits_for_the_sweeper(thread, run_id, "pending")


async def test_without_alarm_and_sweeper_a_killed_run_waits_for_whoever_asks_for_its_thread_next() -> None:
    thread = await new()
    killed = await killed_while_it_executes(thread)
    thread.alarm.at_ms = None
    await time_passes(thread)
    assert await thread.status(killed) == "running"
    # A message about the next run is a hint to look at the first.
    await thread.create("steps", input={"topic": "t"})
    await thread.runner.wake()
    await time_passes(thread)
    assert await thread.status(killed) == "success"


@pytest.mark.parametrize("has_workflows", [True, False])
async def test_without_the_workflow_each_slice_waits_for_the_watchdog_and_costs_an_attempt(
    has_workflows: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The watchdog's minute is none here."""
    if not has_workflows:
        monkeypatch.setattr(workflow_drive, "SILENCE_SECONDS", 0)
    thread = await new(slice_supersteps=1)
    run_id = await thread.create("steps", input={"topic": "t"})
    await thread.runner.wake()
    for _ in range(5 * STEPS):
        if has_workflows:
            thread.step_workflows()
        thread.ring()
        await settled()
    assert await thread.status(run_id) == "success"
    [(attempt,)] = thread.api.db.connection.execute("SELECT attempt FROM runs").fetchall()
    assert attempt == 1 if has_workflows else attempt > 1


async def test_without_the_watchdog_a_run_whose_workflow_was_terminated_waits_for_the_sweeper(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(workflow_drive, "SILENCE_SECONDS", 0)
    thread = await new(slice_supersteps=1)
    run_id = await thread.create("steps", input={"topic": "t"})
    await thread.runner.wake()
    thread.ring()
    await settled()
    assert thread.workflows.started == [(thread.thread_id, run_id, 1)], "it never asks for a slice"
    thread.alarm.at_ms = None
    await assert_waits_for_the_sweeper(thread, run_id, "running")


async def test_an_interrupted_run_leaves_nothing_at_work_and_is_answered_after_a_restart() -> None:
    thread = await new()
    run_id = await thread.create("approval", input={"topic": "t"})
    await thread.runner.wake()
    await time_passes(thread)
    assert (await thread.status(run_id), (await thread.thread())["status"]) == ("success", "interrupted")
    assert (thread.alarm.at_ms, thread.workflows.started, thread.streams.followed()) == (None, [], [])
    assert asyncio.all_tasks() == {asyncio.current_task()}
    await thread.sweep()
    assert thread.api.queue.sent == []
    thread.die()
    answer = await thread.create("approval", command={"resume": "yes"})
    await thread.runner.wake()
    await time_passes(thread)
    assert await thread.status(answer) == "success"
    assert (await thread.thread())["values"]["log"] == ["yes"]


@pytest.mark.parametrize("is_workflow_alive", [True, False])
async def test_a_run_times_out_between_its_slices(is_workflow_alive: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workflow_drive, "SILENCE_SECONDS", 0)
    thread = await new(slice_supersteps=1)
    run_id = await thread.create("steps", input={"topic": "t"})
    await thread.runner.work()
    thread.api.db.connection.execute("UPDATE runs SET started_at = '2026-01-01T00:00:00.000000+00:00'")
    if is_workflow_alive:
        assert not await thread.runner.run_slice(run_id, 1)
    await time_passes(thread)
    assert await thread.status(run_id) == "timeout"
    assert (await thread.thread())["status"] == "error"


async def test_a_workflow_whose_attempt_was_replaced_is_sent_away_at_once() -> None:
    thread = await new(slice_supersteps=1)
    run_id = await thread.create("steps", input={"topic": "t"})
    await thread.runner.work()
    working = asyncio.ensure_future(thread.runner.run_slice(run_id, 1))
    for _ in range(10):
        await asyncio.sleep(0)
    sent_away = asyncio.ensure_future(thread.runner.run_slice(run_id, 0))
    await asyncio.sleep(0)
    assert sent_away.done()
    assert not sent_away.result()
    await working


async def test_a_slice_after_the_object_was_replaced_is_an_attempt_of_its_own() -> None:
    """The incarnation that handed the run over may be at work still: what it writes must be told from what follows."""
    thread = await new(slice_supersteps=1)
    run_id = await thread.create("steps", input={"topic": "t"}, durability="sync")
    await thread.runner.work()
    stored = thread.api.rows("checkpoints")
    thread.be_replaced()
    assert not await thread.runner.run_slice(run_id, 1)
    assert thread.api.rows("checkpoints") == stored
    for _ in range(5 * STEPS):
        thread.step_workflows()
        thread.ring()
        await settled()
    assert await thread.status(run_id) == "success"
    rows = thread.api.db.connection.execute(
        "SELECT json_extract(metadata, '$.run_attempt') FROM checkpoints ORDER BY checkpoint_id"
    )
    assert [row[0] for row in rows] == [1] * stored + [2] * (STEPS + 2 - stored)
    assert [instance[2] for instance in thread.workflows.started] == [1, 2], "one instance for each attempt"


async def test_what_a_cut_off_executor_still_sends_arrives_in_vain() -> None:
    """A checkpoint that arrives after the run was rolled back."""
    thread = await new()
    run_id = await thread.create("steps", input={"topic": "t"}, durability="sync")
    await thread.runner.wake()
    thread.ring()
    while "checkpoint" not in thread.connection.sent:  # noqa: ASYNC110 - the turns of the loop are what is counted
        await asyncio.sleep(0)
    thread.faults.append("late")
    thread.be_replaced()
    await thread.api.ask("POST", f"/threads/{thread.thread_id}/runs/{run_id}/cancel?action=rollback")
    await thread.runner.wake()
    thread.ring()
    for _ in range(100):
        await asyncio.sleep(0)
    assert (thread.api.rows("runs"), thread.faults) == (0, [])
    await time_passes(thread)
    assert thread.api.rows("checkpoints") == 0
