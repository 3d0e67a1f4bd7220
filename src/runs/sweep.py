"""The sweeper: threads with unfinished runs that nobody has touched for a while are announced again.

It rescues runs whose queue message was lost and those whose thread object forgot its alarm. An announcement costs the
object one look at its rows, so announcing too often is harmless; one for each thread does, however many runs it has.
"""

from typing import Final

import clock
from ports import Database, RunQueue
from tables import runs

#: How long a run may go without a write before it is announced again.
STALE_SECONDS: Final = 60
PAGE_THREADS: Final = 500
#: One sweep announces at most PAGE_THREADS * MAX_PAGES threads; those finish and make room for the rest.
MAX_PAGES: Final = 40


async def announce_stale(db: Database, queue: RunQueue, *, now: str) -> int:
    """Send a queue message for each thread with a stale run; how many. Safe to repeat and to interrupt anywhere."""
    before = clock.shifted(now, -STALE_SECONDS)
    after = ""
    sent = 0
    for _ in range(MAX_PAGES):
        page = await runs.unfinished_older_than(db, before, after=after, limit=PAGE_THREADS)
        if page:
            await queue.send_batch(page)
            sent += len(page)
        if len(page) < PAGE_THREADS:
            break
        after = page[-1][0]
    return sent
