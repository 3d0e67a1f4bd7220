"""What the clock starts: the runs of due crons, created as if their users had asked for them.

A run and its cron's next time are one transaction, so a fire is neither lost nor doubled, whatever dies. What is known
beforehand to fail (the assistant is gone, the thread is busy) is passed over; the cron goes on with its next time.
"""

import json
import logging
from collections.abc import Sequence
from typing import Final

import clock
from api import authorization
from api.context import Call, Services
from auth.principal import ANYONE, Principal
from auth.user import User
from compact_json import compact_json
from errors import DatabaseError, SuperstepError, Unavailable
from http_messages import HttpRequest
from ports import Statement
from runs import creation
from runs.cron_schedule import next_run
from tables import crons
from tables.access import NOTHING
from tables.crons import Cron
from tables.runs import Run
from wire.bodies import JsonObject
from wire.runs import RunCreate

logger = logging.getLogger(__name__)

MINUTE_MS: Final = 60_000

PAGE_CRONS: Final = 100
#: What one call of a Worker may do is limited; what remains is due in the next minute still, and then comes first.
MAX_FIRES: Final = 300

#: When a cron runs whose schedule can no longer be read.
NEVER: Final = "9999-12-31T00:00:00+00:00"


async def fire_due(services: Services, *, before: str) -> int:
    """Create the runs of all crons whose time comes before `before`, each for its time; how many. Safe to repeat.

    Whoever missed earlier minutes runs once for all of them.
    """
    looked_at = created = 0
    while looked_at < MAX_FIRES:
        page = await crons.due(services.db, before=before, limit=min(PAGE_CRONS, MAX_FIRES - looked_at))
        if not page:
            break
        looked_at += len(page)
        created += await _fire_page(services, page)
    return created


async def _fire_page(services: Services, page: Sequence[Cron]) -> int:
    created: list[Run] = []
    try:
        for cron in page:
            if run := await _fire(services, cron):
                created.append(run)  # noqa: PERF401 - those before a failure count
    finally:
        await _announce(services, created)
    return len(created)


async def _fire(services: Services, cron: Cron) -> Run | None:
    """Create one cron's next run; None when that cannot be, or somebody else was faster."""
    now = clock.now_iso()
    moved_on = crons.move_on(cron, next_run_date=_time_after(cron, now))
    try:
        try:
            return await _create(services, cron, moved_on, now)
        except Exception as error:  # handlers of the project are asked: whatever they raise, other crons go on
            if isinstance(error, DatabaseError) and error.retryable:
                raise
            expected = isinstance(error, SuperstepError)
            logger.warning("cron %s: no run for %s: %s", cron.cron_id, cron.next_run_date, error, exc_info=not expected)
        await services.db.batch(moved_on)
    except DatabaseError as error:
        if crons.FENCED not in str(error):
            raise
    return None


async def _create(services: Services, cron: Cron, moved_on: Sequence[Statement], now: str) -> Run:
    call = await authorization.authorized("threads.create_run", _call(services, cron, now))
    by = await call.creator()
    return await creation.create_run(
        services.db,
        services.graphs(),
        call.body,
        thread_id=cron.thread_id,
        by=by,
        webhook_urls=services.config.webhooks.url,
        alongside=moved_on,
    )


def _call(services: Services, cron: Cron, now: str) -> Call[RunCreate, None]:
    """The request that the cron's user would have sent."""
    path = {} if cron.thread_id is None else {"thread_id": cron.thread_id}
    return Call(
        services=services,
        request=HttpRequest("POST", "/runs", [], {}, b""),
        principal=ANYONE if cron.user is None else Principal.of(User(json.loads(cron.user))),
        access=NOTHING,
        path=path,
        body=_request(cron, now),
        query=None,
    )


def _request(cron: Cron, now: str) -> RunCreate:
    payload: JsonObject = json.loads(cron.payload)
    if payload.get("context"):
        # What is configured is either the one or the other, and mirrored.
        payload["context"] |= payload["config"].pop("configurable")
    if cron.on_run_completed is not None:
        payload["on_completion"] = cron.on_run_completed
    payload["after_seconds"] = max(0, clock.epoch_ms(cron.next_run_date) - clock.epoch_ms(now)) / 1000
    return RunCreate.model_validate_json(compact_json(payload))


def _time_after(cron: Cron, now: str) -> str:
    """The cron's time after the one that is due; those before this minute that were missed are not made up for."""
    last_minute = clock.iso_of_ms(clock.epoch_ms(now) // MINUTE_MS * MINUTE_MS - 1)
    try:
        return next_run(cron.schedule, cron.timezone, after=max(cron.next_run_date, last_minute))
    except SuperstepError:
        logger.exception("cron %s does not run any more: its schedule has no next time", cron.cron_id)
        return NEVER


async def _announce(services: Services, runs: Sequence[Run]) -> None:
    try:
        await services.queue.send_batch([(run.thread_id, run.run_id) for run in runs])
    except Unavailable:
        # The rows are there and the sweeper will find them.
        logger.exception("the runs of %d crons were stored but not announced", len(runs))
