"""Prunes threads to their latest checkpoints, and handles expired threads."""

import random
from collections.abc import Sequence
from typing import Final

from d1_checkpointer import D1Saver
from errors import DatabaseError
from ports import Database, ThreadObjects
from runs.threads import thread_deletion
from tables import thread_guard, thread_retention
from tables.access import EVERYTHING, Access
from tables.threads import TtlStrategy

#: Each takes two round trips or more, and one invocation of a Worker may only make so many.
MAX_PRUNED: Final = 100
MAX_PRUNED_A_MINUTE: Final = 50
#: Each is a call to an object.
MAX_RETIRED: Final = 500


async def keep_latest(db: Database, thread_ids: Sequence[str], access: Access) -> frozenset[str]:
    """Prune those of these threads that have no unfinished run to their latest checkpoints; returns their ids."""
    [resting] = await db.batch([thread_retention.select_resting(thread_ids, access)])
    return frozenset([row["thread_id"] for row in resting if await _prune(db, row["thread_id"])])


async def _prune(db: Database, thread_id: str) -> bool:
    """Returns False if a run was created meanwhile, which may need the remaining checkpoints."""
    saver = D1Saver(db, guard=thread_guard.rests(thread_id, {}))
    try:
        await saver.aprune([thread_id], strategy="keep_latest")
    except DatabaseError as error:
        if thread_guard.REFUSED in str(error):
            return False
        raise
    return True


async def delete_expired_threads(db: Database, thread_objects: ThreadObjects, *, now: str, limit: int) -> int:
    """Delete at most `limit` threads whose TTL has passed, within the limits of one call; returns how many.

    A thread with an unfinished run stays: its TTL begins anew when the run ends.
    """
    expired = await _expired(db, "delete", now=now, limit=min(limit, MAX_RETIRED))
    return len(await thread_deletion.delete(db, thread_objects, expired, EVERYTHING, expired_by=now))


async def prune_expired_threads(db: Database, *, now: str, limit: int) -> int:
    """Prune expired threads with the strategy `keep_latest`; each is handled once until its next activity."""
    pruned: list[str] = []
    try:
        for thread_id in await _expired(db, "keep_latest", now=now, limit=min(limit, MAX_PRUNED_A_MINUTE)):
            if await _prune(db, thread_id):
                pruned.append(thread_id)  # noqa: PERF401 - those before a failure count
    finally:
        if pruned:
            await db.batch([thread_retention.forget_expiry(pruned, now=now)])
    return len(pruned)


async def _expired(db: Database, strategy: TtlStrategy, *, now: str, limit: int) -> list[str]:
    """In random order, so that a faulty thread does not delay the same others each time."""
    [rows] = await db.batch([thread_retention.select_expired(strategy, now=now, limit=limit)])
    return random.sample([row["thread_id"] for row in rows], len(rows))
