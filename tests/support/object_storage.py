"""A Durable Object's SQLite on CPython."""

import sqlite3

from ports import Row, SqlValue


class SqliteObjectStorage:
    """`ports.ObjectStorage`; a second instance over the same connection is the object after a crash."""

    def __init__(self, connection: sqlite3.Connection | None = None) -> None:
        self.connection = connection or sqlite3.connect(":memory:", isolation_level=None)
        self.connection.row_factory = sqlite3.Row

    def execute(self, sql: str, *params: SqlValue) -> list[Row]:
        return [dict(row) for row in self.connection.execute(sql, params).fetchall()]
