"""Creates several runs at once, each on a temporary thread of its own, which is deleted when the run has ended."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from api import authorization
from api.context import Call
from api.creates import Create
from api.thread_runs import announce
from http_messages import Reply, json_response
from runs import creation
from runs.run_object import run_text
from tables import runs
from tables.runs import Run
from wire.json_objects import join_array
from wire.runs import RunBatch


async def _make(call: Call[RunBatch, None]) -> Sequence[Run]:
    """Create all runs or, on an error, none."""
    services = call.services
    calls = [await authorization.authorized("threads.create_run", replace(call, body=body)) for body in call.body.root]
    return await creation.create_stateless_runs(
        services.db,
        services.graphs(),
        [(each.body, await each.creator()) for each in calls],
        webhook_urls=services.config.webhooks.url,
    )


async def _find(call: Call[RunBatch, None], made: Sequence[tuple[str, str]]) -> Sequence[Run] | None:
    db = call.services.db
    found = await db.batch([runs.select(thread_id, run_id) for thread_id, run_id in made])
    return await runs.from_rows(db, [row for rows in found for row in rows]) or None


async def _answer(call: Call[RunBatch, None], created: Sequence[Run]) -> Reply:
    await announce(call.services, created)
    return json_response(join_array(run_text(run) for run in created))


create_batch: Final = Create(_make, _find, _answer)
