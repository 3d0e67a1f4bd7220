"""The table `webhooks`: what is still to be delivered. A row is deleted once its receiver has it, or never will."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ports import Database, Statement
from tables import large_text
from tables.run_fence import UNCHANGED
from tables.runs import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """One delivery; `body` is the JSON object to send."""

    run_id: str
    thread_id: str
    #: How often it was sent, this time included.
    attempts: int
    url: str
    body: str


#: A webhook of a run that ends in this batch; when ?3 is 1, only if its thread has gone before it.
_INSERT: Final = f"""
INSERT INTO webhooks (run_id, thread_id, due_at, url, body, body_parts)
SELECT ?1, ?2, ?4, ?5, ?6, ?7
WHERE (?3 = 0 OR NOT EXISTS (SELECT 1 FROM threads WHERE thread_id = ?2)) AND {UNCHANGED}
"""


def insert(run: Run, url: str, body: str, *, only_without_thread: bool = False, now: str) -> list[Statement]:
    """Note a webhook, provided that `run` is what is stored: must stand before the statement that ends it."""
    texts = large_text.parts(body)
    values = (run.run_id, run.thread_id, int(only_without_thread), now, url, "null" if texts else body, len(texts))
    statement = Statement(_INSERT, (*values, *run.identity))
    return [statement, *large_text.replace(_owner(run.run_id), texts, run.identity)] if texts else [statement]


def _owner(run_id: str) -> str:
    return f"webhook:{run_id}"


#: One delivery begins; nobody else begins it until `due_at`.
_TAKE: Final = """
UPDATE webhooks
SET attempts = attempts + 1, due_at = ?
WHERE run_id = ? AND due_at <= ?
RETURNING run_id, thread_id, attempts, url, body, body_parts
"""


async def take(db: Database, run_id: str, *, until: str, now: str) -> Webhook | None:
    """Begin to deliver a webhook; None when it is delivered, under way, or not due yet. A crash frees it at `until`."""
    [rows] = await db.batch([Statement(_TAKE, (until, run_id, now))])
    if not rows:
        return None
    fields = dict(rows[0])
    if fields.pop("body_parts"):
        fields["body"] = await large_text.load(db, _owner(run_id))
    return Webhook(**fields)


#: The next try of one webhook.
_POSTPONE: Final = "UPDATE webhooks SET due_at = ? WHERE run_id = ?"


def postpone(run_id: str, *, due_at: str) -> Statement:
    """Set when a webhook is sent again."""
    return Statement(_POSTPONE, (due_at, run_id))


#: One webhook.
_DELETE: Final = "DELETE FROM webhooks WHERE run_id = ?"


def delete(run_id: str) -> list[Statement]:
    """Forget a webhook."""
    return [Statement(_DELETE, (run_id,)), large_text.delete(_owner(run_id))]


#: A page of webhooks that should have been sent by a time.
_OVERDUE: Final = """
SELECT run_id
FROM webhooks
WHERE run_id > ? AND due_at < ?
ORDER BY run_id
LIMIT ?
"""


async def overdue(db: Database, before: str, *, after: str, limit: int) -> Sequence[str]:
    """A page of the runs whose webhooks should have been sent before a time, beyond the run `after` (at first "")."""
    [rows] = await db.batch([Statement(_OVERDUE, (after, before, limit))])
    return [row["run_id"] for row in rows]
