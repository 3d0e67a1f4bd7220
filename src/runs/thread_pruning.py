"""Threads that shrink to their latest checkpoints, and threads whose time is up."""

from collections.abc import Sequence
from typing import Final

from d1_checkpointer import D1Saver
from errors import DatabaseError
from ports import Database, ThreadObjects
from runs import thread_deletion
from tables import thread_guard, thread_retention
from tables.access import EVERYTHING, Access

#: Each takes two round trips or more, and what one call of a Worker may do is limited.
MAX_PRUNED: Final = 100
#: Each is a call to its object.
MAX_RETIRED: Final = 500


async def keep_latest(db: Database, thread_ids: Sequence[str], access: Access) -> frozenset[str]:
    """Delete the checkpoints that the latest do not need, of threads with nothing left to do; the ids of those."""
    [resting] = await db.batch([thread_retention.select_resting(thread_ids, access)])
    return frozenset([row["thread_id"] for row in resting if await _prune(db, row["thread_id"])])


async def _prune(db: Database, thread_id: str) -> bool:
    """False if a run was created meanwhile: it may need what is still there."""
    saver = D1Saver(db, guard=thread_guard.rests(thread_id, {}))
    try:
        await saver.aprune([thread_id], strategy="keep_latest")
    except DatabaseError as error:
        if thread_guard.REFUSED in str(error):
            return False
        raise
    return True


async def retire_expired_threads(db: Database, thread_objects: ThreadObjects, *, now: str, limit: int) -> int:
    """Delete or prune threads whose TTL has passed, at most `limit` and what one call may do; how many it was.

    A thread with an unfinished run is not retired: its time begins anew when the run ends. One that was pruned is not
    looked at again before something happens on it.
    """
    expired = {
        strategy: [row["thread_id"] for row in rows]
        for strategy, rows in zip(
            ("delete", "keep_latest"),
            await db.batch(
                [
                    thread_retention.select_expired("delete", now=now, limit=min(limit, MAX_RETIRED)),
                    thread_retention.select_expired("keep_latest", now=now, limit=min(limit, MAX_PRUNED)),
                ]
            ),
            strict=True,
        )
    }
    deleted = await thread_deletion.delete(db, thread_objects, expired["delete"], EVERYTHING, expired_by=now)
    pruned = await keep_latest(db, expired["keep_latest"], EVERYTHING)
    if pruned:
        await db.batch([thread_retention.forget_expiry(sorted(pruned), now=now)])
    return len(deleted) + len(pruned)
