"""The tests' database refuses what D1 refuses; a test that passes on it must not fail on D1 for its limits."""

from pathlib import Path

import pytest

from errors import DatabaseError
from ports import Statement
from tests.support.sqlite_database import SqliteDatabase

INSERT = "INSERT INTO large_texts VALUES ('owner', ?, ?)"


@pytest.mark.parametrize(
    "statement",
    [
        Statement("SELECT 1" + " " * 100_000),
        Statement(f"SELECT {', '.join('?' * 101)}", tuple(range(101))),
        Statement("SELECT ?", (True,)),
        Statement("SELECT ?", (2**53 + 1,)),
        Statement("SELECT ?", ([],)),  # type: ignore[arg-type]
        Statement("SELECT ?", ("é" * 1_000_001,)),
        Statement("SELECT hex(?)", (b"x" * 1_000_001,)),
        Statement(INSERT, (1, "x" * 2_000_000)),
        Statement("SELECT * FROM nowhere"),
    ],
)
async def test_a_statement_that_d1_refuses_rolls_its_batch_back(statement: Statement) -> None:
    database = SqliteDatabase()
    with pytest.raises(DatabaseError):
        await database.batch([Statement(INSERT, (7, "text")), statement])
    assert await database.batch([Statement("SELECT * FROM large_texts")]) == [[]]


async def test_a_batch_answers_with_the_rows_of_each_statement() -> None:
    database = SqliteDatabase()
    insert = Statement(f"{INSERT} RETURNING part", (7, "text"))
    assert await database.batch([insert, Statement("SELECT owner, text FROM large_texts"), insert][:2]) == [
        [{"part": 7}],
        [{"owner": "owner", "text": "text"}],
    ]


async def test_a_file_keeps_its_rows_when_opened_again(tmp_path: Path) -> None:
    first = SqliteDatabase(tmp_path / "d1.sqlite")
    await first.batch([Statement(INSERT, (1, "kept"))])
    first.close()
    again = SqliteDatabase(tmp_path / "d1.sqlite")
    assert await again.batch([Statement("SELECT text FROM large_texts")]) == [[{"text": "kept"}]]
