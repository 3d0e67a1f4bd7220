"""Whatever batch of a run's life D1 refuses, commits without an answer or is slow with, nobody can tell afterwards."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, TypeVar

import pytest
from langgraph.graph import END, START, StateGraph
from langgraph.store.base import BaseStore
from langgraph.types import interrupt

import clock
import patient_database
from errors import DatabaseError, DatabaseUnavailable
from patient_database import PatientDatabase
from ports import Row, Statement
from settings import Settings
from streaming import sse
from streaming.fanout import From
from tests.support.http_api import Api, State
from tests.support.thread_object_in_memory import ThreadObjectInMemory

T = TypeVar("T")

#: What happens to one batch: D1 never gets it; gets it and its answer is lost; the same six times; it takes its time;
#: it was given up and sent again before it is committed at last.
Fault: TypeAlias = Literal["not sent", "answer lost", "out of reach", "stalled", "too late"]
FAULTS: tuple[Fault, ...] = ("not sent", "answer lost", "out of reach", "stalled", "too late")
_FAILURES: dict[Fault, int] = {"not sent": 1, "answer lost": 1, "out of reach": 6, "stalled": 0, "too late": 1}


@dataclass
class FaultyConnection:
    """The object's way to the database, with a fault at one of its batches."""

    api: Api
    fault: Fault = "stalled"
    at: int = -1
    #: Batches that were sent, those that failed not counted twice.
    batches: int = 0
    _failures_left: int | None = field(default=None, init=False)

    async def batch(self, statements: Sequence[Statement]) -> list[list[Row]]:
        """See `ports.Database.batch`."""
        if self.batches != self.at:
            self.batches += 1
            return await self.api.db.batch(statements)
        if self._failures_left is None:
            self._failures_left = _FAILURES[self.fault]
        if self.fault == "stalled":
            for _ in range(300):
                await asyncio.sleep(0)
        if self._failures_left:
            self._failures_left -= 1
            if self.fault == "answer lost" or (self.fault == "out of reach" and self._failures_left == 2):
                await self.api.db.batch(statements)
            raise DatabaseUnavailable("Network connection lost.")
        self.batches += 1
        answered = await self.api.db.batch(statements)
        if self.fault == "too late":
            with suppress(DatabaseError):
                await self.api.db.batch(statements)
        return answered

    def wait(self, call: Coroutine[Any, Any, T]) -> T:
        """See `ports.Database.wait`."""
        return self.api.db.wait(call)


class Thread(ThreadObjectInMemory):
    """A thread whose graphs count what they do."""

    connection: FaultyConnection
    executed: list[str]

    @classmethod
    async def new(cls, fault: Fault, at: int, **settings: Any) -> "Thread":
        api = Api()
        cls.connection = FaultyConnection(api, fault, at)
        thread = cls(api, await api.new_thread(), Settings(**settings))
        api.thread_objects.wake = thread.wake  # type: ignore[method-assign]
        thread.executed = []
        api.registry.graphs["counting"] = counting_graph(thread.executed)
        return thread

    def open_database(self) -> PatientDatabase:
        """See `ThreadObjectInMemory`."""
        return PatientDatabase(self.connection)

    async def wake(self, _thread_id: str) -> None:
        """See `ports.ThreadObjects`."""
        await self.runner.wake()

    async def picture(self) -> dict[str, Any]:
        """All that anybody can see of the thread, and how often its graphs did what."""
        rows = self.api.db.connection.execute("SELECT run_id, status, attempt, error FROM runs ORDER BY run_id")
        runs = [tuple(row) for row in rows]
        checkpoints = self.api.db.connection.execute(
            "SELECT json_extract(metadata, '$.step'), COUNT(*) FROM checkpoints GROUP BY 1 ORDER BY checkpoint_id"
        )
        webhooks = self.api.db.connection.execute("SELECT body FROM webhooks ORDER BY run_id")
        told = [json.loads(row[0]) for row in webhooks]
        metrics = self.api.db.connection.execute(
            "SELECT graph_id, status, runs, supersteps, retries FROM run_metrics ORDER BY graph_id, status"
        )
        shown = await self.api.ask("GET", f"/threads/{self.thread_id}")
        thread = json.loads(shown.body)  # type: ignore[union-attr]
        return {
            "executed": self.executed,
            "runs": [row[1:] for row in runs],
            "checkpoints": [tuple(row) for row in checkpoints],
            "webhooks": [(body["status"], body["values"]) for body in told],
            "metrics": [tuple(row) for row in metrics],
            "circuits": [
                tuple(row) for row in self.api.db.connection.execute("SELECT graph_id, failures FROM circuits")
            ],
            "dead letters": self.api.rows("dead_letters"),
            "announced": len(self.webhook_queue.sent),
            "thread": {name: thread.get(name) for name in ("status", "values", "error")},
            "asks": len(thread.get("interrupts") or {}),
            "store": self.api.rows("store_items"),
        }

    async def follow(self, run_id: str) -> Callable[[], Awaitable[list[tuple[str, str]]]]:
        """Begin to read a run's stream as a client does; the function waits for its end."""
        subscription = self.streams.subscribe(run_id, From.START, ["values", "updates"])

        async def read() -> list[tuple[str, str]]:
            text = ""
            while (chunk := await subscription.next_chunk()) is not None:
                text += chunk
            subscription.close()
            return [(frame.name, sse.data_of(frame).replace(run_id, "ID")) for frame in sse.split(text)]

        reading = asyncio.ensure_future(read())
        return lambda: asyncio.wait_for(reading, 10)


def counting_graph(executed: list[str]) -> Any:
    """Four super-steps; one of them uses the store, the one before the last asks when the topic says so."""

    def node(name: str) -> Any:
        async def act(state: State, *, store: BaseStore) -> State:
            executed.append(f"{state['topic']}:{name}")
            if name == "keep":
                await store.aput(("notes",), state["topic"], {"kept": True})
            if state["topic"] == "fail" and name == "end":
                raise ValueError("boom")
            if state["topic"] == "ask" and name == "ask":
                return {"log": [interrupt("why?")]}
            return {"log": [name]}

        return act

    builder = StateGraph(State)
    builder.add_sequence([(name, node(name)) for name in ("begin", "keep", "ask", "end")])
    builder.add_edge(START, "begin")
    builder.add_edge("end", END)
    return builder.compile()


WEBHOOK = "https://hooks.example.com/"
Story: TypeAlias = Callable[[Thread], Awaitable[Any]]


async def two_runs(thread: Thread, **body: Any) -> Any:
    body = {"webhook": WEBHOOK, "stream_mode": ["values", "updates"], **body}
    ids = [await thread.create("counting", input={"topic": topic}, **body) for topic in ("a", "b")]
    streams = [await thread.follow(run_id) for run_id in ids]
    await thread.runner.work()
    return [await end() for end in streams]


async def in_order(thread: Thread) -> Any:
    return await two_runs(thread, durability="sync")


async def only_its_end_is_stored(thread: Thread) -> Any:
    return await two_runs(thread, durability="exit")


async def stateless(thread: Thread) -> Any:
    """On a thread that goes with the run."""
    body = {"assistant_id": "counting", "input": {"topic": "a"}, "webhook": WEBHOOK, "on_completion": "delete"}
    run = await thread.api.json("POST", "/runs", body, status=202)
    thread.thread_id = run["thread_id"]
    thread.incarnate()
    waiting = asyncio.ensure_future(thread.streams.result(run["run_id"]))
    await thread.runner.work()
    return json.loads(await asyncio.wait_for(waiting, 10))


async def asks_and_is_answered(thread: Thread) -> Any:
    run_id = await thread.create("counting", input={"topic": "ask"})
    stream = await thread.follow(run_id)
    await thread.runner.work()
    answered = await thread.create("counting", command={"resume": "because"})
    stream_of_answer = await thread.follow(answered)
    await thread.runner.work()
    return [(name, "?" if "interrupt" in data else data) for name, data in [*await stream(), *await stream_of_answer()]]


async def fails(thread: Thread) -> Any:
    stream = await thread.follow(await thread.create("counting", input={"topic": "fail"}, webhook=WEBHOOK))
    await thread.runner.work()
    return await stream()


async def is_driven_in_slices(thread: Thread) -> Any:
    run_id = await thread.create("counting", input={"topic": "a"}, stream_mode=["values", "updates"], webhook=WEBHOOK)
    stream = await thread.follow(run_id)
    await thread.runner.work()
    while await thread.runner.run_slice(*thread.workflows.started[0][1:]):
        pass
    # The alarm that a slice sets finds nothing to do.
    await thread.runner.work()
    return await stream()


async def goes_on_after_a_crash(thread: Thread) -> Any:
    run_id = await thread.create("counting", input={"topic": "a"}, webhook=WEBHOOK)
    thread.api.db.connection.execute("UPDATE runs SET status = 'running', attempt = 1, updated_at = '2026'")
    stream = await thread.follow(run_id)
    await thread.runner.work()
    return await stream()


async def gives_up(thread: Thread) -> Any:
    run_id = await thread.create("counting", input={"topic": "a"}, webhook=WEBHOOK)
    thread.api.db.connection.execute("UPDATE runs SET status = 'running', attempt = 1, updated_at = '2026'")
    stream = await thread.follow(run_id)
    await thread.runner.work()
    assert await thread.status(run_id) == "error"
    return await stream()


def open_circuit(thread: Thread, since: str) -> None:
    thread.api.db.connection.execute(
        "INSERT INTO circuits (graph_id, version, failures, failed_at, opened_at)"
        " VALUES ('counting', 'test', 5, ?1, ?1)",
        (since,),
    )


async def is_refused(thread: Thread) -> Any:
    open_circuit(thread, clock.now_iso())
    return await gives_up(thread)


async def is_the_probe(thread: Thread) -> Any:
    open_circuit(thread, "2026-01-01T00:00:00.000000+00:00")
    seen = await goes_on_after_a_crash(thread)
    assert thread.api.rows("circuits") == 0
    return seen


async def is_rolled_back(thread: Thread) -> Any:
    """After it has ended all but its row."""
    await thread.create("counting", input={"topic": "a"})
    await thread.runner.work()
    run_id = await thread.create("counting", input={"topic": "b"}, webhook=WEBHOOK)
    thread.api.db.connection.execute(
        "UPDATE runs SET status = 'running', attempt = 1, started_at = created_at, updated_at = '2026',"
        " cancel_action = 'rollback'"
        " WHERE run_id = ?",
        (run_id,),
    )
    stream = await thread.follow(run_id)
    await thread.runner.work()
    return await stream()


async def is_cancelled_while_it_waits(thread: Thread) -> Any:
    run_id = await thread.create("counting", input={"topic": "a"}, after_seconds=3600, webhook=WEBHOOK)
    stream = await thread.follow(run_id)
    await thread.runner.stop(run_id, "the client left")
    await thread.runner.work()
    return await stream()


STORIES: dict[str, tuple[Story, dict[str, Any]]] = {
    story.__name__: (story, settings)
    for story, settings in (
        (two_runs, {}),
        (in_order, {}),
        (only_its_end_is_stored, {}),
        (stateless, {}),
        (asks_and_is_answered, {}),
        (fails, {}),
        (is_driven_in_slices, {"slice_supersteps": 1}),
        (goes_on_after_a_crash, {}),
        (gives_up, {"max_attempts": 1}),
        (is_refused, {}),
        (is_the_probe, {}),
        (is_rolled_back, {}),
        (is_cancelled_while_it_waits, {}),
    )
}


async def told(name: str, fault: Fault = "stalled", at: int = -1) -> tuple[Any, dict[str, Any], int]:
    """What clients saw, what is left, and how many batches it took."""
    story, settings = STORIES[name]
    thread = await Thread.new(fault, at, **settings)
    seen = await story(thread)
    return seen, await thread.picture(), thread.connection.batches


@pytest.mark.parametrize("name", STORIES)
@pytest.mark.parametrize("fault", FAULTS)
async def test_nobody_can_tell_which_batch_d1_lost(name: str, fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patient_database, "FIRST_PAUSE_SECONDS", 0.0)
    seen, picture, batches = await told(name)
    assert batches >= 3
    for at in range(batches):
        seen_too, picture_too, _ = await told(name, fault, at)
        assert seen_too == seen, f"batch {at}"
        assert picture_too == picture, f"batch {at}"
