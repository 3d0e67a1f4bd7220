"""The table `assistant_versions`: earlier versions of assistants; the current one may exist only in `assistants`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from ports import Statement
from tables import json_filter
from tables.assistants import COLUMNS, Assistant
from tables.record import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class AssistantVersion(Record):
    """One version; `config`, `context` and `metadata` are JSON texts."""

    assistant_id: str
    version: int
    graph_id: str
    name: str
    description: str | None
    config: str
    context: str
    metadata: str
    created_at: str


_COLUMNS: Final = AssistantVersion.columns()

#: The current version of an assistant, created when the assistant's row was last written.
_CURRENT: Final = f"""
SELECT {_COLUMNS.replace("created_at", "updated_at AS created_at")}
FROM assistants
WHERE assistant_id = ?
"""

#: Copies the current version, provided that it is the one that was read.
_KEEP: Final = f"""
INSERT INTO assistant_versions ({_COLUMNS})
{_CURRENT.strip()} AND version = ? AND updated_at = ?
ON CONFLICT (assistant_id, version) DO NOTHING
"""


def keep(read: Assistant) -> Statement:
    """Keep the current version of an assistant before it is replaced, provided that it is still what was read."""
    return Statement(_KEEP, (read.assistant_id, read.version, read.updated_at))


#: A page of all versions, newest first.
_LIST: Final = f"""
SELECT {_COLUMNS}
FROM (
    SELECT {_COLUMNS}
    FROM assistant_versions
    WHERE assistant_id = ?
    UNION ALL
    {_CURRENT.strip()}
      AND NOT EXISTS (
        SELECT 1 FROM assistant_versions AS kept
        WHERE kept.assistant_id = assistants.assistant_id AND kept.version = assistants.version
      )
)
WHERE {{where}}
ORDER BY version DESC
LIMIT ? OFFSET ?
"""


def select_page(assistant_id: str, metadata: Mapping[str, Any], *, limit: int, offset: int) -> Statement:
    """A page of an assistant's versions whose metadata contains this, newest first."""
    clauses, params = json_filter.conditions(metadata=metadata)
    where = " AND ".join([*clauses, "1"])
    return Statement(_LIST.format(where=where), (assistant_id, assistant_id, *params, limit, offset))


#: A version, whether it is kept or current.
_NUMBER: Final = """
SELECT version FROM assistant_versions WHERE assistant_id = ? AND version = ?
UNION ALL
SELECT version FROM assistants WHERE assistant_id = ? AND version = ?
"""


def select_number(assistant_id: str, version: int) -> Statement:
    """Returns a row exactly when the assistant has, or had, this version."""
    return Statement(_NUMBER, (assistant_id, version) * 2)


#: Copies a kept version into the assistant's own row.
_RESTORE: Final = f"""
UPDATE assistants
SET (version, graph_id, name, description, config, context, metadata) = (
        SELECT version, graph_id, name, description, config, context, metadata
        FROM assistant_versions AS kept
        WHERE kept.assistant_id = ? AND kept.version = ?
    ),
    updated_at = ?
WHERE assistant_id = ? AND version = ? AND updated_at = ?
  AND EXISTS (SELECT 1 FROM assistant_versions AS kept WHERE kept.assistant_id = ? AND kept.version = ?)
RETURNING {COLUMNS}
"""


def restore(read: Assistant, version: int, *, now: str) -> Statement:
    """Make a kept version the current one; returns a row exactly when it did.

    It does not if there is no such version, or if the assistant was changed since it was read.
    """
    kept = (read.assistant_id, version)
    return Statement(_RESTORE, (*kept, now, read.assistant_id, read.version, read.updated_at, *kept))


#: All versions of an assistant, provided that the assistant was deleted.
_DELETE_ORPHANS: Final = """
DELETE FROM assistant_versions
WHERE assistant_id = ? AND NOT EXISTS (SELECT 1 FROM assistants WHERE assistants.assistant_id = ?)
"""


def delete_orphans(assistant_id: str) -> Statement:
    """Delete the versions of a deleted assistant."""
    return Statement(_DELETE_ORPHANS, (assistant_id, assistant_id))
