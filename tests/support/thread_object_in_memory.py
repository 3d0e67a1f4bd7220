"""The object of a thread, with everything real but the platform."""

from dataclasses import dataclass, field
from functools import partial
from typing import Any

import clock
from d1_cache import D1Cache
from ports import Database, Platform
from runs.execution.executor import Executor
from runs.execution.provided import Provided
from runs.thread_object.thread_runner import ThreadRunner
from settings import Settings
from store.d1_store import D1Store
from streaming.fanout import RunStreams
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
                reset=self.reset,
            ),
            settings=self._settings,
        )

    def reset(self) -> None:
        """What `Executor` does to a graph that cannot be stopped."""
        raise AssertionError("nothing in this test is to be reset")

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
