"""The table `assistants`: graphs with a configuration. Each graph has a system assistant, created on first use.

A row is the current version of its assistant; `assistant_versions.py` has the others.
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from langgraph_sdk.schema import AssistantSortBy, SortOrder

import ids
from compact_json import compact_json
from ports import Row, SqlValue, Statement
from tables import json_filter
from tables.access import Access
from tables.record import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Assistant(Record):
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


def system(graph_id: str, *, description: str | None, now: str) -> Assistant:
    """The system assistant of a graph."""
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


COLUMNS: Final = Assistant.columns()

#: Any number of assistants as one JSON parameter. An existing one stays as it is, except that the description of its
#: first version follows langgraph.json.
_ENSURE: Final = f"""
INSERT INTO assistants ({COLUMNS})
SELECT {", ".join(f"value ->> '$.{column}'" for column in Assistant.__dataclass_fields__)}
FROM json_each(?)
WHERE 1
ON CONFLICT (assistant_id) DO UPDATE SET description = excluded.description
WHERE assistants.version = 1 AND assistants.description IS NOT excluded.description
"""


def ensure(assistants: Iterable[Assistant]) -> Statement:
    """Insert the system assistants that are missing, and update descriptions from langgraph.json."""
    return Statement(_ENSURE, (compact_json([asdict(assistant) for assistant in assistants]),))


#: One assistant, unless its id is taken.
_INSERT: Final = f"""
INSERT INTO assistants ({COLUMNS})
VALUES ({Assistant.parameters()})
ON CONFLICT (assistant_id) DO NOTHING
RETURNING assistant_id
"""


def insert(assistant: Assistant) -> Statement:
    """Insert an assistant; returns a row exactly when the id was free."""
    return Statement(_INSERT, assistant.values())


#: One assistant.
_GET: Final = f"""
SELECT {COLUMNS}
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


#: Writes the next version of an assistant, provided that it is still the one that was read.
_REPLACE: Final = f"""
UPDATE assistants
SET graph_id = ?, name = ?, description = ?, config = ?, context = ?, metadata = ?, updated_at = ?,
    version = 1 + (SELECT MAX(version) FROM assistant_versions AS former WHERE former.assistant_id = ?)
WHERE assistant_id = ? AND version = ? AND updated_at = ?
RETURNING {COLUMNS}
"""


def replace(read: Assistant, new: Assistant) -> Statement:
    """Make `new` the next version of `read`, which must have been kept; returns a row exactly when it did.

    It does not if the assistant was changed or deleted since it was read.
    """
    content = (new.graph_id, new.name, new.description, new.config, new.context, new.metadata, new.updated_at)
    return Statement(_REPLACE, (*content, read.assistant_id, read.assistant_id, read.version, read.updated_at))


#: A page of the assistants whose graphs are served, as tools. Names of tools are unique: the oldest of several
#: assistants with the same name has it.
_SELECT_TOOLS: Final = f"""
SELECT {COLUMNS}, EXISTS (
    SELECT 1 FROM assistants AS older
    WHERE older.name = assistants.name
      AND (older.created_at, older.assistant_id) < (assistants.created_at, assistants.assistant_id)
      AND older.graph_id IN (SELECT value FROM json_each(?)) AND {{older}}
) AS is_shadowed
FROM assistants INDEXED BY assistants_by_created_at
WHERE graph_id IN (SELECT value FROM json_each(?)) AND {{where}}
ORDER BY created_at DESC, assistant_id DESC
LIMIT ? OFFSET ?
"""


def select_tools(served: Collection[str], access: Access, *, limit: int, offset: int) -> Statement:
    """A page of tools; `is_shadowed` means that an older assistant has the name, so the tool is called by its id."""
    (where, params), (older, _) = access.where(), access.where("older.metadata")
    graphs = compact_json(list(served))
    sql = _SELECT_TOOLS.format(older=older, where=where)
    return Statement(sql, (graphs, *params, graphs, *params, limit, offset))


#: The assistant that a tool's name refers to: by id, or the oldest with that name.
_SELECT_TOOL: Final = f"""
SELECT {COLUMNS}
FROM assistants
WHERE (assistant_id = ? OR name = ?) AND graph_id IN (SELECT value FROM json_each(?)) AND {{where}}
ORDER BY assistant_id = ? DESC, created_at, assistant_id
LIMIT 1
"""


def select_tool(name: str, served: Collection[str], access: Access) -> Statement:
    """The assistant behind a tool, for `first_from_rows`."""
    where, params = access.where()
    graphs = compact_json(list(served))
    return Statement(_SELECT_TOOL.format(where=where), (name, name, graphs, *params, name))


_DELETE: Final = "DELETE FROM assistants WHERE assistant_id = ?"


def delete(assistant_id: str, access: Access) -> Statement:
    """Delete an assistant; returns a row exactly when it did."""
    where, params = access.where()
    return Statement(f"{_DELETE} AND {where} RETURNING assistant_id", (assistant_id, *params))


#: A system assistant keeps its row when its graph is no longer served, but is hidden.
_SERVED: Final = """(metadata -> '$.created_by' IS NOT '"system"' OR graph_id IN (SELECT value FROM json_each(?)))"""


def appears(assistant: Assistant, served: Collection[str]) -> bool:
    """`_SERVED` for an assistant that was read."""
    return assistant.graph_id in served or json.loads(assistant.metadata).get("created_by") != "system"


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """The conditions of a search; an empty field is no condition."""

    metadata: Mapping[str, Any]
    graph_id: str | None
    name: str | None
    #: The names of the served graphs.
    served: Collection[str]
    access: Access

    def where(self) -> tuple[str, list[SqlValue]]:
        """The condition and its parameters."""
        clauses, texts = json_filter.conditions(metadata=self.metadata)
        params: list[SqlValue] = [*texts, compact_json(list(self.served))]
        clauses.append(_SERVED)
        if self.graph_id is not None:
            clauses.append("graph_id = ?")
            params.append(self.graph_id)
        if self.name:
            clauses.append("instr(lower(name), lower(?)) > 0")
            params.append(self.name)
        allowed, allowed_params = self.access.where()
        return " AND ".join([*clauses, allowed]), [*params, *allowed_params]


def select_page(
    wanted: Search, *, sort_by: AssistantSortBy, sort_order: SortOrder, limit: int, offset: int
) -> Statement:
    """A page of assistants."""
    where, params = wanted.where()
    # `sort_by` and `sort_order` are literals that the body's model has checked.
    sql = f"""
SELECT {COLUMNS}
FROM assistants
WHERE {where}
ORDER BY {sort_by} {sort_order}, assistant_id {sort_order}
LIMIT ? OFFSET ?
"""
    return Statement(sql, (*params, limit, offset))


def select_count(wanted: Search) -> Statement:
    """How many assistants match, as `number`."""
    where, params = wanted.where()
    return Statement(f"SELECT COUNT(*) AS number FROM assistants WHERE {where}", tuple(params))
