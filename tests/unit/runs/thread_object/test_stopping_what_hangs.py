"""Runs end even if their graph hangs: in its making, in its closing, or in a state that kills whoever reads it."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from langgraph.graph import START, StateGraph

from graphs import factories
from graphs.factories import Purpose, made
from runs.execution import executor
from tests.support.held_thread import Thread
from tests.support.http_api import GraphsInMemory, State


class OpenedFor(GraphsInMemory):
    """A registry with one graph, that of a factory."""

    def __init__(self, factory: Any) -> None:
        super().__init__()
        self.factory = factory

    @asynccontextmanager
    async def open(self, graph_id: str, purpose: Purpose) -> AsyncGenerator[Any]:
        """See `api.context.Registry`."""
        assert graph_id in self.graphs
        async with made(self.factory, purpose) as graph:
            yield graph


@pytest.mark.parametrize("how", ["interrupt", "rollback", "timeout"])
async def test_a_run_is_stopped_while_its_graph_is_made(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a factory that waits for ever, for somebody else's server say, whatever the graph is wanted for."""
    monkeypatch.setattr(factories, "READING_SECONDS", 0.1)
    thread = await Thread.new(bg_job_timeout_secs=1 if how == "timeout" else 3600)
    is_hanging = asyncio.Event()

    async def factory() -> Any:
        is_hanging.set()
        await asyncio.Event().wait()

    thread.api.registry = OpenedFor(factory)
    thread.incarnate()
    run_id = await thread.create(input={"topic": "t"})
    work = asyncio.ensure_future(thread.runner.work())
    await asyncio.wait_for(is_hanging.wait(), 5)
    if how != "timeout":
        await thread.cancel(run_id, f"?action={how}")
    await asyncio.wait_for(work, 5)
    expected = {"interrupt": "interrupted", "rollback": None, "timeout": "timeout"}[how]
    assert (await thread.runs()).get(run_id) == expected


async def test_a_graph_that_cannot_be_put_away_holds_up_no_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(factories, "CLOSING_SECONDS", 0.1)
    thread = await Thread.new()

    @asynccontextmanager
    async def factory() -> AsyncGenerator[Any]:
        yield GraphsInMemory().graphs["sequence"]
        await asyncio.Event().wait()

    thread.api.registry = OpenedFor(factory)
    thread.incarnate()
    run_id = await thread.create(input={"topic": "t"})
    await asyncio.wait_for(thread.runner.work(), 5)
    assert await thread.status(run_id) == "success"


@pytest.mark.parametrize("action", ["interrupt", "rollback"])
async def test_a_stop_ends_although_whoever_reads_the_state_dies_of_it(action: str) -> None:
    thread = await Thread.new(max_attempts=2)
    is_reading = asyncio.Event()

    class Deadly(GraphsInMemory):
        @asynccontextmanager
        async def open(self, graph_id: str, purpose: Purpose) -> AsyncGenerator[Any]:
            """See `api.context.Registry`."""
            if purpose.access == "threads.read":
                is_reading.set()
                await asyncio.Event().wait()
            yield self.graphs[graph_id]

    await thread.create(input={"topic": "s"})
    await thread.runner.work()
    before = thread.api.rows("checkpoints")
    thread.api.registry = Deadly(thread.api.registry.graphs)
    thread.incarnate()
    held = await thread.create("held", input={"topic": "t"})
    working = asyncio.ensure_future(thread.runner.work())
    await asyncio.wait_for(thread.is_in_node.wait(), 5)
    await thread.cancel(held, f"?action={action}")
    for _ in range(2):
        await asyncio.wait_for(is_reading.wait(), 5)
        await thread.crash(working)
        is_reading.clear()
        working = asyncio.ensure_future(thread.runner.work())
    await asyncio.wait_for(working, 5)
    assert (await thread.runs()).get(held) == {"interrupt": "interrupted", "rollback": None}[action]
    assert (thread.api.rows("checkpoints") > before) == (action == "interrupt")
    shown = await thread.thread()
    assert shown["status"] != "busy"
    assert shown["values"] == {"topic": "s", "log": ["plan", "write"]}
    after = await thread.create(input={"topic": "u"})
    await thread.runner.work()
    assert await thread.status(after) == "success"


@pytest.mark.parametrize("how", ["interrupt", "rollback", "timeout"])
async def test_a_node_that_catches_its_cancellation_costs_the_object(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executor, "RESET_SECONDS", 0.1)
    thread = await Thread.new(bg_job_timeout_secs=1 if how == "timeout" else 3600)
    is_reset = asyncio.Event()
    thread.reset = is_reset.set  # type: ignore[method-assign]
    thread.incarnate()

    async def insist(_state: State) -> State:
        thread.is_in_node.set()
        while not thread.release.is_set():
            with suppress(asyncio.CancelledError):
                await thread.release.wait()
        return {"log": ["late"]}

    graph = StateGraph(State)
    graph.add_node("n", insist)
    graph.add_edge(START, "n")
    thread.api.registry.graphs["g"] = graph.compile()
    run_id = await thread.create("g", input={"topic": "t"})
    lost = asyncio.ensure_future(thread.runner.work())
    await asyncio.wait_for(thread.is_in_node.wait(), 5)
    if how != "timeout":
        await thread.cancel(run_id, f"?action={how}")
    await asyncio.wait_for(is_reset.wait(), 5)
    thread.incarnate()
    await asyncio.wait_for(thread.runner.work(), 5)
    thread.release.set()
    await asyncio.wait_for(lost, 5)
    expected = {"interrupt": "interrupted", "rollback": None, "timeout": "timeout"}[how]
    assert (await thread.runs()).get(run_id) == expected
    assert await thread.log() in (None, [])


async def test_a_run_that_is_stopped_twice_ends_after_its_nodes_and_the_next_one_begins_after_it() -> None:
    thread = await Thread.new()

    async def tidy(_state: State) -> State:
        thread.is_in_node.set()
        try:
            await asyncio.Event().wait()
        finally:
            await thread.release.wait()
        return {}

    graph = StateGraph(State)
    graph.add_node("n", tidy)
    graph.add_edge(START, "n")
    thread.api.registry.graphs["g"] = graph.compile()
    run_id = await thread.create("g", input={"topic": "t"})
    behind = await thread.create(input={"topic": "u"})
    work = asyncio.ensure_future(thread.runner.work())
    await asyncio.wait_for(thread.is_in_node.wait(), 5)
    for _ in range(2):
        await thread.cancel(run_id)
        await asyncio.wait({work}, timeout=0.1)
    assert await thread.runs() == {run_id: "running", behind: "pending"}
    thread.release.set()
    await asyncio.wait_for(work, 5)
    assert await thread.runs() == {run_id: "interrupted", behind: "success"}


async def test_a_run_that_is_stopped_while_it_fails_ends_after_its_nodes() -> None:
    """LangGraph waits for the node that goes on, until somebody cancels that."""
    thread = await Thread.new()

    async def insist(_state: State) -> State:
        thread.is_in_node.set()
        while not thread.release.is_set():
            with suppress(asyncio.CancelledError):
                await thread.release.wait()
        return {}

    async def fail(_state: State) -> State:
        await thread.is_in_node.wait()
        raise ValueError

    graph = StateGraph(State)
    for node in (insist, fail):
        graph.add_node(node)
        graph.add_edge(START, node.__name__)
    thread.api.registry.graphs["g"] = graph.compile()
    run_id = await thread.create("g", input={"topic": "t"})
    behind = await thread.create(input={"topic": "u"})
    work = asyncio.ensure_future(thread.runner.work())
    await asyncio.wait({work}, timeout=0.5)
    await thread.cancel(run_id)
    await asyncio.wait({work}, timeout=0.1)
    statuses = await thread.runs()
    thread.release.set()
    assert statuses == {run_id: "running", behind: "pending"}
    await asyncio.wait_for(work, 5)
    assert await thread.runs() == {run_id: "interrupted", behind: "success"}


async def test_a_node_that_is_cancelled_by_somebody_else_fails_its_run() -> None:
    thread = await Thread.new()

    async def cancelled(_state: State) -> State:
        raise asyncio.CancelledError

    graph = StateGraph(State)
    graph.add_node("n", cancelled)
    graph.add_edge(START, "n")
    thread.api.registry.graphs["g"] = graph.compile()
    run_id = await thread.create("g", input={"topic": "t"})
    await thread.runner.work()
    assert await thread.status(run_id) == "error"
