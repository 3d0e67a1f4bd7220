"""The table `crons`: schedules that create runs; `cron_fires.py` has the outcome of each time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from langgraph_sdk.schema import CronSortBy, OnCompletionBehavior, SortOrder

from ports import Database, SqlValue, Statement
from tables import json_filter
from tables.access import Access
from tables.record import Record

#: Which missed times run: none, the latest in place of all, or each.
OnMissed: TypeAlias = Literal["skip", "latest", "all"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cron(Record):
    """One row; `user`, `payload` and `metadata` are JSON texts."""

    cron_id: str
    assistant_id: str
    thread_id: str | None
    user_id: str
    user: str | None
    schedule: str
    timezone: str | None
    end_time: str | None
    payload: str
    metadata: str
    on_run_completed: OnCompletionBehavior | None
    on_missed: OnMissed
    enabled: int
    next_run_date: str
    created_at: str
    updated_at: str

    def is_due(self, time: str, *, before: str) -> bool:
        """Whether `time`, one of its times, comes before `before` and before the cron ends."""
        return bool(self.enabled) and time < before and (self.end_time is None or time <= self.end_time)


_COLUMNS: Final = Cron.columns()

#: A new cron; if it names a thread, only if that exists.
_INSERT: Final = f"""
INSERT INTO crons ({_COLUMNS})
SELECT {Cron.parameters()}
WHERE ? IS NULL OR EXISTS (SELECT 1 FROM threads WHERE thread_id = ?)
RETURNING cron_id
"""


def insert(cron: Cron) -> Statement:
    """Insert a cron; returns a row unless its thread does not exist."""
    return Statement(_INSERT, (*cron.values(), cron.thread_id, cron.thread_id))


#: One cron.
_GET: Final = f"""
SELECT {_COLUMNS}
FROM crons
WHERE cron_id = ?
"""


def select(cron_id: str, access: Access) -> Statement:
    """One cron."""
    where, params = access.where()
    return Statement(f"{_GET}  AND {where}\n", (cron_id, *params))


async def get(db: Database, cron_id: str, access: Access) -> Cron | None:
    """One cron."""
    [rows] = await db.batch([select(cron_id, access)])
    return Cron.from_row(rows[0]) if rows else None


#: The columns that a request may change, provided that neither another request nor a tick changed the cron meanwhile.
_CHANGED: Final = (
    *("schedule", "timezone", "end_time", "payload", "metadata", "on_run_completed", "on_missed", "enabled"),
    *("next_run_date", "updated_at"),
)
_UPDATE: Final = f"""
UPDATE crons
SET {", ".join(f"{name} = ?" for name in _CHANGED)}
WHERE cron_id = ? AND next_run_date = ? AND updated_at = ?
RETURNING cron_id
"""


def update(before: Cron, after: Cron) -> Statement:
    """Change a cron that was read as `before`; returns a row unless it was changed since."""
    values = tuple(getattr(after, name) for name in _CHANGED)
    return Statement(_UPDATE, (*values, before.cron_id, before.next_run_date, before.updated_at))


#: Deletes one cron.
_DELETE: Final = """
DELETE FROM crons
WHERE cron_id = ?
"""


async def delete(db: Database, cron_id: str, access: Access) -> bool:
    """Delete a cron; returns whether there was one."""
    where, params = access.where()
    [rows] = await db.batch([Statement(f"{_DELETE}  AND {where}\nRETURNING cron_id", (cron_id, *params))])
    return bool(rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """The conditions of a search; an empty field is no condition."""

    metadata: Mapping[str, Any]
    assistant_id: str | None
    thread_id: str | None
    enabled: bool | None
    access: Access

    def where(self) -> tuple[str, list[SqlValue]]:
        """The condition and its parameters."""
        clauses, texts = json_filter.conditions(metadata=self.metadata)
        params: list[SqlValue] = [*texts]
        for column in ("assistant_id", "thread_id", "enabled"):
            wanted = getattr(self, column)
            if wanted is not None:
                clauses.append(f"{column} = ?")
                params.append(int(wanted) if isinstance(wanted, bool) else wanted)
        allowed, allowed_params = self.access.where()
        return " AND ".join([*clauses, allowed]), [*params, *allowed_params]


async def search(
    db: Database, wanted: Search, *, sort_by: CronSortBy, sort_order: SortOrder, limit: int, offset: int
) -> list[Cron]:
    """A page of crons."""
    where, params = wanted.where()
    # `sort_by` and `sort_order` are literals that the body's model has checked.
    sql = f"""
SELECT {_COLUMNS}
FROM crons
WHERE {where}
ORDER BY {sort_by} {sort_order}, cron_id {sort_order}
LIMIT ? OFFSET ?
"""
    [rows] = await db.batch([Statement(sql, (*params, limit, offset))])
    return [Cron.from_row(row) for row in rows]


async def count(db: Database, wanted: Search) -> int:
    """How many crons match."""
    where, params = wanted.where()
    [[row]] = await db.batch([Statement(f"SELECT COUNT(*) AS number FROM crons WHERE {where}", tuple(params))])
    return row["number"]


#: Word for word the conditions of the index.
IS_ALIVE: Final = "enabled = 1 AND (end_time IS NULL OR next_run_date <= end_time)"

#: A page of crons that are due, the longest overdue first.
_DUE: Final = f"""
SELECT {_COLUMNS}
FROM crons INDEXED BY crons_due
WHERE {IS_ALIVE} AND next_run_date >= ? AND next_run_date < ?
ORDER BY next_run_date
LIMIT ?
"""


async def due(db: Database, *, since: str, before: str, limit: int) -> Sequence[Cron]:
    """A page of crons whose next run is at or after `since` and before `before`."""
    [rows] = await db.batch([Statement(_DUE, (since, before, limit))])
    return [Cron.from_row(row) for row in rows]
