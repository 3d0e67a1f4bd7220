"""`GET …/timeline`: what happened to a run, as JSON or as a picture."""

from typing import Final, Literal

from pydantic import Field

import clock
from api import timeline_page
from api.context import Call
from api.threads import thread_not_found
from compact_json import compact_json
from errors import NotFound
from http_messages import HttpResponse, Reply, json_response
from runs import timeline
from tables import run_checkpoints, runs, threads, webhooks
from wire.bodies import MAX_LIMIT, CheckpointId
from wire.queries import Query

#: A run that was redriven has a webhook for each of its ends.
MAX_WEBHOOKS: Final = 20


class TimelineQuery(Query):
    """The query of GET …/timeline."""

    limit: int = Field(200, ge=1, le=MAX_LIMIT, description="How many checkpoints a page may have.")
    after: CheckpointId | None = Field(None, description="The `next` of the page before.")
    format: Literal["json", "html"] | None = Field(None, description="What `Accept` asks for, unless given.")


async def get(call: Call[None, TimelineQuery]) -> Reply:
    """A page of a run's events, oldest first; `text/html` shows them as a picture."""
    thread_id, run_id, query = call.path["thread_id"], call.path["run_id"], call.query
    # One more checkpoint shows whether there is another page, and the one named `after` is read for its time.
    page = run_checkpoints.select_page(thread_id, run_id, start=query.after, limit=query.limit + 2)
    head, found, checkpoints, tasks, sent = await call.services.db.batch(
        [
            threads.select_head(thread_id, call.access),
            runs.select(thread_id, run_id),
            *page,
            webhooks.of_run(run_id, limit=MAX_WEBHOOKS),
        ]
    )
    if not head:
        raise thread_not_found(thread_id)
    run = await runs.first_from_rows(call.services.db, found)
    if run is None:
        raise NotFound("Not Found")
    shown = timeline.of(run, checkpoints, tasks, sent, after=query.after, limit=query.limit)
    is_for_people = "text/html" in call.request.headers.get("accept", "")
    if query.format == "html" or (query.format is None and is_for_people):
        return HttpResponse(200, timeline_page.HEADERS, timeline_page.page(shown, now=clock.now_iso()))
    events = [event.model_dump(exclude_none=True) for event in shown.events]
    return json_response(compact_json({**shown.model_dump(exclude={"events"}), "events": events}))
