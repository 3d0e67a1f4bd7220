"""The jobs of each minute: every job does a bounded part of its work, and a failure does not stop the others.

All jobs together stay below the 1,000 calls to D1 that one invocation of a Worker may make.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

import clock
import errors
import log_lines
from api import cron_fires
from api.context import Services
from runs import dead_letters, sweep
from runs.threads import thread_deletion, thread_pruning
from tables import idempotency_keys, node_cache, run_metrics, store_items
from webhooks import delivery as webhook_delivery

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """One minute."""

    services: Services
    #: The minute of the schedule, counted since 1970, so that a late tick does not take the turn of another.
    minute: int

    def is_turn(self, interval_minutes: float | None) -> bool:
        """Whether a job with this interval (each minute, if None) is due at this minute."""
        return self.minute % max(1, round(interval_minutes or 1)) == 0


Job: TypeAlias = Callable[[Tick], Awaitable[None]]

#: How many threads one minute deletes, and how many it prunes, unless langgraph.json says otherwise.
MAX_RETIRED_THREADS: Final = 1000
#: How many rows one transaction deletes (they may be large), and how many transactions a job makes each minute.
PAGE_EXPIRED: Final = 200
MAX_EXPIRED_PAGES: Final = 30
#: How often webhooks are deleted that were settled long ago.
FORGET_WEBHOOKS_MINUTES: Final = 5

#: How long after its last run a Worker version stays in the metrics.
METRICS_KEPT_SECONDS: Final = 30 * 24 * 3600
METRICS_SWEEP_MINUTES: Final = 60


async def tick(services: Services, *, scheduled_ms: int) -> None:
    """Run the jobs of the minute for which the tick was scheduled; the tick may come late, twice or never."""
    minute = Tick(services=services, minute=scheduled_ms // cron_fires.MINUTE_MS)
    await asyncio.gather(*(_attempt(job, minute) for job in _JOBS))


async def _attempt(job: Job, now: Tick) -> None:
    with log_lines.about(job=job.__name__):
        try:
            await job(now)
        except Exception as error:  # the other jobs are still due, and the next minute tries this one again
            level = logging.WARNING if errors.passes(error) else logging.ERROR
            logger.log(level, "%s failed; the next minute tries again", job.__name__, exc_info=True)


async def fire_crons(tick: Tick) -> None:
    """Create the runs of crons that are due before the next tick."""
    minute = max(tick.minute, clock.now_ms() // cron_fires.MINUTE_MS)
    before = clock.iso_of_ms((minute + 1) * cron_fires.MINUTE_MS)
    created = await cron_fires.fire_due(tick.services, before=before)
    if created:
        logger.info("crons created %d runs", created, extra={"event": "crons_fired"})


async def announce_stale_runs(tick: Tick) -> None:
    """Send queue messages for runs that nobody works on."""
    announced = await sweep.announce_stale(tick.services.db, tick.services.queue, now=clock.now_iso())
    if announced:
        logger.warning("announced %d threads with unfinished runs again", announced, extra={"event": "runs_swept"})


async def announce_overdue_webhooks(tick: Tick) -> None:
    """Send queue messages for webhooks that nobody sends."""
    await sweep.announce_overdue_webhooks(tick.services.db, tick.services.webhook_queue, now=clock.now_iso())


async def forget_dead_letters(tick: Tick) -> None:
    """Delete dead letters past their retention, and circuits of graphs that have long been healthy."""
    await tick.services.db.batch(dead_letters.forget(clock.now_iso(), tick.services.settings))


async def forget_webhooks(tick: Tick) -> None:
    """Delete the records of webhooks that were settled long ago."""
    if not tick.is_turn(FORGET_WEBHOOKS_MINUTES):
        return
    forgotten = await webhook_delivery.forget_settled(tick.services.db, now=clock.now_iso())
    if forgotten:
        logger.info("forgot %d webhooks", forgotten, extra={"event": "webhooks_forgotten"})


async def delete_threads(tick: Tick) -> None:
    """Delete threads whose TTL has passed, if its strategy is `delete`."""
    services = tick.services
    if limit := _most_retired(tick):
        retired = await thread_pruning.delete_expired_threads(
            services.db, services.thread_objects, now=clock.now_iso(), limit=limit
        )
        _log_retired(retired)


async def prune_threads(tick: Tick) -> None:
    """Prune threads whose TTL has passed, if its strategy is `keep_latest`."""
    if limit := _most_retired(tick):
        _log_retired(await thread_pruning.prune_expired_threads(tick.services.db, now=clock.now_iso(), limit=limit))


def _most_retired(tick: Tick) -> int:
    """How many threads this minute may delete or prune; 0 if it is not its turn."""
    ttl = tick.services.config.checkpointer.ttl
    if not tick.is_turn(ttl and ttl.sweep_interval_minutes):
        return 0
    return ttl.sweep_limit if ttl else MAX_RETIRED_THREADS


def _log_retired(number: int) -> None:
    if number:
        logger.info("retired %d threads", number, extra={"event": "threads_retired"})


async def tell_objects(tick: Tick) -> None:
    """Tell the objects of deleted threads, if the deletion did not."""
    await thread_deletion.tell_objects(tick.services.db, tick.services.thread_objects)


async def sweep_store(tick: Tick) -> None:
    """Delete expired store items, which readers no longer see."""
    ttl, now = tick.services.config.store.ttl, clock.now_iso()
    if tick.is_turn(ttl and ttl.sweep_interval_minutes):
        await _page_by_page(lambda: store_items.delete_expired(tick.services.db, now=now, limit=PAGE_EXPIRED))


async def sweep_node_cache(tick: Tick) -> None:
    """Delete expired results of cached nodes."""
    now_ms = clock.now_ms()
    await _page_by_page(lambda: node_cache.delete_expired(tick.services.db, now_ms=now_ms, limit=PAGE_EXPIRED))


async def sweep_idempotency_keys(tick: Tick) -> None:
    """Delete expired idempotency keys, each minute in one share of all keys."""
    db, seconds = tick.services.db, tick.services.settings.idempotency_key_seconds
    share, before = tick.minute % idempotency_keys.SHARES, clock.shifted(clock.now_iso(), -seconds)
    await _page_by_page(lambda: idempotency_keys.delete_expired(db, share, before=before, limit=PAGE_EXPIRED))


async def _page_by_page(delete: Callable[[], Awaitable[int]]) -> None:
    for _ in range(MAX_EXPIRED_PAGES):
        if await delete() < PAGE_EXPIRED:
            break


async def forget_unused_metrics(tick: Tick) -> None:
    """Delete the sums of Worker versions without recent runs."""
    if tick.is_turn(METRICS_SWEEP_MINUTES):
        before = clock.shifted(clock.now_iso(), -METRICS_KEPT_SECONDS)
        await tick.services.db.batch([run_metrics.delete_unused(since=before)])


_JOBS: Final[tuple[Job, ...]] = (
    fire_crons,
    announce_stale_runs,
    announce_overdue_webhooks,
    forget_webhooks,
    forget_dead_letters,
    delete_threads,
    prune_threads,
    tell_objects,
    sweep_store,
    sweep_node_cache,
    sweep_idempotency_keys,
    forget_unused_metrics,
)
