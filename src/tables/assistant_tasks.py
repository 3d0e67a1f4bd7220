"""The table `runs` as A2A sees it: the tasks of an assistant, and which messages of a thread began which task."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from langgraph_sdk.schema import RunStatus

from compact_json import compact_json
from ports import SqlValue, Statement
from tables.access import Access
from tables.record import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRow(Record):
    """The columns of a run that a task shows; `error` is a JSON text."""

    thread_id: str
    run_id: str
    status: RunStatus
    error: str | None
    updated_at: str


_COLUMNS: Final = ", ".join(f"runs.{name}" for name in TaskRow.__dataclass_fields__)

#: One run, if it is of this assistant.
_GET: Final = f"""
SELECT {_COLUMNS}
FROM runs
WHERE thread_id = ? AND run_id = ? AND assistant_id = ?
"""


def select(thread_id: str, run_id: str, assistant_id: str) -> Statement:
    """One run, if it is of this assistant. Another statement must check that the caller may read its thread."""
    return Statement(_GET, (thread_id, run_id, assistant_id))


#: The runs of threads, oldest first, each with the id of its caller's message.
_TURNS: Final = """
SELECT thread_id, run_id, kwargs ->> '$.input.messages[0].id' AS message_id
FROM runs
WHERE thread_id IN (SELECT value FROM json_each(?))
ORDER BY thread_id, run_id
"""


def select_turns(thread_ids: Sequence[str]) -> Statement:
    """(thread_id, run_id, message_id) of all runs of these threads, oldest first; for most runs, message_id is NULL."""
    return Statement(_TURNS, (compact_json(list(thread_ids)),))


#: The runs of an assistant on the threads whose last run was of this assistant. The order is that of the threads'
#: index, so listing costs no additional row for each run.
_OF_ASSISTANT: Final = """
FROM threads INDEXED BY threads_search CROSS JOIN runs ON runs.thread_id = threads.thread_id
WHERE threads.metadata -> '$.assistant_id' = ? AND runs.assistant_id = ?
  AND (? IS NULL OR threads.thread_id = ?)
  AND (? IS NULL OR runs.status IN (SELECT value FROM json_each(?)))
"""


def _of_assistant(
    assistant_id: str, thread_id: str | None, statuses: Sequence[RunStatus] | None, access: Access
) -> tuple[str, tuple[SqlValue, ...]]:
    where, params = access.where("threads.metadata")
    wanted = compact_json(list(statuses)) if statuses is not None else None
    own = (compact_json(assistant_id), assistant_id, thread_id, thread_id, wanted, wanted)
    return f"{_OF_ASSISTANT}  AND {where}\n", (*own, *params)


def select_page(
    assistant_id: str,
    access: Access,
    *,
    thread_id: str | None,
    statuses: Sequence[RunStatus] | None,
    limit: int,
    offset: int,
) -> list[Statement]:
    """A page of an assistant's runs, those of the last updated threads first, and their total `number`."""
    source, params = _of_assistant(assistant_id, thread_id, statuses, access)
    order = "ORDER BY threads.updated_at DESC, threads.thread_id DESC, runs.run_id DESC\nLIMIT ? OFFSET ?"
    return [
        Statement(f"SELECT {_COLUMNS}\n{source}{order}", (*params, limit, offset)),
        Statement(f"SELECT COUNT(*) AS number\n{source}", params),
    ]
