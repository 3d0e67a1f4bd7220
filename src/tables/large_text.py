"""The table `large_texts`: JSON texts that are too large for their row, in parts.

D1 refuses a row or a bound value over 2 MB. A row with a larger JSON text keeps the number of its parts in a column.
The parts are written in the same batch, so a row never refers to missing parts.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from ports import Database, Statement
from tables.run_fence import UNCHANGED, Identity

#: The largest text, in UTF-8 bytes, that stays in its row, and the size of a part. Leaves room for the other columns.
PART_BYTES: Final = 1_500_000


def parts(text: str, *, beside: str = "") -> list[str]:
    """Cut a text into parts that each fit a row; none if the text fits its own row together with `beside`."""
    encoded = text.encode()
    return list(_cut(encoded)) if len(encoded) + len(beside.encode()) > PART_BYTES else []


def _cut(encoded: bytes) -> Iterator[str]:
    start = 0
    while start < len(encoded):
        end = start + PART_BYTES
        while end < len(encoded) and encoded[end] & 0xC0 == 0x80:  # inside a character
            end -= 1
        yield encoded[start:end].decode()
        start = end


#: One part, provided that the run is unchanged.
_INSERT: Final = f"""
INSERT OR REPLACE INTO large_texts (owner, part, text)
SELECT ?, ?, ?
WHERE {UNCHANGED}
"""

#: Deletes the remaining parts of a longer earlier text, under the same condition.
_TRIM: Final = f"""
DELETE FROM large_texts
WHERE owner = ? AND part >= ? AND {UNCHANGED}
"""


def replace(owner: str, texts: list[str], fence: Identity) -> list[Statement]:
    """Make `texts` the parts of `owner`, provided that the run of `fence` is still what is stored."""
    inserts = [Statement(_INSERT, (owner, number, text, *fence)) for number, text in enumerate(texts)]
    return [*inserts, Statement(_TRIM, (owner, len(texts), *fence))]


_PUT: Final = "INSERT OR REPLACE INTO large_texts (owner, part, text) VALUES (?, ?, ?)"
_CUT: Final = "DELETE FROM large_texts WHERE owner = ? AND part >= ?"


def put(owner: str, texts: list[str]) -> list[Statement]:
    """Make `texts` the parts of `owner`."""
    inserts = [Statement(_PUT, (owner, number, text)) for number, text in enumerate(texts)]
    return [*inserts, Statement(_CUT, (owner, len(texts)))]


#: All parts of one owner, in order.
_SELECT: Final = """
SELECT text
FROM large_texts
WHERE owner = ?
ORDER BY part
"""


async def load(db: Database, owner: str) -> str:
    """The whole text of one owner."""
    return (await load_all(db, [owner]))[owner]


async def load_all(db: Database, owners: Sequence[str]) -> dict[str, str]:
    """The whole text of each owner, in one round trip."""
    parts_of = await db.batch([Statement(_SELECT, (owner,)) for owner in owners])
    return {owner: "".join(row["text"] for row in rows) for owner, rows in zip(owners, parts_of, strict=True)}


#: All parts of one owner.
_DELETE: Final = "DELETE FROM large_texts WHERE owner = ?"


def delete(owner: str) -> Statement:
    """Delete the text of an owner."""
    return Statement(_DELETE, (owner,))
