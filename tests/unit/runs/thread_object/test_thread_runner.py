"""The executor of one thread, with everything real but the platform."""

import json
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest

import clock
from d1_cache import D1Cache
from ports import Database, Platform
from runs.execution.executor import Executor
from runs.execution.provided import Provided
from runs.thread_object.thread_runner import ThreadRunner
from settings import Settings
from store.d1_store import D1Store
from streaming.event_log import ENDED_STEP
from streaming.fanout import RunStreams
from tables import run_claims
from tables.run_history import Stamp
from tests.support.http_api import Api, QueueNotes
from tests.support.object_storage import SqliteObjectStorage
from tracing.exporter import Exporter


@dataclass
class AlarmNotes:
    """An alarm that never rings; the test looks when it would."""

    at_ms: int | None = None

    async def set(self, at_ms: int) -> None:
        """See `ports.Alarm`."""
        self.at_ms = at_ms


@dataclass
class WorkflowNotes:
    """Workflows that take notes."""

    started: list[tuple[str, str, int]] = field(default_factory=list)

    async def start(self, thread_id: str, run_id: str, attempt: int) -> None:
        """See `ports.Workflows`."""
        self.started.append((thread_id, run_id, attempt))


class ThreadObjectInMemory:
    """The object of one thread of `api`; `incarnate` is what a crash leaves of it."""

    #: Who hears of the runs from the next incarnation on.
    traces: Exporter | None = None

    def __init__(self, api: Api, thread_id: str, settings: Settings | None = None) -> None:
        self.api = api
        self.thread_id = thread_id
        self.alarm = AlarmNotes()
        self.workflows = WorkflowNotes()
        self.webhook_queue = api.webhook_queue
        self.dead_letter_queue = QueueNotes()
        self.storage = SqliteObjectStorage()
        self._settings = settings or Settings()
        self.incarnate()

    def open_database(self) -> Database:
        """An incarnation's way to the database."""
        return self.api.db

    def incarnate(self) -> None:
        """A new isolate over what was stored."""
        database = self.open_database()
        self.streams = RunStreams(self.storage, clock.now_ms)
        self.runner = ThreadRunner(
            self.thread_id,
            platform=Platform(
                database=database,
                brief_database=database,
                alarm=self.alarm,
                workflows=self.workflows,
                webhook_queue=self.webhook_queue,
                dead_letter_queue=self.dead_letter_queue,
                version="test",
            ),
            streams=self.streams,
            executor=Executor(
                database=database,
                registry=self.api.registry,  # type: ignore[arg-type]
                settings=self._settings,
                provided=Provided(
                    store=D1Store(database),
                    open_cache=partial(D1Cache, self.api.db, "release"),
                    traces=self.traces,
                ),
            ),
            settings=self._settings,
        )

    async def create(self, assistant: str = "sequence", **body: Any) -> str:
        """A new background run of this thread."""
        created = await self.api.json(
            "POST", f"/threads/{self.thread_id}/runs", {"assistant_id": assistant, **body}, status=202
        )
        return created["run_id"]

    async def thread(self) -> dict[str, Any]:
        """The thread as callers read it."""
        return await self.api.json("GET", f"/threads/{self.thread_id}")

    async def status(self, run_id: str) -> str:
        """The status of a run as callers read it."""
        return (await self.api.json("GET", f"/threads/{self.thread_id}/runs/{run_id}"))["status"]


@pytest.fixture
async def thread() -> ThreadObjectInMemory:
    api = Api()
    return ThreadObjectInMemory(api, await api.new_thread(), Settings(max_attempts=2))


async def test_all_runs_of_a_thread_are_executed_in_order(thread: ThreadObjectInMemory) -> None:
    ids = [await thread.create(input={"topic": str(n)}) for n in range(3)]
    await thread.runner.work()
    assert [await thread.status(run_id) for run_id in ids] == ["success"] * 3
    assert (await thread.thread())["values"] == {"topic": "2", "log": ["plan", "write"] * 3}


async def test_a_run_whose_end_was_not_noted_before_a_crash_keeps_its_own_result(thread: ThreadObjectInMemory) -> None:
    first = await thread.create(input={"topic": "1"})
    await thread.runner.work()
    thread.storage.execute("DELETE FROM stream_blocks WHERE run_id = ? AND root_step = ?", first, ENDED_STEP)
    await thread.create(input={"topic": "2"})
    thread.incarnate()
    await thread.runner.work()
    await thread.runner.recall(first)
    assert json.loads(await thread.streams.result(first)) == {"topic": "1", "log": ["plan", "write"]}


async def test_a_run_that_is_given_up_leaves_what_the_thread_shows(thread: ThreadObjectInMemory) -> None:
    await thread.create("approval", input={"topic": "t"})
    await thread.runner.work()
    before = await thread.thread()
    assert before["interrupts"]
    await thread.create("approval", input={"topic": "t"})
    claim = await run_claims.claim_oldest_pending(thread.api.db, thread.thread_id, Stamp(clock.moment(), "test"))
    assert claim.claimed
    assert await run_claims.resume_running(thread.api.db, claim.claimed, Stamp(clock.moment(), "test"))
    await thread.runner.work()
    after = await thread.thread()
    assert (after["status"], after["error"]["error"]) == ("error", "AttemptsExhausted")
    assert (after["values"], after["interrupts"]) == (before["values"], before["interrupts"])


@pytest.mark.parametrize("field", ["metadata", "configurable"])
async def test_no_run_can_spoil_its_thread_for_the_next(thread: ThreadObjectInMemory, field: str) -> None:
    """LangGraph reads this key back out of checkpoints, into which it copies what callers configure."""
    spoilt = {field: {"counters_since_delta_snapshot": "x"}}
    ids = [await thread.create(input={"topic": "a"}, config=config) for config in (spoilt, {})]
    await thread.runner.work()
    assert [await thread.status(run_id) for run_id in ids] == ["success"] * 2


@pytest.mark.parametrize(
    ("assistant", "rests"), [("sequence", "idle"), ("approval", "interrupted"), ("failure", "error")]
)
async def test_a_run_that_is_cancelled_before_it_begins_leaves_its_thread_as_it_was(
    thread: ThreadObjectInMemory, assistant: str, rests: str
) -> None:
    await thread.create(assistant, input={"topic": "t"})
    await thread.runner.work()
    before = await thread.thread()
    assert before["status"] == rests
    pending = await thread.create(assistant, after_seconds=3600)
    assert (await thread.thread())["status"] == "busy"
    await thread.runner.stop(pending, "the client left")
    await thread.runner.work()
    after = await thread.thread()
    assert await thread.status(pending) == "interrupted"
    assert {name: after[name] for name in ("status", "values", "error", "interrupts")} == {
        name: before[name] for name in ("status", "values", "error", "interrupts")
    }
