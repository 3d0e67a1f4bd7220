"""The D1 database of a local server, opened as the SQLite file that it is on this machine."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any


class DatabaseFile:
    """Found below the server's state directory."""

    def __init__(self, persist_to: Path) -> None:
        folder = persist_to / "v3" / "d1"
        (self.path,) = (path for path in folder.rglob("*.sqlite") if path.name != "metadata.sqlite")

    def run(self, sql: str, *params: Any) -> list[tuple[Any, ...]]:
        """One statement, committed."""
        with closing(sqlite3.connect(self.path, timeout=10)) as connection, connection:
            return connection.execute(sql, params).fetchall()
