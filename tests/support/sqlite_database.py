"""A real `ports.Database` for CPython tests: SQLite with the project's migrations and D1's limits."""

import asyncio
import sqlite3
from collections.abc import Coroutine, Generator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import d1_usage
from errors import DatabaseError
from ports import Row, SqlValue, Statement

T = TypeVar("T")

MIGRATIONS = Path(__file__).parents[2] / "migrations"

MAX_PARAMS = 100
MAX_SQL_BYTES = 100_000
MAX_VALUE_BYTES = 2_000_000
MAX_INTEGER = 2**53


class SqliteDatabase:
    """One connection; each batch is a transaction, and refuses what D1 refuses."""

    def __init__(self, path: str | Path = ":memory:") -> None:
        fresh = path == ":memory:" or not Path(path).exists()
        self.connection = sqlite3.connect(path, isolation_level=None)
        self.connection.row_factory = sqlite3.Row
        self.connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_VALUE_BYTES)
        self.connection.execute("PRAGMA foreign_keys = ON")
        if sqlite3.sqlite_version_info < (3, 41):
            self.connection.create_function("unhex", 1, bytes.fromhex, deterministic=True)
        if fresh:
            _migrated().backup(self.connection)
        self._written_before = self.connection.total_changes
        #: Batches run so far.
        self.round_trips = 0
        self._batches_left: int | None = None

    @property
    def rows_written(self) -> int:
        """Rows inserted, updated or deleted so far."""
        return self.connection.total_changes - self._written_before

    async def batch(self, statements: Sequence[Statement]) -> list[list[Row]]:
        """See `ports.Database.batch`; gives way to other tasks once, as a real one does."""
        self.round_trips += 1
        if self._batches_left is not None:
            self._batches_left -= 1
            if self._batches_left < 0:
                raise DatabaseError("the Worker died")
        await asyncio.sleep(0)
        written = self.connection.total_changes
        self.connection.execute("BEGIN")
        try:
            results = [self._run(statement) for statement in statements]
        except (sqlite3.Error, DatabaseError, OverflowError) as error:
            self.connection.execute("ROLLBACK")
            code = getattr(error, "sqlite_errorname", "SQLITE_ERROR")
            raise DatabaseError.saying(f"D1_ERROR: {error}: {code}") from error
        self.connection.execute("COMMIT")
        d1_usage.count(rows_read=0, rows_written=self.connection.total_changes - written, seconds=0.0)
        return results

    @contextmanager
    def dying_after(self, batches: int) -> Generator[None]:
        """In the block, this many batches are run and all further ones fail, as if their Worker had died."""
        self._batches_left = batches
        try:
            yield
        finally:
            self._batches_left = None

    def wait(self, call: Coroutine[Any, Any, T]) -> T:
        """See `ports.Database.wait`: nothing can wait beside a running loop."""
        call.close()
        raise NotImplementedError("nothing can wait here: use the asynchronous method")

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()

    def _run(self, statement: Statement) -> list[Row]:
        _check(statement)
        return [dict(row) for row in self.connection.execute(statement.sql, statement.params)]


@cache
def _migrated() -> sqlite3.Connection:
    """An empty database; to copy it takes a thirtieth of the time that all migrations take."""
    connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    for migration in sorted(MIGRATIONS.glob("*.sql")):
        connection.executescript(migration.read_text())
    return connection


def _check(statement: Statement) -> None:
    if len(statement.params) > MAX_PARAMS:
        raise DatabaseError(f"too many SQL variables: {len(statement.params)}")
    if len(statement.sql.encode()) > MAX_SQL_BYTES:
        raise DatabaseError("statement too long")
    for value in statement.params:
        _check_value(value)


def _check_value(value: SqlValue) -> None:
    if isinstance(value, bool) or not isinstance(value, str | int | float | bytes | None):
        raise DatabaseError(f"D1_TYPE_ERROR: Type '{type(value).__name__}' not supported for value '{value}'")
    if isinstance(value, int) and abs(value) > MAX_INTEGER:
        raise DatabaseError(f"D1_TYPE_ERROR: Type 'bigint' not supported for value '{value}'")
    if isinstance(value, str | bytes) and len(value.encode() if isinstance(value, str) else value) > MAX_VALUE_BYTES:
        raise DatabaseError("string or blob too big: SQLITE_TOOBIG")
