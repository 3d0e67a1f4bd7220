"""A Durable Object's SQLite on CPython."""

import asyncio
import sqlite3

from ports import Row, SqlValue


class SqliteObjectStorage:
    """`ports.ObjectStorage`; a second instance over the same connection is the object after a crash."""

    def __init__(self, connection: sqlite3.Connection | None = None) -> None:
        self.connection = connection or sqlite3.connect(":memory:", isolation_level=None)
        self.connection.row_factory = sqlite3.Row

    def execute(self, sql: str, *params: SqlValue) -> list[Row]:
        return [dict(row) for row in self.connection.execute(sql, params).fetchall()]

    async def confirmed(self) -> None:
        """See `ports.ObjectStorage`: nothing is slow here."""


class SlowObjectStorage(SqliteObjectStorage):
    """What is written is kept some turns of the event loop later; a crash is a rollback of the connection.

    On the platform a request to D1 waits for that. Here D1 has to be slower than `TURNS`.
    """

    TURNS = 3

    def __init__(self, connection: sqlite3.Connection | None = None) -> None:
        super().__init__(connection)
        self._kept: asyncio.Future[None] | None = None

    def execute(self, sql: str, *params: SqlValue) -> list[Row]:
        if self._kept is None and sql.lstrip().startswith(("INSERT", "UPDATE", "DELETE")):
            self.connection.execute("BEGIN")
            self._kept = asyncio.ensure_future(self._keep())
        return super().execute(sql, *params)

    async def _keep(self) -> None:
        try:
            for _ in range(self.TURNS):
                await asyncio.sleep(0)
        finally:  # the event loop of a test may end before
            self.connection.commit()
            self._kept = None

    async def confirmed(self) -> None:
        if self._kept is not None:
            await asyncio.shield(self._kept)
