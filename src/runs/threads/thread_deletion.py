"""Deletes threads, at a caller's request or when their TTL has passed.

A thread's object has the events of its runs in a storage of its own. It is told after the thread was deleted. Until
then a row records that it must be told, so that nothing of a deleted conversation remains.
"""

import asyncio
import logging
from collections.abc import Sequence
from typing import Final

from errors import SuperstepError
from ports import Database, ThreadObjects
from tables import thread_deletion
from tables.access import Access

logger = logging.getLogger(__name__)

#: How many threads one transaction deletes, and how many objects are told at the same time.
AT_ONCE: Final = 20
#: How many objects that were not told at once are told each minute, by one call each.
MAX_UNTOLD: Final = 200


async def delete(
    db: Database,
    thread_objects: ThreadObjects,
    thread_ids: Sequence[str],
    access: Access,
    *,
    expired_by: str | None = None,
) -> frozenset[str]:
    """Delete threads with everything of theirs, except those with an unfinished run; returns the deleted ids.

    With `expired_by`, only those whose TTL had passed at that time.
    """
    deleted: list[str] = []
    for start in range(0, len(thread_ids), AT_ONCE):
        some = thread_deletion.delete_resting(thread_ids[start : start + AT_ONCE], access, expired_by=expired_by)
        _, rows, *_ = await db.batch(some)
        gone = [row["thread_id"] for row in rows]
        await _tell(db, thread_objects, gone)
        deleted += gone
    return frozenset(deleted)


async def tell_objects(db: Database, thread_objects: ThreadObjects) -> None:
    """Tell objects that their threads were deleted, if the deletion did not. Safe to repeat."""
    [rows] = await db.batch([thread_deletion.select_untold(limit=MAX_UNTOLD)])
    thread_ids = [row["thread_id"] for row in rows]
    for start in range(0, len(thread_ids), AT_ONCE):
        await _tell(db, thread_objects, thread_ids[start : start + AT_ONCE])


async def _tell(db: Database, thread_objects: ThreadObjects, thread_ids: Sequence[str]) -> None:
    """Let objects forget the events of their runs.

    Never fails: the threads are deleted, and the sweeper tells the rest.
    """
    try:
        answers = await asyncio.gather(*map(thread_objects.wake, thread_ids), return_exceptions=True)
        told = [thread_id for thread_id, answer in zip(thread_ids, answers, strict=True) if answer is None]
        if told:
            await db.batch([thread_deletion.told(told)])
        if len(told) < len(thread_ids):
            logger.warning("%d objects of deleted threads are still to be told", len(thread_ids) - len(told))
    except SuperstepError:
        logger.warning("%d objects of deleted threads are to be told once more", len(thread_ids), exc_info=True)
