"""Runs that are asked to stop: the wish outlives any crash, and the thread shows what it should afterwards."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import pytest
from langgraph.graph import START, StateGraph
from langgraph.types import Command, interrupt

import clock
from errors import Unavailable
from ports import Row, Statement
from streaming.fanout import From
from tests.support.held_thread import INTERRUPT, ROLLBACK, Thread
from tests.support.http_api import Api, State, ThreadObjectNotes
from tests.support.thread_object_in_memory import ThreadObjectInMemory


@pytest.fixture
async def thread() -> Thread:
    return await Thread.new()


async def test_a_run_that_is_interrupted_keeps_what_it_committed(thread: Thread) -> None:
    run_id, work = await thread.start_held()
    followed = thread.streams.subscribe(run_id, From.START)
    waiting = asyncio.ensure_future(thread.streams.result(run_id))
    assert await thread.cancel(run_id) is None
    await asyncio.wait_for(work, 5)
    assert await thread.status(run_id) == "interrupted"
    shown = await thread.thread()
    assert (shown["status"], shown["error"]) == ("interrupted", INTERRUPT)
    assert shown["values"] == {"topic": "t", "log": ["first"]}
    assert json.loads(await waiting) == shown["values"]
    text = ""
    while chunk := await followed.next_chunk():
        text += chunk
    assert "event: error" not in text
    assert '"log":["first"]' in text
    thread.release.set()
    resumed = await thread.create("held", input=None)
    await thread.runner.work()
    assert await thread.status(resumed) == "success"
    assert (await thread.thread())["error"] is None
    assert await thread.log() == ["first", "second"]


async def test_a_run_that_is_rolled_back_leaves_as_if_it_had_never_been(thread: Thread) -> None:
    await thread.create("sequence", input={"topic": "before"})
    await thread.runner.work()
    before = await thread.thread()
    rows = [thread.api.rows(table) for table in ("checkpoints", "checkpoint_blobs", "checkpoint_writes", "runs")]
    run_id, work = await thread_with_log(thread)
    await thread.cancel(run_id, "?action=rollback")
    await asyncio.wait_for(work, 5)
    assert run_id not in await thread.runs()
    after = await thread.thread()
    assert (after["status"], after["error"], after["values"]) == ("idle", ROLLBACK, before["values"])
    assert after["metadata"] == before["metadata"]
    assert await thread.log() == ["plan", "write"]
    assert [
        thread.api.rows(table) for table in ("checkpoints", "checkpoint_blobs", "checkpoint_writes", "runs")
    ] == rows


async def thread_with_log(thread: Thread) -> tuple[str, "asyncio.Task[None]"]:
    """A held run on a thread that has a state of another graph."""
    run_id = await thread.create("held", input={"topic": "t"})
    thread.is_in_node.clear()
    work = asyncio.ensure_future(thread.runner.work())
    await asyncio.wait_for(thread.is_in_node.wait(), 5)
    return run_id, work


async def test_rolling_back_an_answer_asks_the_question_again(thread: Thread) -> None:
    async def ask(state: State) -> State:
        answer = interrupt("sure?")
        thread.is_in_node.set()
        await thread.release.wait()
        return {"log": [answer]}

    graph = StateGraph(State).add_node(ask).add_edge(START, "ask")
    thread.api.registry.graphs["asking"] = graph.compile()
    await thread.create("asking", input={"topic": "t"})
    await thread.runner.work()
    before = await thread.thread()
    assert before["status"] == "interrupted"
    run_id = await thread.create("asking", command={"resume": "yes"})
    work = asyncio.ensure_future(thread.runner.work())
    await asyncio.wait_for(thread.is_in_node.wait(), 5)
    await thread.cancel(run_id, "?action=rollback")
    await asyncio.wait_for(work, 5)
    after = await thread.thread()
    assert {name: after[name] for name in ("status", "values", "interrupts")} == {
        name: before[name] for name in ("status", "values", "interrupts")
    }
    thread.release.set()
    await thread.create("asking", command={"resume": "no"})
    await thread.runner.work()
    assert await thread.log() == ["no"]


@pytest.mark.parametrize("action", ["interrupt", "rollback"])
@pytest.mark.parametrize("dies", ["before it is told", "after it was told"])
async def test_an_executor_that_dies_leaves_the_wish_to_the_next(thread: Thread, action: str, dies: str) -> None:
    run_id, work = await thread.start_held()
    if dies == "before it is told":
        await thread.crash(work)
    await thread.cancel(run_id, f"?action={action}")
    if dies == "after it was told":
        await thread.crash(work)
    thread.release.set()
    await thread.runner.work()
    assert await thread.runs() == ({run_id: "interrupted"} if action == "interrupt" else {})
    assert await thread.log() == (["first"] if action == "interrupt" else None)
    assert (await thread.thread())["error"] == (INTERRUPT if action == "interrupt" else ROLLBACK)


async def test_a_wish_that_arrives_as_the_run_ends_is_honoured(thread: Thread) -> None:
    run_id, work = await thread.start_held()
    thread.api.thread_objects.wake = lambda _: asyncio.sleep(0)  # type: ignore[assignment, method-assign]
    await thread.cancel(run_id, "?action=rollback")
    thread.release.set()
    await asyncio.wait_for(work, 5)
    assert (await thread.runs(), await thread.log()) == ({}, None)


async def test_rollback_is_the_stronger_wish(thread: Thread) -> None:
    run_id, work = await thread.start_held()
    thread.api.thread_objects.wake = lambda _: asyncio.sleep(0)  # type: ignore[assignment, method-assign]
    await thread.cancel(run_id)
    await thread.cancel(run_id, "?action=rollback")
    await thread.cancel(run_id)
    await thread.runner.wake()
    await asyncio.wait_for(work, 5)
    assert (await thread.runs(), (await thread.thread())["error"]) == ({}, ROLLBACK)


@pytest.mark.parametrize("action", ["interrupt", "rollback"])
async def test_a_run_that_waits_stops_although_another_one_executes(thread: Thread, action: str) -> None:
    held, work = await thread.start_held()
    waits = await thread.create("sequence", input={"topic": "x"})
    await thread.cancel(waits, f"?action={action}")
    assert await thread.runs() == {held: "running", **({waits: "interrupted"} if action == "interrupt" else {})}
    assert (await thread.thread())["status"] == "busy"
    thread.release.set()
    await asyncio.wait_for(work, 5)
    assert await thread.log() == ["first", "second"]


@pytest.mark.parametrize("action", ["interrupt", "rollback"])
async def test_a_run_that_is_stopped_before_its_creator_asks_for_its_end_has_one(thread: Thread, action: str) -> None:
    """Whoever creates a run and waits for it does not wait for what executes meanwhile."""
    _, work = await thread.start_held()
    stopped = await thread.create("sequence", input={"topic": "x"})
    shown = (await thread.thread())["values"]
    await thread.cancel(stopped, f"?action={action}")
    assert json.loads(await asyncio.wait_for(thread.streams.result(stopped), 1)) == shown
    subscription = thread.streams.subscribe(stopped, From.START)
    assert await asyncio.wait_for(subscription.next_chunk(), 1) is None
    thread.release.set()
    await asyncio.wait_for(work, 5)


async def test_a_run_that_waits_for_its_time_is_over_once_it_is_cancelled(thread: Thread) -> None:
    later = await thread.create("sequence", after_seconds=3600)
    await thread.cancel(later)
    await thread.runner.work()
    assert await thread.runs() == {later: "interrupted"}
    shown = await thread.thread()
    assert (shown["status"], shown["error"], shown["values"]) == ("idle", None, None)


@pytest.mark.parametrize("query", ["", "?wait=1", "?action=rollback"])
async def test_only_unfinished_runs_can_be_cancelled(thread: Thread, query: str) -> None:
    run_id = await thread.create("sequence", input={"topic": "x"})
    await thread.runner.work()
    refused = await thread.cancel(run_id, query, status=404)
    assert refused["detail"].startswith("No matching runs to cancel.")
    unknown = await thread.cancel("d768ddec-5b34-4bbd-a981-38723694fe1b", query, status=404)
    assert unknown == {"detail": "No runs found to cancel."}
    assert (await thread.runs())[run_id] == "success"


async def test_a_run_that_takes_too_long_times_out() -> None:
    thread = await Thread.new(bg_job_timeout_secs=1)
    run_id, work = await thread.start_held()
    waiting = asyncio.ensure_future(thread.streams.result(run_id))
    await asyncio.wait_for(work, 5)
    assert await thread.status(run_id) == "timeout"
    shown = await thread.thread()
    assert (shown["status"], shown["error"]) == ("error", {"error": "TimeoutError", "message": ""})
    assert json.loads(await waiting) == shown["values"] == {"topic": "t", "log": ["first"]}


async def test_a_run_whose_time_passed_while_nobody_executed_it_times_out_at_once(thread: Thread) -> None:
    run_id, work = await thread.start_held()
    await thread.crash(work)
    long_ago = clock.shifted(clock.now_iso(), -3601)
    thread.api.db.connection.execute("UPDATE runs SET started_at = ?", (long_ago,))
    await thread.runner.work()
    assert await thread.status(run_id) == "timeout"


@pytest.mark.parametrize("strategy", ["interrupt", "rollback"])
async def test_a_newer_run_takes_the_place_of_those_before_it(thread: Thread, strategy: str) -> None:
    running, work = await thread.start_held()
    waiting = await thread.create("sequence", input={"topic": "never"})
    newer = await thread.create("sequence", input={"topic": "new"}, multitask_strategy=strategy)
    await thread.runner.wake()  # what the queue's message does
    await asyncio.wait_for(work, 5)
    await thread.runner.work()
    stopped = {running: "interrupted", waiting: "interrupted"} if strategy == "interrupt" else {}
    assert await thread.runs() == {**stopped, newer: "success"}
    assert await thread.log() == (["first"] if strategy == "interrupt" else []) + ["plan", "write"]
    shown = await thread.thread()
    assert (shown["status"], shown["error"]) == ("idle", None)


async def test_runs_of_one_thread_are_cancelled_together(thread: Thread) -> None:
    ids = [await thread.create("sequence", after_seconds=60) for _ in range(3)]
    body = {"thread_id": thread.thread_id, "run_ids": [*ids[:2], "8f45c342-3941-4ac0-81ed-ad5477241407"]}
    await thread.api.json("POST", "/runs/cancel", body, status=204)
    await thread.runner.work()
    assert await thread.runs() == {ids[0]: "interrupted", ids[1]: "interrupted", ids[2]: "pending"}
    body["run_ids"] = ids[:1]
    assert (await thread.api.detail("POST", "/runs/cancel", body, status=404)).startswith("No matching runs")


async def test_all_runs_with_a_status_are_cancelled_on_all_threads(thread: Thread) -> None:
    held, work = await thread.start_held()
    waiting = await thread.create("sequence")
    other = await thread.api.new_thread()
    await thread.api.json("POST", f"/threads/{other}/runs", {"assistant_id": "sequence"}, status=202)
    thread.api.queue.sent.clear()
    await thread.api.json("POST", "/runs/cancel", {"status": "pending"}, status=204)
    assert {thread_id for thread_id, _ in thread.api.queue.sent} == {thread.thread_id, other}
    await thread.runner.wake()
    assert await thread.runs() == {held: "running", waiting: "interrupted"}
    await thread.api.json("POST", "/runs/cancel?action=rollback", {"status": "all"}, status=204)
    await thread.runner.wake()
    await asyncio.wait_for(work, 5)
    assert await thread.runs() == {waiting: "interrupted"}


async def test_a_wish_is_kept_although_nobody_can_be_told(thread: Thread) -> None:
    run_id = await thread.create("sequence", after_seconds=60)
    thread.api.queue.failure = Unavailable("the queue is down")
    await thread.api.json("POST", "/runs/cancel", {"status": "all"}, status=204)
    thread.api.thread_objects.failures = [Unavailable("the object is being reset")]
    thread.api.thread_objects.wake = ThreadObjectNotes.wake.__get__(thread.api.thread_objects)  # type: ignore[method-assign]
    await thread.cancel(run_id, "?action=rollback")
    await thread.runner.work()
    assert await thread.runs() == {}


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"status": "bogus"},
        {"thread_id": "0a327802-6891-420a-a404-69928a57ad24"},
        {"run_ids": ["0a327802-6891-420a-a404-69928a57ad24"]},
        {"thread_id": "0a327802-6891-420a-a404-69928a57ad24", "run_ids": []},
        {"thread_id": "0a327802-6891-420a-a404-69928a57ad24", "run_ids": ["x"]},
        {"status": "all", "thread_id": "0a327802-6891-420a-a404-69928a57ad24"},
        {
            "status": "all",
            "thread_id": "0a327802-6891-420a-a404-69928a57ad24",
            "run_ids": ["0a327802-6891-420a-a404-69928a57ad24"],
        },
    ],
)
async def test_what_to_cancel_must_be_said_in_one_way(body: dict[str, Any]) -> None:
    await Api().detail("POST", "/runs/cancel", body, status=422)


async def test_nothing_to_cancel_is_nothing_found() -> None:
    assert await Api().detail("POST", "/runs/cancel", {"status": "all"}, status=404) == "No runs found to cancel."


async def test_a_deleted_run_takes_its_checkpoints_along(thread: Thread) -> None:
    ids: list[str] = []
    for topic in ("a", "b"):
        ids.append(await thread.create("sequence", input={"topic": topic}))
        await thread.runner.work()
    path = f"/threads/{thread.thread_id}/runs"
    await thread.api.json("DELETE", f"{path}/{ids[1]}", status=204)
    shown = await thread.thread()
    assert shown["values"] == {"topic": "a", "log": ["plan", "write"]}
    assert (await thread.api.json("GET", f"/threads/{thread.thread_id}/state"))["values"] == shown["values"]
    assert await thread.api.detail("DELETE", f"{path}/{ids[1]}", status=404) == "Run not found"
    await thread.api.json("DELETE", f"{path}/{ids[0]}", status=204)
    assert await thread.log() is None
    shown = await thread.thread()
    assert (shown["values"], shown["status"]) == (None, "idle")
    tables = ("runs", "checkpoints", "checkpoint_blobs", "checkpoint_writes", "large_texts")
    assert [thread.api.rows(table) for table in tables] == [0] * len(tables)


async def test_deleting_an_earlier_run_leaves_what_the_thread_shows(thread: Thread) -> None:
    first = await thread.create("sequence", input={"topic": "a"})
    await thread.runner.work()
    await thread.create("failure", input={"topic": "b"})
    await thread.runner.work()
    before = await thread.thread()
    assert before["status"] == "error"
    await thread.api.json("DELETE", f"/threads/{thread.thread_id}/runs/{first}", status=204)
    assert await thread.thread() == before


async def test_deleting_the_last_run_leaves_a_thread_busy_whose_earlier_run_executes(thread: Thread) -> None:
    _, work = await thread.start_held()
    waiting = await thread.create("sequence", input={"topic": "b"})
    await thread.cancel(waiting)
    await thread.api.json("DELETE", f"/threads/{thread.thread_id}/runs/{waiting}", status=204)
    assert (await thread.thread())["status"] == "busy"
    thread.release.set()
    await asyncio.wait_for(work, 5)
    shown = await thread.thread()
    assert (shown["values"], shown["status"]) == ({"topic": "t", "log": ["first", "second"]}, "idle")


async def test_deleting_the_last_run_leaves_a_thread_busy_whose_earlier_run_is_for_later(thread: Thread) -> None:
    later = await thread.create("sequence", after_seconds=60)
    run_id = await thread.create("sequence", input={"topic": "b"})
    await thread.runner.work()
    await thread.api.json("DELETE", f"/threads/{thread.thread_id}/runs/{run_id}", status=204)
    shown = await thread.thread()
    assert (shown["values"], shown["status"]) == (None, "busy")
    await thread.cancel(later)
    await thread.runner.work()
    assert (await thread.thread())["status"] == "idle"


async def test_what_a_run_left_is_not_deleted_under_the_next_one(thread: Thread) -> None:
    first = await thread.create("sequence", input={"topic": "a"})
    await thread.runner.work()
    await thread.create("held", input={"topic": "b"})
    work = asyncio.ensure_future(thread.runner.work())
    await asyncio.wait_for(thread.is_in_node.wait(), 5)
    path = f"/threads/{thread.thread_id}/runs/{first}"
    assert "join it before deleting" in await thread.api.detail("DELETE", path, status=409)
    thread.release.set()
    await asyncio.wait_for(work, 5)
    assert await thread.log() == ["plan", "write", "first", "second"]
    await thread.api.json("DELETE", path, status=204)
    assert await thread.log() == ["plan", "write", "first", "second"]


async def test_a_run_that_begins_while_another_is_deleted_finds_what_it_left(thread: Thread) -> None:
    first = await thread.create("sequence", input={"topic": "a"})
    await thread.runner.work()
    await thread.create("sequence", input={"topic": "b"})
    batch, works = thread.api.db.batch, [thread.runner.work()]

    async def once_the_next_has_ended(statements: Sequence[Statement]) -> list[list[Row]]:
        if works and any("DELETE FROM checkpoints" in one.sql for one in statements):
            await works.pop()
        return await batch(statements)

    thread.api.db.batch = once_the_next_has_ended  # type: ignore[method-assign]
    await thread.api.json("DELETE", f"/threads/{thread.thread_id}/runs/{first}", status=204)
    assert not works
    assert (await thread.thread())["values"] == {"topic": "b", "log": ["plan", "write"] * 2}
    assert await thread.log() == ["plan", "write"] * 2


async def test_deleting_a_running_run_rolls_it_back(thread: Thread) -> None:
    run_id, work = await thread.start_held()
    await thread.api.ask("DELETE", f"/threads/{thread.thread_id}/runs/{run_id}")
    await thread.runner.wake()
    await asyncio.wait_for(work, 5)
    assert (await thread.runs(), await thread.log()) == ({}, None)


async def test_a_stateless_run_that_is_cancelled_takes_its_thread_along(thread: Thread) -> None:
    created = await thread.api.json("POST", "/runs", {"assistant_id": "held", "input": {"topic": "t"}}, status=202)
    own = ThreadObjectInMemory(thread.api, created["thread_id"])
    work = asyncio.ensure_future(own.runner.work())
    await asyncio.wait_for(thread.is_in_node.wait(), 5)
    thread.api.thread_objects.wake = lambda _: own.runner.wake()  # type: ignore[assignment, method-assign]
    path = f"/threads/{created['thread_id']}"
    await thread.api.json("POST", f"{path}/runs/{created['run_id']}/cancel", status=202)
    await asyncio.wait_for(work, 5)
    await thread.api.detail("GET", path, status=404)
    assert [thread.api.rows(table) for table in ("runs", "checkpoints")] == [0, 0]


async def test_a_batch_is_created_whole_or_not_at_all() -> None:
    api = Api()
    good, bad = {"assistant_id": "sequence"}, {"assistant_id": "895dc9bc-e5b4-546c-8671-7015cc45913a"}
    created = await api.json("POST", "/runs/batch", [good, {**good, "input": {"topic": "x"}}])
    assert [run["status"] for run in created] == ["pending", "pending"]
    assert api.queue.sent == [(run["thread_id"], run["run_id"]) for run in created]
    await api.detail("POST", "/runs/batch", [good, bad], status=404)
    await api.detail("POST", "/runs/batch", [], status=422)
    await api.detail("POST", "/runs/batch", {}, status=422)
    assert "1.assistant_id" in await api.detail("POST", "/runs/batch", [good, {}], status=422)
    assert (api.rows("runs"), api.rows("threads")) == (2, 2)
    assert len(await api.json("POST", "/runs/batch", [good] * 100)) == 100
    await api.detail("POST", "/runs/batch", [good] * 101, status=422)
    assert api.rows("runs") == 102


async def test_a_command_that_goes_elsewhere_is_interrupted_as_well(thread: Thread) -> None:
    async def decide(state: State) -> Command[Any]:
        return Command(update={"log": ["decided"]}, goto="wait")

    async def wait(state: State) -> State:
        thread.is_in_node.set()
        await thread.release.wait()
        return {}

    graph = StateGraph(State).add_node(decide, destinations=("wait",)).add_node(wait).add_edge(START, "decide")
    thread.api.registry.graphs["held"] = graph.compile()
    run_id, work = await thread_with_log(thread)
    await thread.cancel(run_id)
    await asyncio.wait_for(work, 5)
    state = await thread.api.json("GET", f"/threads/{thread.thread_id}/state")
    assert (state["values"]["log"], state["next"]) == (["decided"], ["wait"])
