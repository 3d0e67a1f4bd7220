"""Creates the runs of due crons, as if their users had asked for them.

A run, the record of its time and its cron's next time are one transaction, so a time is neither lost nor run twice,
whatever dies and however many ticks come. A time that cannot run (the assistant is gone, the thread is busy) is
recorded as well, and skipped.
"""

import asyncio
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import clock
import log_lines
from api import authorization
from api.context import Call, Services
from api.thread_runs import announce
from auth.principal import ANYONE, Principal
from auth.user import User
from compact_json import compact_json
from errors import AccessRefused, Conflict, DatabaseError, NotFound, SuperstepError
from http_messages import HttpRequest
from runs import creation
from runs.crons.plan import LATE_SECONDS, Plan, plan
from runs.run_row import Creator
from tables import cron_fires, crons
from tables.access import NOTHING
from tables.cron_fires import Reason
from tables.crons import Cron
from tables.runs import Run
from wire.bodies import JsonObject
from wire.runs import RunCreate

logger = logging.getLogger(__name__)

MINUTE_MS: Final = 60_000

PAGE_CRONS: Final = 100
#: A time takes two or three round trips, and one invocation may make 1,000. The remaining times are due at the next
#: tick.
MAX_TIMES: Final = 250
#: How many of its times one cron may handle before the other crons of its page have their turn.
MAX_TIMES_IN_A_ROW: Final = 20

#: The project's handlers are asked about every run, and a handler that never answers must not stop the clock.
HANDLERS_SECONDS: Final = 10
#: How many characters of an error are kept.
MAX_DETAIL_CHARS: Final = 500


async def fire_due(services: Services, *, before: str) -> int:
    """Create the runs of all crons that are due before `before`; returns how many. Safe to repeat.

    Crons that are on time come first, so that the backlog of an outage does not delay them.
    """
    late = clock.shifted(clock.now_iso(), -LATE_SECONDS)
    round_ = _Round(services, before, left=MAX_TIMES)
    for since in (late, ""):
        while round_.left and (page := await crons.due(services.db, since=since, before=before, limit=PAGE_CRONS)):
            await round_.fire(page)
    return round_.created


@dataclass(slots=True)
class _Round:
    """The work of one tick."""

    services: Services
    before: str
    left: int
    created: int = 0
    _unannounced: list[Run] = field(default_factory=list[Run])

    async def fire(self, page: Sequence[Cron]) -> None:
        """Handle the due times of some crons; another tick may take any of them, or a caller change it, meanwhile."""
        try:
            for cron in page:
                await self._fire(cron)
        finally:
            if self._unannounced:
                await announce(self.services, self._unannounced)
                self._unannounced.clear()

    async def _fire(self, cron: Cron) -> None:
        with log_lines.about(cron_id=cron.cron_id):
            await self._fire_in_order(cron)

    async def _fire_in_order(self, cron: Cron) -> None:
        try:
            for _ in range(min(self.left, MAX_TIMES_IN_A_ROW)):
                if not cron.is_due(cron.next_run_date, before=self.before):
                    return
                self.left -= 1
                cron = await self._step(cron)
        except DatabaseError as error:
            if cron_fires.FENCED not in str(error):
                raise

    async def _step(self, cron: Cron) -> Cron:
        """Handle the cron's next time, or all its missed times; returns the cron as it is afterwards."""
        now = clock.now_iso()
        step = plan(cron, now=now, before=self.before)
        if step.missed_until:
            logger.warning("times up to %s were missed", step.missed_until, extra={"event": "cron_skipped"})
            await self._skip(cron, step, "missed", None, now)
        elif run := await self._run(cron, step, now):
            self._unannounced.append(run)
            self.created += 1
        return replace(cron, next_run_date=step.next_run_date)

    async def _run(self, cron: Cron, step: Plan, now: str) -> Run | None:
        """Create the run of the cron's next time; None if it cannot be created, which is recorded."""
        try:
            return await _create(self.services, cron, step, now)
        except Exception as error:  # handlers of the project are asked: whatever they raise, other crons go on
            if isinstance(error, DatabaseError) and error.retryable and cron_fires.TAKEN not in str(error):
                raise
            expected = isinstance(error, SuperstepError)
            about = {"event": "cron_skipped"}
            logger.warning("no run for %s: %r", cron.next_run_date, error, exc_info=not expected, extra=about)
            detail = str(error) if expected else type(error).__name__
            await self._skip(cron, step, _reason(error), detail[:MAX_DETAIL_CHARS], now)
        return None

    async def _skip(self, cron: Cron, step: Plan, reason: Reason, detail: str | None, now: str) -> None:
        fire = cron_fires.without_run(cron, reason, detail, until=step.missed_until, now=now)
        await self.services.db.batch(cron_fires.skipped(cron, fire, next_run_date=step.next_run_date))


def _reason(error: Exception) -> Reason:
    match error:
        case Conflict():
            return "thread_busy"
        case NotFound():
            return "not_found"
        case AccessRefused():
            return "not_allowed"
        case _:
            return "failed"


async def _create(services: Services, cron: Cron, step: Plan, now: str) -> Run:
    async with asyncio.timeout(HANDLERS_SECONDS):
        call, by = await _allowed(services, cron, now)
    return await creation.create_run(
        services.db,
        services.graphs(),
        call.body,
        thread_id=cron.thread_id,
        by=by,
        webhook_urls=services.config.webhooks.url,
        alongside=lambda run: cron_fires.ran(cron, run, next_run_date=step.next_run_date),
    )


async def _allowed(services: Services, cron: Cron, now: str) -> tuple[Call[RunCreate, None], Creator]:
    call = await authorization.authorized("threads.create_run", _call(services, cron, now))
    return call, await call.creator()


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
    payload["config"]["configurable"]["cron_scheduled_at"] = cron.next_run_date
    if payload.get("context"):
        # A run is configured by one of the two, which the other one mirrors.
        payload["context"] |= payload["config"].pop("configurable")
    if cron.on_run_completed is not None:
        payload["on_completion"] = cron.on_run_completed
    payload["after_seconds"] = max(0, clock.epoch_ms(cron.next_run_date) - clock.epoch_ms(now)) / 1000
    return RunCreate.model_validate_json(compact_json(payload))
