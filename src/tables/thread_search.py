"""Searches the table `threads`: pages in any order, and counts.

The index `threads_search` has everything that a search may ask for, except `values`. A search reads only the index
until it knows its page, because a row of the table may be megabytes
(docs/decisions/0011-one-index-for-searching-threads.md).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from langgraph_sdk.schema import SortOrder, ThreadSortBy, ThreadStatus

from compact_json import compact_json
from ports import Database, SqlValue, Statement
from tables import json_filter, threads
from tables.access import Access
from tables.threads import Thread

_SAME: Final = "it.thread_id = listed.thread_id"


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """The conditions of a search; an empty field is no condition."""

    metadata: Mapping[str, Any]
    #: Of values that are too large for their row, only the part in `tables.values_outline` is searched.
    values: Mapping[str, Any]
    ids: Sequence[str]
    status: ThreadStatus | None
    access: Access

    def source(self) -> tuple[str, tuple[SqlValue, ...]]:
        """What follows FROM, including the conditions, and its parameters."""
        clauses, texts = json_filter.conditions(metadata=self.metadata)
        params: list[SqlValue] = [*texts]
        if self.ids:
            clauses.append("thread_id IN (SELECT value FROM json_each(?))")
            params.append(compact_json(list(self.ids)))
        if self.status:
            clauses.append("status = ?")
            params.append(self.status)
        allowed, allowed_params = self.access.where()
        clauses.append(allowed)
        params += allowed_params
        if self.values:
            wanted, texts = json_filter.conditions(values_json=self.values)
            # Searching the text first for the longest string that it must contain costs a fraction of parsing the JSON.
            wanted = [_SAME, "instr(values_json, ?)", *wanted]
            clauses.append(f"EXISTS (SELECT 1 FROM threads AS it WHERE {' AND '.join(wanted)})")
            params += [max(texts[1::2], key=len), *texts]
        index = "" if self.ids else " INDEXED BY threads_search"
        return f"threads AS listed{index} WHERE {' AND '.join(clauses)}", tuple(params)


async def search(
    db: Database, wanted: Search, *, sort_by: ThreadSortBy, sort_order: SortOrder, limit: int, offset: int
) -> list[Thread]:
    """A page of threads; values that exceed their row still have to be loaded."""
    source, params = wanted.source()
    # `sort_by` and `sort_order` are literals that the body's model has checked.
    sql = f"""
SELECT {threads.COLUMNS}
FROM threads
WHERE thread_id IN (
    SELECT thread_id FROM {source}
    ORDER BY {sort_by} {sort_order}, thread_id {sort_order}
    LIMIT ? OFFSET ?
)
ORDER BY {sort_by} {sort_order}, thread_id {sort_order}
"""
    [rows] = await db.batch([Statement(sql, (*params, limit, offset))])
    return [Thread.from_row(row) for row in rows]


#: A page of the threads whose last run was of an assistant, in the order of their ids, read from the search index.
_OF_ASSISTANT: Final = """
SELECT thread_id
FROM threads INDEXED BY threads_search
WHERE metadata -> '$.assistant_id' = ? AND thread_id > ?
ORDER BY thread_id
LIMIT ?
"""


async def ids_of_assistant(db: Database, assistant_id: str, *, after: str, limit: int) -> list[str]:
    """A page of the ids of threads whose last run was of an assistant, after the id `after`."""
    [rows] = await db.batch([Statement(_OF_ASSISTANT, (compact_json(assistant_id), after, limit))])
    return [row["thread_id"] for row in rows]


async def count(db: Database, wanted: Search) -> int:
    """How many threads match."""
    source, params = wanted.source()
    [[row]] = await db.batch([Statement(f"SELECT COUNT(*) AS number FROM {source}", params)])
    return row["number"]
