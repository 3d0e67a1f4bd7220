"""The sweeper: unfinished runs that nobody has touched for a while are announced again.

It rescues runs whose queue message was lost and those whose thread object forgot its alarm. An announcement costs the
object one look at its rows, so announcing too often is harmless.
"""

from typing import Final

import clock
from ports import Database, RunQueue
from tables import runs

#: How long a run may go without a write before it is announced again.
STALE_SECONDS: Final = 60
PAGE_RUNS: Final = 500
#: One sweep announces at most PAGE_RUNS * MAX_PAGES runs; those finish and make room for the rest.
MAX_PAGES: Final = 40


async def announce_stale(db: Database, queue: RunQueue, *, now: str) -> int:
    """Send one queue message for each stale run; how many were sent. Safe to repeat and to interrupt anywhere."""
    before = clock.shifted(now, -STALE_SECONDS)
    after = ("", "")
    sent = 0
    for _ in range(MAX_PAGES):
        page = await runs.unfinished_older_than(db, before, after=after, limit=PAGE_RUNS)
        if page:
            await queue.send_batch(page)
            sent += len(page)
        if len(page) < PAGE_RUNS:
            break
        after = page[-1]
    return sent
