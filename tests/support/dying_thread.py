"""The object of one thread on a platform that kills it: alarms, Workflows, the sweeper, D1 with lost answers."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any, Literal, TypeAlias, TypeVar

import clock
from errors import DatabaseUnavailable, StorageUnavailable
from patient_database import PatientDatabase
from ports import Row, SqlValue, Statement
from runs import sweep
from settings import Settings
from tests.support.http_api import Api
from tests.support.object_storage import SqliteObjectStorage
from tests.support.thread_object_in_memory import AlarmNotes, ThreadObjectInMemory

T = TypeVar("T")

#: What becomes of a batch: it never arrives, or its answer does not, or it arrives late.
Fault: TypeAlias = Literal["not sent", "answer lost", "late"]

#: What crashes left behind. Kept, so that nothing of it ever runs again, not even a `finally`.
graveyard: list[Any] = []


#: What a batch is for, by what stands in one of its statements.
Purpose: TypeAlias = Literal["claim", "resume", "checkpoint", "end"]
_TELLTALES: dict[Purpose, str] = {
    "end": "INSERT INTO run_metrics",
    "resume": "'event', 'resumed'",
    "claim": "'event', 'started'",
    "checkpoint": "INSERT INTO checkpoints",
}


class Connection:
    """One incarnation's way to the database; once it is dead, no answer arrives any more."""

    def __init__(self, api: Api, faults: list[Fault]) -> None:
        self._api = api
        self._faults = faults
        self.is_dead = False
        #: What is on its way to the database.
        self.sent: set[Purpose] = set()

    async def batch(self, statements: Sequence[Statement]) -> list[list[Row]]:
        """See `ports.Database.batch`."""
        purposes = {what for what, text in _TELLTALES.items() if any(text in one.sql for one in statements)}
        self.sent |= purposes
        await self._turns(2)
        self.sent -= purposes
        fault = self._faults.pop(0) if self._faults else None
        if fault == "not sent":
            raise DatabaseUnavailable("Network connection lost.")
        if fault == "late":
            await self._turns(200)
        results = await self._api.db.batch(statements)
        await self._turns(2)
        if fault == "answer lost":
            raise DatabaseUnavailable("Network connection lost.")
        return results

    def wait(self, call: Coroutine[Any, Any, T]) -> T:
        """See `ports.Database.wait`."""
        return self._api.db.wait(call)

    async def _turns(self, count: int) -> None:
        for _ in range(count):
            await asyncio.sleep(0)
            if self.is_dead:
                never = asyncio.get_running_loop().create_future()
                graveyard.append(never)
                await never


class Storage(SqliteObjectStorage):
    """One incarnation's way to the object's storage, which ends with it."""

    is_cut_off = False

    def execute(self, sql: str, *params: SqlValue) -> list[Row]:
        """See `ports.ObjectStorage.execute`."""
        if self.is_cut_off:
            raise StorageUnavailable("Durable Object reset because its code was updated.")
        return super().execute(sql, *params)


class DyingThread(ThreadObjectInMemory):
    """A thread whose object can die, or be replaced while it goes on; hints reach the latest incarnation only."""

    def __init__(self, api: Api, thread_id: str, settings: Settings, *, patience_seconds: float) -> None:
        #: What happens to the next batches.
        self.faults: list[Fault] = []
        self._patience_seconds = patience_seconds
        self._alarms_at_work = 0
        #: Instances of the Workflow that have not ended, each with whether a step of it is under way.
        self._instances: dict[tuple[str, str, int], bool] = {}
        self._seen_instances = 0
        super().__init__(api, thread_id, settings)

    def open_database(self) -> PatientDatabase:
        """See `ThreadObjectInMemory`."""
        self.connection = Connection(self.api, self.faults)
        return PatientDatabase(self.connection, self._patience_seconds)

    def incarnate(self) -> None:
        """A new isolate. An alarm that was at work rings again, one that was set stays set."""
        at_ms = 0 if self._alarms_at_work else self.alarm.at_ms
        self.alarm = AlarmNotes(at_ms=at_ms)
        self._alarms_at_work = 0
        # Steps that were under way are tried again.
        self._instances = dict.fromkeys(self._instances, False)
        if isinstance(self.storage, Storage):
            self.storage.is_cut_off = True
        self.storage = Storage(self.storage.connection)
        super().incarnate()

    def die(self) -> None:
        """Power off."""
        self.connection.is_dead = True
        self.incarnate()

    def be_replaced(self) -> None:
        """The platform cuts the object off, which goes on for as long as it does not touch its storage."""
        self.incarnate()

    async def wake(self, _thread_id: str) -> None:
        """See `ports.ThreadObjects`."""
        await self.runner.wake()

    def ring(self, times: int = 1) -> None:
        """The alarm's time has come, if it is set; it may ring more than once."""
        if self.alarm.at_ms is not None:
            self.alarm.at_ms = None
            for _ in range(times):
                _go_on(self._work_for_alarm)

    async def _work_for_alarm(self) -> None:
        runner, self._alarms_at_work = self.runner, self._alarms_at_work + 1
        await runner.work()
        if runner is self.runner:
            self._alarms_at_work -= 1

    async def request(self) -> None:
        """A caller waits for a run: the object works at once, beside its alarm."""
        runner = self.runner
        await runner.wake()
        _go_on(runner.work)

    def step_workflows(self) -> None:
        """Every instance begins a step, unless it is in one."""
        for started in self.workflows.started[self._seen_instances :]:
            self._instances.setdefault(started, False)
        self._seen_instances = len(self.workflows.started)
        for instance, is_busy in self._instances.items():
            if not is_busy:
                self._instances[instance] = True
                _go_on(lambda instance=instance: self._step(instance))

    async def _step(self, instance: tuple[str, str, int]) -> None:
        connection, goes_on = self.connection, True
        with suppress(DatabaseUnavailable):  # the step is tried again
            goes_on = await self.runner.run_slice(*instance[1:])
        if connection.is_dead:
            return
        if goes_on:
            self._instances[instance] = False
        else:
            self._instances.pop(instance, None)

    def terminate_workflows(self) -> None:
        """All instances are gone; nobody tells the object."""
        self.step_workflows()
        self._instances.clear()

    async def sweep(self) -> None:
        """What each minute does, two minutes later, and what the queue does then."""
        del self.api.queue.sent[:]
        await sweep.announce_stale(self.api.db, self.api.queue, now=clock.shifted(clock.now_iso(), 120))
        for _ in self.api.queue.sent:
            await self.runner.wake()


def _go_on(act: Callable[[], Coroutine[Any, Any, None]]) -> None:
    graveyard.append(asyncio.ensure_future(act()))
