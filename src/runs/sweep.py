"""The sweeper: announces work that nobody has touched for a while.

It rescues runs whose queue message or whose object's alarm was lost, and webhooks whose message was lost or whose next
attempt was too far off for a message. Announcing too often is harmless.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

import clock
from ports import Database, RunQueue, WebhookQueue
from tables import runs, webhooks

T = TypeVar("T")

#: How long a run may go without a write before it is announced again.
STALE_SECONDS: Final = 60
#: How long a webhook may be overdue before it is announced again.
OVERDUE_SECONDS: Final = 15

PAGE_ROWS: Final = 500
#: One sweep announces at most PAGE_ROWS * MAX_PAGES rows; the others follow once those are handled.
MAX_PAGES: Final = 40


async def announce_stale(db: Database, queue: RunQueue, *, now: str) -> int:
    """Send one queue message for each thread with stale runs; returns how many.

    Safe to repeat, and to interrupt anywhere.
    """
    before = clock.shifted(now, -STALE_SECONDS)

    async def page(after: tuple[str, str]) -> Sequence[tuple[str, str]]:
        return await runs.unfinished_older_than(db, before, after=after[0], limit=PAGE_ROWS)

    return await _announce(page, queue.send_batch, ("", ""))


async def announce_overdue_webhooks(db: Database, queue: WebhookQueue, *, now: str) -> int:
    """Send a queue message for each run with an overdue webhook; returns how many. As safe as `announce_stale`."""
    by = clock.shifted(now, -OVERDUE_SECONDS)

    async def page(after: str) -> Sequence[str]:
        return await webhooks.overdue(db, by, after=after, limit=PAGE_ROWS)

    return await _announce(page, queue.send_batch, "")


async def _announce(
    page: Callable[[T], Awaitable[Sequence[T]]], send: Callable[[Sequence[T]], Awaitable[None]], start: T
) -> int:
    after, sent = start, 0
    for _ in range(MAX_PAGES):
        found = await page(after)
        if found:
            await send(found)
            sent += len(found)
        if len(found) < PAGE_ROWS:
            break
        after = found[-1]
    return sent
