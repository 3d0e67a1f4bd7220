"""What D1 says, and for how long it is asked again."""

from collections.abc import Sequence

import pytest

import patient_database
from errors import DatabaseError, DatabaseUnavailable, ValueTooLarge
from patient_database import PatientDatabase
from ports import Row, Statement
from tests.support.sqlite_database import SqliteDatabase

#: As Cloudflare lists them, but for the last two, which it does not.
OUT_OF_REACH = (
    "D1 DB reset because its code was updated.",
    "Internal error while starting up D1 DB storage caused object to be reset.",
    "Network connection lost.",
    "Internal error in D1 DB storage caused object to be reset.",
    "Cannot resolve D1 DB due to transient issue on remote node.",
    "Can't read from request stream because client disconnected.",
    "D1 DB storage operation exceeded timeout which caused object to be reset.",
    "D1 DB is overloaded. Requests queued for too long.",
    "D1 DB is overloaded. Too many requests queued.",
    "D1 DB's isolate exceeded its memory limit and was reset.",
    "D1 DB exceeded its CPU time limit and was reset.",
    "internal error; reference = 3kc5rqgpvbfrqk4v",
    "database is locked: SQLITE_BUSY",
)

REFUSED = (
    "bad JSON path: 'fenced': SQLITE_ERROR",
    "UNIQUE constraint failed: runs.run_id: SQLITE_CONSTRAINT",
    "integer overflow: SQLITE_ERROR",
    "no such table: runs: SQLITE_ERROR",
    "Exceeded maximum DB size.",
    "Too many API requests by single worker invocation.",
    "Too many subrequests.",
)


@pytest.mark.parametrize("text", OUT_OF_REACH)
def test_what_d1_does_not_answer_may_be_sent_again(text: str) -> None:
    assert type(DatabaseError.saying(f"D1_ERROR: {text}")) is DatabaseUnavailable


@pytest.mark.parametrize("text", [*REFUSED, "D1_TYPE_ERROR: Type 'object' not supported for value 'x'"])
def test_what_d1_refuses_is_not_sent_again(text: str) -> None:
    assert type(DatabaseError.saying(f"D1_ERROR: {text}")) is DatabaseError


def test_what_is_too_large_never_succeeds() -> None:
    assert type(DatabaseError.saying("D1_ERROR: string or blob too big: SQLITE_TOOBIG")) is ValueTooLarge


class Failing:
    """A database that says these things, one for each batch, and then answers."""

    def __init__(self, *says: str) -> None:
        self.says = list(says)
        self.batches = 0
        self._database = SqliteDatabase()
        self.wait = self._database.wait

    async def batch(self, statements: Sequence[Statement]) -> list[list[Row]]:
        """See `ports.Database.batch`."""
        self.batches += 1
        if self.says:
            raise DatabaseError.saying(self.says.pop(0))
        return await self._database.batch(statements)


ONE = [Statement("SELECT 1 AS one")]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patient_database, "FIRST_PAUSE_SECONDS", 0.001)


async def test_an_outage_is_outlasted_and_told_once(caplog: pytest.LogCaptureFixture) -> None:
    failing = Failing(*OUT_OF_REACH[:5])
    database = PatientDatabase(failing)
    assert await database.batch(ONE) == [[{"one": 1}]]
    assert failing.batches == 6
    assert [record.levelname for record in caplog.records] == ["WARNING"] * 2
    assert "answers again" in caplog.messages[1]


async def test_patience_ends() -> None:
    failing = Failing(*["Network connection lost."] * 1000)
    with pytest.raises(DatabaseUnavailable):
        await PatientDatabase(failing).within(0.05).batch(ONE)
    assert 3 <= failing.batches < 30


async def test_a_refusal_is_told_at_once() -> None:
    failing = Failing(*REFUSED)
    with pytest.raises(DatabaseError, match="fenced"):
        await PatientDatabase(failing).batch(ONE)
    assert failing.batches == 1
