"""The table `assistants`: a graph with a configuration; every graph has one of its own, made when first looked for."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from langgraph_sdk.schema import AssistantSortBy, SortOrder

import ids
from compact_json import compact_json
from ports import Database, Row, SqlValue, Statement
from tables import json_filter
from tables.access import Access


@dataclass(frozen=True, slots=True, kw_only=True)
class Assistant:
    """One row; `config`, `context` and `metadata` are JSON texts."""

    assistant_id: str
    graph_id: str
    name: str
    description: str | None
    config: str
    context: str
    metadata: str
    version: int
    created_at: str
    updated_at: str

    @classmethod
    def from_row(cls, row: Row) -> "Assistant":
        """The assistant as stored."""
        return cls(**{name: row[name] for name in cls.__dataclass_fields__})


def system(graph_id: str, *, description: str | None, now: str) -> Assistant:
    """The assistant that a graph has without anyone creating it."""
    return Assistant(
        assistant_id=ids.system_assistant(graph_id),
        graph_id=graph_id,
        name=graph_id,
        description=description,
        config="{}",
        context="{}",
        metadata='{"created_by":"system"}',
        version=1,
        created_at=now,
        updated_at=now,
    )


_COLUMNS: Final = tuple(Assistant.__dataclass_fields__)

#: Any number of assistants as one JSON parameter; those that exist stay as they are.
_ENSURE: Final = f"""
INSERT INTO assistants ({", ".join(_COLUMNS)})
SELECT {", ".join(f"value ->> '$.{column}'" for column in _COLUMNS)}
FROM json_each(?)
WHERE 1
ON CONFLICT (assistant_id) DO NOTHING
"""


def ensure(assistants: Iterable[Assistant]) -> Statement:
    """Insert those of the assistants that are missing."""
    rows = [{column: getattr(assistant, column) for column in _COLUMNS} for assistant in assistants]
    return Statement(_ENSURE, (compact_json(rows),))


#: One assistant.
_GET: Final = f"""
SELECT {", ".join(_COLUMNS)}
FROM assistants
WHERE assistant_id = ?
"""


def select(assistant_id: str, access: Access) -> Statement:
    """One assistant, for `first_from_rows`."""
    where, params = access.where()
    return Statement(f"{_GET}  AND {where}\n", (assistant_id, *params))


def first_from_rows(rows: Sequence[Row]) -> Assistant | None:
    """The assistant of a statement that returns at most one."""
    return Assistant.from_row(rows[0]) if rows else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What to look for; an empty field looks for nothing in particular."""

    metadata: Mapping[str, Any]
    graph_id: str | None
    name: str | None
    access: Access

    def where(self) -> tuple[str, list[SqlValue]]:
        """The condition and its parameters."""
        clauses, texts = json_filter.conditions(metadata=self.metadata)
        params: list[SqlValue] = [*texts]
        if self.graph_id is not None:
            clauses.append("graph_id = ?")
            params.append(self.graph_id)
        if self.name:
            clauses.append("instr(lower(name), lower(?)) > 0")
            params.append(self.name)
        allowed, allowed_params = self.access.where()
        return " AND ".join([*clauses, allowed]), [*params, *allowed_params]


async def search(
    db: Database,
    wanted: Search,
    *,
    ensured: Iterable[Assistant],
    sort_by: AssistantSortBy,
    sort_order: SortOrder,
    limit: int,
    offset: int,
) -> list[Assistant]:
    """A page of assistants, after inserting those of `ensured` that are missing."""
    where, params = wanted.where()
    # `sort_by` and `sort_order` are literals that the body's model has checked.
    sql = f"""
SELECT {", ".join(_COLUMNS)}
FROM assistants
WHERE {where}
ORDER BY {sort_by} {sort_order}, assistant_id {sort_order}
LIMIT ? OFFSET ?
"""
    _, rows = await db.batch([ensure(ensured), Statement(sql, (*params, limit, offset))])
    return [Assistant.from_row(row) for row in rows]


async def count(db: Database, wanted: Search, *, ensured: Iterable[Assistant]) -> int:
    """How many assistants match, after inserting those of `ensured` that are missing."""
    where, params = wanted.where()
    sql = f"SELECT COUNT(*) AS number FROM assistants WHERE {where}"
    _, [row] = await db.batch([ensure(ensured), Statement(sql, tuple(params))])
    return row["number"]
