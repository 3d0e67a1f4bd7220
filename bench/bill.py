"""What a run costs in D1, counted in the database file of the local server: rows written per table, bytes stored.

Triggers in the benchmark's own throw-away database count every row that is inserted, updated or deleted. An index makes
Cloudflare count one row more for each change that touches it.
"""

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

COUNTS: Final = "bench_rows_written"


@dataclass(frozen=True, slots=True)
class Bill:
    """Rows written by table, and the growth of the database in bytes."""

    rows: Counter[str]
    bytes_stored: int


class D1File:
    """The SQLite file behind the one D1 database of a local server."""

    def __init__(self, persist_to: Path) -> None:
        folder = persist_to / "v3" / "d1"
        (self._path,) = (path for path in folder.rglob("*.sqlite") if path.name != "metadata.sqlite")

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Count every row written within the block."""
        tables = [name for name in self._tables() if not name.startswith(("_cf_", "d1_", "sqlite_"))]
        self._run(f"CREATE TABLE {COUNTS} (name TEXT PRIMARY KEY, rows INTEGER NOT NULL)")
        for table in tables:
            self._run(f"INSERT INTO {COUNTS} VALUES ('{table}', 0)")
            for change in ("INSERT", "UPDATE", "DELETE"):
                self._run(
                    f"CREATE TRIGGER {COUNTS}_{table}_{change} AFTER {change} ON {table} "
                    f"BEGIN UPDATE {COUNTS} SET rows = rows + 1 WHERE name = '{table}'; END"
                )
        try:
            yield
        finally:
            for table in tables:
                for change in ("INSERT", "UPDATE", "DELETE"):
                    self._run(f"DROP TRIGGER {COUNTS}_{table}_{change}")
            self._run(f"DROP TABLE {COUNTS}")

    def bill(self) -> Bill:
        """What was written since `counted` began, and how large the database is; differences are what matters."""
        rows = Counter({str(name): int(count) for name, count in self._run(f"SELECT name, rows FROM {COUNTS}")})
        ((size,),) = self._run("SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()")
        return Bill(rows, size)

    def _tables(self) -> list[str]:
        return [name for (name,) in self._run("SELECT name FROM sqlite_master WHERE type = 'table'")]

    def _run(self, sql: str) -> list[tuple[object, ...]]:
        with closing(sqlite3.connect(self._path, timeout=10)) as connection, connection:
            return connection.execute(sql).fetchall()
