"""The log lines of a run: one line for each decision, and each line names its run, thread and attempt."""

import logging
from typing import Any

import pytest
from langgraph.graph import START, StateGraph

import clock
from settings import Settings
from tables import run_claims
from tables.run_history import Stamp
from tests.support.http_api import Api, State
from tests.support.thread_object_in_memory import ThreadObjectInMemory
from tests.support.written_lines import WrittenLines


@pytest.fixture
async def thread() -> ThreadObjectInMemory:
    api = Api()
    return ThreadObjectInMemory(api, await api.new_thread(), Settings(max_attempts=3))


async def cut_off(thread: ThreadObjectInMemory) -> None:
    """What an executor leaves of the thread's run that dies right after it took it."""
    claim = await run_claims.claim_oldest_pending(thread.api.db, thread.thread_id, Stamp(clock.moment(), "v1"))
    if claim.running:
        await run_claims.resume_running(thread.api.db, claim.running, Stamp(clock.moment(), "v1"))
    thread.incarnate()


async def test_an_ordinary_run_writes_three_lines(thread: ThreadObjectInMemory) -> None:
    with WrittenLines() as log:
        run_id = await thread.create(input={"topic": "t"})
        await thread.runner.work()
    assert log.events("level", "run_id", "thread_id", "attempt", "graph_id", "version", "status") == [
        ("run_accepted", "info", run_id, thread.thread_id, None, "sequence", "v1", None),
        ("run_started", "info", run_id, thread.thread_id, 1, "sequence", "v1", None),
        ("run_ended", "info", run_id, thread.thread_id, 1, "sequence", "v1", "success"),
    ]
    assert len(log.lines) == 3
    assert log.lines[-1]["duration_ms"] >= 0
    assert log.lines[-1]["supersteps"] == 3
    request_ids = {line["request_id"] for line in log.lines}
    assert len(request_ids) == 1


async def test_the_end_of_a_stateless_run_says_as_much(thread: ThreadObjectInMemory) -> None:
    run = await thread.api.json("POST", "/runs", {"assistant_id": "sequence", "input": {"topic": "t"}}, status=202)
    thread.thread_id = run["thread_id"]
    thread.incarnate()
    with WrittenLines() as log:
        await thread.runner.work()
    assert thread.api.rows("runs") == 0
    assert log.events("run_id", "status", "supersteps") == [
        ("run_started", run["run_id"], None, None),
        ("run_ended", run["run_id"], "success", 3),
    ]


async def test_a_run_that_was_cut_off_says_so(thread: ThreadObjectInMemory) -> None:
    await thread.create(input={"topic": "t"})
    await cut_off(thread)
    with WrittenLines() as log:
        await thread.runner.work()
    assert log.events("level", "cause", "attempt") == [
        ("run_resumed", "warning", "cut_off", 2),
        ("run_ended", "info", None, 2),
    ]


async def test_a_run_that_cannot_be_helped_is_an_error_that_says_what_to_do(thread: ThreadObjectInMemory) -> None:
    run_id = await thread.create(input={"topic": "t"})
    for _ in range(3):
        await cut_off(thread)
    with WrittenLines() as log:
        await thread.runner.work()
    assert log.events("level", "run_id", "status") == [
        ("run_given_up", "error", run_id, None),
        ("run_ended", "warning", run_id, "error"),
    ]
    assert "See the logs of these attempts" in log.lines[0]["message"]


async def test_a_stop_is_logged_when_it_is_asked_and_when_it_is_done(thread: ThreadObjectInMemory) -> None:
    run_id = await thread.create(input={"topic": "t"})
    await cut_off(thread)
    with WrittenLines() as log:
        await thread.api.ask("POST", f"/threads/{thread.thread_id}/runs/{run_id}/cancel")
        await thread.runner.work()
    assert log.events("run_id", "action", "cause", "status") == [
        ("run_stop_requested", run_id, "interrupt", None, None),
        ("run_resumed", run_id, None, "stop", None),
        ("run_ended", run_id, None, None, "interrupted"),
    ]


async def test_what_a_graph_raises_has_a_line_with_its_traceback(thread: ThreadObjectInMemory) -> None:
    run_id = await thread.create("failure", input={"topic": "t"})
    with WrittenLines(logging.WARNING) as log:
        await thread.runner.work()
    assert log.events("run_id", "error") == [("graph_failed", run_id, None), ("run_ended", run_id, "ValueError")]
    assert "ValueError: boom" in log.lines[0]["traceback"]


@pytest.mark.parametrize("is_async", [True, False])
async def test_what_a_node_logs_says_which_run_it_belongs_to(is_async: bool, thread: ThreadObjectInMemory) -> None:
    def speak(state: State) -> State:
        logging.getLogger("my.agent").info("thinking about %s", state["topic"])
        return {}

    async def speak_later(state: State) -> State:
        return speak(state)

    graph = StateGraph(State)
    graph.add_node("speak", speak_later if is_async else speak)
    graph.add_edge(START, "speak")
    graphs: dict[str, Any] = thread.api.registry.graphs
    graphs["speaker"] = graph.compile()
    run_id = await thread.create("speaker", input={"topic": "t"})
    with WrittenLines() as log:
        await thread.runner.work()
    [line] = [line for line in log.lines if line["logger"] == "my.agent"]
    assert (line["run_id"], line["attempt"], line["message"]) == (run_id, 1, "thinking about t")


async def test_no_line_says_what_runs_are_given_or_who_may_call(thread: ThreadObjectInMemory) -> None:
    secrets = {"input": {"topic": "s3cret-input"}, "config": {"configurable": {"api_key": "s3cret-config"}}}
    secrets |= {"webhook": "https://example.com/?token=s3cret-hook", "metadata": {"m": "s3cret-metadata"}}
    headers = {"x-api-key": "s3cret-key", "authorization": "Bearer s3cret-bearer", "cookie": "s3cret-cookie"}
    with WrittenLines(logging.DEBUG) as log:
        for graph_id in ("sequence", "failure"):
            body = {"assistant_id": graph_id, **secrets}
            await thread.api.json("POST", f"/threads/{thread.thread_id}/runs", body, status=202, **headers)
        await thread.runner.work()
    assert log.events()
    assert "s3cret" not in str(log.lines)


TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


async def test_a_callers_trace_is_in_every_line_of_the_run_in_all_attempts(thread: ThreadObjectInMemory) -> None:
    headers = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01", "tracestate": "a=1"}
    body = {"assistant_id": "sequence", "input": {"topic": "t"}}
    with WrittenLines() as log:
        run = await thread.api.json("POST", f"/threads/{thread.thread_id}/runs", body, status=202, **headers)
        await cut_off(thread)
        await thread.runner.work()
    assert [line["trace_id"] for line in log.lines] == [TRACE] * 3
    assert run["kwargs"]["config"]["configurable"]["__trace_context__"] == headers


async def test_without_one_the_request_begins_a_trace(thread: ThreadObjectInMemory) -> None:
    headers = {"x-request-id": "0190b2c4-1111-4222-8333-444455556666", "traceparent": "nonsense"}
    body = {"assistant_id": "sequence", "input": {"topic": "t"}}
    with WrittenLines() as log:
        run = await thread.api.json("POST", f"/threads/{thread.thread_id}/runs", body, status=202, **headers)
        await thread.runner.work()
    assert {line["trace_id"] for line in log.lines} == {"0190b2c4111142228333444455556666"}
    assert "__trace_context__" not in run["kwargs"]["config"]["configurable"]
