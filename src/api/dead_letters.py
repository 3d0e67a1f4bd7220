"""Dead letters: runs that gave up, and queue messages that could not be delivered."""

import json
from typing import Any

from api import paging
from api.context import Call
from compact_json import compact_json
from http_messages import Reply, json_response
from ports import Row
from runs import dead_letters
from tables import dead_letters as letters
from wire.dead_letters import DEFAULT_LIMIT, DeadLettersQuery, DeadLettersRedrive


async def list_letters(call: Call[None, DeadLettersQuery]) -> Reply:
    """A page of dead letters, newest first."""
    query = call.query
    [rows] = await call.services.db.batch(
        [letters.select(query.graph_id, call.access, limit=query.limit + 1, offset=query.offset)]
    )
    headers = paging.headers(rows, limit=query.limit, offset=query.offset)
    return json_response(compact_json([_shown(row) for row in rows[: query.limit]]), headers=headers)


def _shown(row: Row) -> dict[str, Any]:
    names = ("run_id", "thread_id", "assistant_id", "graph_id", "status")
    return {
        **{name: row[name] for name in names},
        "attempts": row["attempt"],
        "reason": json.loads(row["reason"]),
        "message": row["message"],
        "created_at": row["created_at"],
    }


async def redrive(call: Call[DeadLettersRedrive, None]) -> Reply:
    """Redrive runs that gave up, each from its last checkpoint and with a fresh allowance of attempts."""
    services = call.services
    run_ids = call.body.run_ids or await _found(call)
    redriven = await dead_letters.redrive(services.db, services.queue, run_ids, call.access, services.stamp())
    answer = {
        "redriven": [{"thread_id": thread_id, "run_id": run_id} for thread_id, run_id in redriven.runs],
        "refused": [{"run_id": run_id, "detail": detail} for run_id, detail in redriven.refused],
    }
    return json_response(compact_json(answer))


async def _found(call: Call[DeadLettersRedrive, None]) -> list[str]:
    body = call.body
    graph_id = body.filter and body.filter.graph_id
    limit, offset = body.limit or DEFAULT_LIMIT, body.offset or 0
    [rows] = await call.services.db.batch([letters.select(graph_id, call.access, limit=limit, offset=offset)])
    return [row["run_id"] for row in rows]
