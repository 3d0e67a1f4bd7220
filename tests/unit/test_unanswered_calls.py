"""Calls of the platform that are never answered: who waits for one goes on, or is told."""

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias, TypeVar

import pytest

import clock
import each_minute
import patient_database
from bindings.answers import answer
from errors import DatabaseUnavailable, Unavailable
from http_messages import HttpResponse
from patient_database import PatientDatabase
from ports import Row, Statement
from tests.support.http_api import Api
from tests.support.sqlite_database import SqliteDatabase
from tests.support.thread_object_in_memory import ThreadObjectInMemory

T = TypeVar("T")

LIMIT_SECONDS = 0.02
ONE = [Statement("SELECT 1 AS one")]

#: Whether D1 commits a batch that it does not answer.
Silence: TypeAlias = Literal["lost", "committed"]


@dataclass
class Silent:
    """A database that does not answer some batches, given up as `bindings.d1` gives them up."""

    database: SqliteDatabase
    #: What becomes of the next batches; None for an answer.
    silence: list[Silence | None] = field(default_factory=list[Silence | None])
    for_ever: bool = False
    unanswered: int = 0

    async def batch(self, statements: Sequence[Statement]) -> list[list[Row]]:
        """See `ports.Database.batch`."""
        try:
            return await answer(lambda: self._batch(statements), LIMIT_SECONDS, failed="D1 did not run a batch")
        except Unavailable as error:
            self.unanswered += 1
            raise DatabaseUnavailable(str(error)) from error

    async def _batch(self, statements: Sequence[Statement]) -> list[list[Row]]:
        silence = self.silence.pop(0) if self.silence else None
        results = await self.database.batch(statements) if silence != "lost" else []
        if silence or self.for_ever:
            await asyncio.Event().wait()
        return results

    def wait(self, call: Coroutine[Any, Any, T]) -> T:
        """See `ports.Database.wait`."""
        return self.database.wait(call)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patient_database, "FIRST_PAUSE_SECONDS", 0.001)


async def test_a_refusal_and_a_cancellation_are_no_silence() -> None:
    async def refuse() -> None:
        raise KeyError("why")

    with pytest.raises(KeyError):
        await answer(refuse, LIMIT_SECONDS, "it failed")
    waiting = asyncio.ensure_future(answer(asyncio.Event().wait, 60, "it failed"))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_who_is_patient_asks_again() -> None:
    silent = Silent(SqliteDatabase(), ["lost", "committed"])
    assert await PatientDatabase(silent).batch(ONE) == [[{"one": 1}]]
    assert silent.unanswered == 2


async def test_patience_with_silence_ends() -> None:
    silent = Silent(SqliteDatabase(), for_ever=True)
    with pytest.raises(DatabaseUnavailable, match=r"no answer within 0\.02 s"):
        await asyncio.wait_for(PatientDatabase(silent).within(0.1).batch(ONE), 10)
    assert 2 <= silent.unanswered < 10


async def test_a_request_is_told_that_d1_is_silent() -> None:
    api = Api()
    api.services = replace(api.services, db=Silent(api.db, for_ever=True))
    refused = await asyncio.wait_for(api.ask("POST", "/threads", {}), 10)
    assert isinstance(refused, HttpResponse)
    assert (refused.status, refused.headers["retry-after"]) == (503, "1")


async def test_a_tick_ends_although_d1_is_silent(caplog: pytest.LogCaptureFixture) -> None:
    api = Api()
    api.services = replace(api.services, db=Silent(api.db, for_ever=True))
    await asyncio.wait_for(each_minute.tick(api.services, scheduled_ms=clock.now_ms()), 10)
    assert {record.levelno for record in caplog.records} == {logging.WARNING}
    assert any("announce_stale_runs failed" in message for message in caplog.messages)


class Thread(ThreadObjectInMemory):
    """A thread on a database that may be silent."""

    silent: Silent

    def open_database(self) -> PatientDatabase:
        """See `ThreadObjectInMemory`."""
        self.silent = Silent(self.api.db)
        return PatientDatabase(self.silent)


@pytest.mark.parametrize("silence", ["lost", "committed"])
async def test_a_run_does_not_notice(silence: Silence) -> None:
    """None of its batches is answered the first time; `test_lost_answers.py` has all kinds of runs."""
    api = Api()
    thread = Thread(api, await api.new_thread())
    run_id = await thread.create(input={"topic": "a"})
    thread.silent.silence = [silence, None] * 10
    await asyncio.wait_for(thread.runner.work(), 20)
    assert thread.silent.unanswered >= 3
    assert await thread.status(run_id) == "success"
    assert (await thread.thread())["values"]["log"] == ["plan", "write"]
    assert api.db.connection.execute("SELECT attempt FROM runs").fetchone()[0] == 1
