"""The table `webhooks`: deliveries that are pending and, for a while, those that were delivered or given up.

A row is pending while it has a `due_at`. An attempt takes the row by moving `due_at` to the end of its lease. It may
store its result only while `due_at` is still that time.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias

import clock
import ids
from compact_json import compact_json
from ports import Database, Statement
from tables import large_text
from tables.access import Access
from tables.run_fence import UNCHANGED
from tables.runs import Run

WebhookStatus: TypeAlias = Literal["pending", "delivered", "dead"]

#: Of a webhook that was redelivered again and again, the last attempts are kept. A day has fewer attempts.
MAX_HISTORY: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """One delivery, as an attempt takes it; `body` is the JSON object to send."""

    run_id: str
    delivery_id: str
    url: str
    body: str
    body_parts: int
    #: When its day began, and how many attempts were made since, including this one.
    since: str
    attempts: int
    #: The end of the lease: until then nobody else sends it.
    due_at: str

    @property
    def message_id(self) -> str:
        """The same in each attempt, so that the receiver recognises duplicates."""
        return self.delivery_id or self.run_id


#: The webhook of a run that ends in this batch; if ?1 is 1, only if its thread was deleted before.
_INSERT: Final = f"""
INSERT INTO webhooks (run_id, delivery_id, thread_id, metadata, url, body, body_parts, due_at, since)
SELECT ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9
WHERE (?1 = 0 OR NOT EXISTS (SELECT 1 FROM threads WHERE thread_id = ?4)) AND {UNCHANGED}
"""


def insert(
    run: Run, delivery_id: str, url: str, body: str, *, only_without_thread: bool = False, now: str
) -> list[Statement]:
    """Record a webhook, if `run` is what is stored; must come before the statement that ends the run."""
    # Metadata that alone fills a row would keep the run from ending. Without it, only the operator sees the webhook.
    metadata = "{}" if large_text.parts(run.metadata) else run.metadata
    texts = large_text.parts(body, beside=metadata)
    shown = (run.run_id, delivery_id, run.thread_id, metadata, url)
    values = (int(only_without_thread), *shown, "null" if texts else body, len(texts), now)
    statement = Statement(_INSERT, (*values, *run.identity))
    return [statement, *large_text.replace(_owner(delivery_id), texts, run.identity)] if texts else [statement]


def _owner(message_id: str) -> str:
    return f"webhook:{message_id}"


#: Begins an attempt at ?1 for those webhooks of run ?3 that are due by ?4; nobody else begins one until ?2.
_TAKE: Final = f"""
UPDATE webhooks
SET attempts = attempts + 1,
    due_at = ?2,
    since = COALESCE(since, ?1),
    history = json_insert(
        CASE WHEN json_array_length(history) < {MAX_HISTORY} THEN history ELSE json_remove(history, '$[0]') END,
        '$[#]', json_object('at', ?1)
    )
WHERE run_id = ?3 AND due_at <= ?4
RETURNING run_id, delivery_id, url, body, body_parts, since, attempts, due_at
"""


async def take(db: Database, run_id: str, *, due_by: str, until: str, now: str) -> list[Webhook]:
    """Begin an attempt for each due webhook of a run, usually one. After a crash it is due again at `until`."""
    [rows] = await db.batch([Statement(_TAKE, (now, until, run_id, due_by))])
    return [await _whole(db, Webhook(**row)) for row in rows]


async def _whole(db: Database, webhook: Webhook) -> Webhook:
    if not webhook.body_parts:
        return webhook
    return replace(webhook, body=await large_text.load(db, _owner(webhook.message_id)))


#: Stores the result of an attempt, provided that nobody took or redelivered the webhook meanwhile.
_POSTPONE: Final = """
UPDATE webhooks
SET due_at = ?, history = json_set(history, '$[#-1]', json_patch(history -> '$[#-1]', ?))
WHERE run_id = ? AND delivery_id = ? AND due_at = ?
"""
_DELIVERED: Final = """
UPDATE webhooks
SET due_at = NULL, delivered_at = ?, body = 'null', body_parts = 0,
    history = json_set(history, '$[#-1]', json_patch(history -> '$[#-1]', ?))
WHERE run_id = ? AND delivery_id = ? AND due_at = ?
"""

#: The body of a delivered webhook.
_DROP_BODY: Final = """
DELETE FROM large_texts
WHERE owner = ? AND EXISTS (SELECT 1 FROM webhooks WHERE run_id = ? AND delivery_id = ? AND delivered_at IS NOT NULL)
"""


def postpone(webhook: Webhook, came_of_it: str, *, due_at: str | None) -> Statement:
    """End a failed attempt: the webhook is sent again at `due_at`, or given up. `came_of_it` is a JSON object."""
    return Statement(_POSTPONE, (due_at, came_of_it, webhook.run_id, webhook.delivery_id, webhook.due_at))


def delivered(webhook: Webhook, came_of_it: str, *, now: str) -> list[Statement]:
    """End a successful attempt, and delete the body."""
    key = (webhook.run_id, webhook.delivery_id)
    end = Statement(_DELIVERED, (now, came_of_it, *key, webhook.due_at))
    return [end, Statement(_DROP_BODY, (_owner(webhook.message_id), *key))] if webhook.body_parts else [end]


#: A page of runs with webhooks that should have been sent by a time.
_OVERDUE: Final = """
SELECT DISTINCT run_id
FROM webhooks INDEXED BY webhooks_undelivered
WHERE delivered_at IS NULL AND run_id > ? AND due_at <= ?
ORDER BY run_id
LIMIT ?
"""


async def overdue(db: Database, by: str, *, after: str, limit: int) -> Sequence[str]:
    """A page of the runs whose webhooks should have been sent by a time, after the run `after` (at first "")."""
    [rows] = await db.batch([Statement(_OVERDUE, (after, by, limit))])
    return [row["run_id"] for row in rows]


#: How webhooks with a status are found; the status follows from other columns.
_DEAD: Final = "delivered_at IS NULL AND due_at IS NULL"
_WITH_STATUS: Final[dict[WebhookStatus | None, tuple[str, str]]] = {
    None: ("webhooks", "1"),
    "pending": ("webhooks INDEXED BY webhooks_undelivered", "delivered_at IS NULL AND due_at IS NOT NULL"),
    "delivered": ("webhooks", "delivered_at IS NOT NULL"),
    "dead": ("webhooks INDEXED BY webhooks_undelivered", _DEAD),
}

#: Webhooks, those of the newest runs first.
_LIST: Final = """
SELECT COALESCE(NULLIF(delivery_id, ''), run_id) AS delivery_id, run_id, thread_id, url,
    CASE WHEN delivered_at IS NOT NULL THEN 'delivered' WHEN due_at IS NULL THEN 'dead' ELSE 'pending' END AS status,
    attempts, due_at, delivered_at, history
FROM {table}
WHERE {condition}
ORDER BY run_id DESC, webhooks.delivery_id DESC
LIMIT ? OFFSET ?
"""


def select(status: WebhookStatus | None, access: Access, *, limit: int, offset: int) -> Statement:
    """A page of webhooks, of one status or of all, those of the newest runs first."""
    table, condition = _WITH_STATUS[status]
    where, params = access.where()
    sql = _LIST.format(table=table, condition=f"{condition} AND {where}")
    return Statement(sql, (*params, limit, offset))


def of_run(run_id: str, *, limit: int) -> Statement:
    """The last webhooks of a run, in the form of `select`; for Superstep's own work."""
    return Statement(_LIST.format(table="webhooks", condition="run_id = ?"), (run_id, limit, 0))


#: The number of webhooks that may need an operator.
_COUNT: Final = """
SELECT COUNT(due_at) AS pending, COUNT(*) - COUNT(due_at) AS dead
FROM webhooks INDEXED BY webhooks_undelivered
WHERE delivered_at IS NULL
"""


def count() -> Statement:
    """How many webhooks are `pending`, and how many `dead`."""
    return Statement(_COUNT)


#: Makes undelivered webhooks due at once, for another day.
_REDELIVER: Final = """
UPDATE webhooks
SET due_at = ?1, since = ?1, attempts = 0
WHERE {chosen}
RETURNING run_id, COALESCE(NULLIF(delivery_id, ''), run_id) AS delivery_id
"""

#: The webhooks of some runs, and a page of those that were given up.
_OF_RUNS: Final = "run_id IN (SELECT value FROM json_each(?)) AND delivered_at IS NULL AND {where}"
_ALL_DEAD: Final = f"""(run_id, delivery_id) IN (
    SELECT run_id, delivery_id FROM webhooks INDEXED BY webhooks_undelivered WHERE {_DEAD} AND {{where}} LIMIT ?
)"""


def redeliver(run_ids: Sequence[str], access: Access, *, now: str) -> Statement:
    """Make the undelivered webhooks of runs due again; returns `run_id` and `delivery_id` of each."""
    where, params = access.where()
    sql = _REDELIVER.format(chosen=_OF_RUNS.format(where=where))
    return Statement(sql, (now, compact_json(list(run_ids)), *params))


def redeliver_dead(access: Access, *, limit: int, now: str) -> Statement:
    """Make up to `limit` webhooks due again that were given up; returns `run_id` and `delivery_id` of each."""
    where, params = access.where()
    sql = _REDELIVER.format(chosen=_ALL_DEAD.format(where=where))
    return Statement(sql, (now, *params, limit))


#: Webhooks that were delivered, or given up, before a time. Their runs were created even earlier, so the range of run
#: ids finds them.
_DELIVERED_BEFORE: Final = """
SELECT run_id, delivery_id FROM webhooks
WHERE run_id < ? AND delivered_at < ?
ORDER BY run_id
LIMIT ?
"""
_DEAD_BEFORE: Final = f"""
SELECT run_id, delivery_id FROM webhooks INDEXED BY webhooks_undelivered
WHERE {_DEAD} AND run_id < ? AND since < ?
ORDER BY run_id
LIMIT ?
"""

_DELETE: Final = "DELETE FROM webhooks WHERE (run_id, delivery_id) IN ({chosen}) RETURNING run_id"
_DELETE_BODIES: Final = """
DELETE FROM large_texts
WHERE owner IN (SELECT 'webhook:' || COALESCE(NULLIF(delivery_id, ''), run_id) FROM ({chosen}))
"""


def delete_settled(*, delivered_before: str, dead_before: str, limit: int) -> list[Statement]:
    """Delete up to `limit` old webhooks of each kind; the last two statements return a row for each."""
    delivered = (ids.earliest(clock.epoch_ms(delivered_before)), delivered_before, limit)
    dead = (ids.earliest(clock.epoch_ms(dead_before)), dead_before, limit)
    return [
        Statement(_DELETE_BODIES.format(chosen=_DEAD_BEFORE), dead),
        Statement(_DELETE.format(chosen=_DEAD_BEFORE), dead),
        Statement(_DELETE.format(chosen=_DELIVERED_BEFORE), delivered),
    ]


def delete(webhook: Webhook) -> list[Statement]:
    """Delete a webhook that is never to be sent."""
    key = (webhook.run_id, webhook.delivery_id)
    row = Statement("DELETE FROM webhooks WHERE run_id = ? AND delivery_id = ?", key)
    return [row, large_text.delete(_owner(webhook.message_id))]
