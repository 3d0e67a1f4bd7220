"""The list of webhooks, and redelivery."""

import json
from typing import Any

import clock
from api import paging
from api.context import Call
from compact_json import compact_json
from http_messages import Reply, json_response
from ports import Row
from tables import webhooks
from webhooks import delivery as webhook_delivery
from wire.webhooks import DEFAULT_LIMIT, WebhooksQuery, WebhooksRedeliver


async def list_webhooks(call: Call[None, WebhooksQuery]) -> Reply:
    """A page of webhooks, those of the newest runs first."""
    query = call.query
    [rows] = await call.services.db.batch(
        [webhooks.select(query.status, call.access, limit=query.limit + 1, offset=query.offset)]
    )
    headers = paging.headers(rows, limit=query.limit, offset=query.offset)
    return json_response(compact_json([_shown(row) for row in rows[: query.limit]]), headers=headers)


def _shown(row: Row) -> dict[str, Any]:
    names = ("delivery_id", "run_id", "thread_id", "url", "status", "attempts")
    return {
        **{name: row[name] for name in names},
        "next_attempt_at": row["due_at"],
        "delivered_at": row["delivered_at"],
        "history": json.loads(row["history"]),
    }


async def redeliver(call: Call[WebhooksRedeliver, None]) -> Reply:
    """Try undelivered webhooks for another day, beginning at once."""
    services, body, now = call.services, call.body, clock.now_iso()
    if body.run_ids is not None:
        chosen = webhooks.redeliver(body.run_ids, call.access, now=now)
    else:
        chosen = webhooks.redeliver_dead(call.access, limit=body.limit or DEFAULT_LIMIT, now=now)
    [rows] = await services.db.batch([chosen])
    if rows:
        await webhook_delivery.hint(services.webhook_queue, sorted({row["run_id"] for row in rows}))
    return json_response(compact_json({"redelivered": [dict(row) for row in rows]}))
