"""Deleting threads, whoever wants it: a caller, or the time they were given."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Final

from errors import SuperstepError
from ports import Database, ThreadObjects
from tables import thread_deletion
from tables.access import Access

logger = logging.getLogger(__name__)

#: So many objects are told at the same time.
_TOLD_AT_ONCE: Final = 20


async def delete(
    db: Database,
    thread_objects: ThreadObjects,
    thread_ids: Sequence[str],
    access: Access,
    *,
    expired_by: str | None = None,
) -> frozenset[str]:
    """Delete threads with everything of theirs, but for those with an unfinished run; the ids of the deleted.

    With `expired_by`, only those whose TTL had passed then.
    """
    rows, *_ = await db.batch(thread_deletion.delete_resting(thread_ids, access, expired_by=expired_by))
    deleted = [row["thread_id"] for row in rows]
    for start in range(0, len(deleted), _TOLD_AT_ONCE):
        some = deleted[start : start + _TOLD_AT_ONCE]
        await asyncio.gather(*(_let_object_forget(thread_objects, thread_id) for thread_id in some))
    return frozenset(deleted)


async def _let_object_forget(thread_objects: ThreadObjects, thread_id: str) -> None:
    """The thread's object still has the events of its runs; it forgets them when it sees that the thread is gone."""
    try:
        await thread_objects.wake(thread_id)
    except SuperstepError:
        # The thread is gone: an error would make the caller try again, and read 404.
        logger.exception("the object of deleted thread %s was not told; it keeps the events of its runs", thread_id)
