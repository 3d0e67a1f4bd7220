"""Deleting threads with all that belongs to them: the one place that knows every table with rows of a thread.

But for `crons`, whose foreign key deletes them with their thread.
"""

from collections.abc import Sequence
from typing import Final

from compact_json import compact_json
from ports import Statement
from tables.access import Access
from tables.thread_retention import RESTS

#: Of a JSON list, those that have nothing left to do.
_RESTING: Final = f"""
FROM threads
WHERE thread_id IN (SELECT value FROM json_each(?)) AND {RESTS}
"""

#: What is left of threads in the JSON list ?1 that are gone. What is found by `runs` goes before them. Webhooks that
#: are still to be delivered stay, since somebody waits for them.
_DELETE_ORPHANS: Final = (
    """
    DELETE FROM large_texts
    WHERE owner IN (
        WITH gone (thread_id) AS (
            SELECT value FROM json_each(?1) WHERE NOT EXISTS (SELECT 1 FROM threads WHERE thread_id = value)
        )
        SELECT 'thread:' || thread_id FROM gone
        UNION ALL
        SELECT 'run:' || runs.run_id FROM gone CROSS JOIN runs USING (thread_id) WHERE runs.kwargs_parts > 0
        UNION ALL
        SELECT 'webhook:' || COALESCE(NULLIF(webhooks.delivery_id, ''), webhooks.run_id)
        FROM gone CROSS JOIN runs USING (thread_id) CROSS JOIN webhooks ON webhooks.run_id = runs.run_id
        WHERE webhooks.body_parts > 0 AND webhooks.due_at IS NULL
    )
    """,
    *(
        f"""
        DELETE FROM {table}
        WHERE {condition} AND run_id IN (
            SELECT runs.run_id FROM json_each(?1) CROSS JOIN runs ON runs.thread_id = value
            WHERE NOT EXISTS (SELECT 1 FROM threads WHERE threads.thread_id = value)
        )
        """
        for table, condition in (("webhooks", "due_at IS NULL"), ("dead_letters", "1"))
    ),
    *(
        f"""
        DELETE FROM {table}
        WHERE thread_id IN (SELECT value FROM json_each(?1))
          AND NOT EXISTS (SELECT 1 FROM threads WHERE threads.thread_id = {table}.thread_id)
        """
        for table in ("runs", "checkpoints", "checkpoint_blobs", "checkpoint_writes")
    ),
)


def delete_resting(thread_ids: Sequence[str], access: Access, *, expired_by: str | None = None) -> list[Statement]:
    """Delete threads with everything of theirs, unless they have an unfinished run or, if given, still have time.

    The second statement returns the `thread_id` of each that it deleted; the first notes that its object is to know.
    """
    where, access_params = access.where()
    resting = f"{_RESTING}  AND (? IS NULL OR expires_at <= ?) AND {where}\n"
    params = (compact_json(list(thread_ids)), expired_by, expired_by, *access_params)
    return [
        Statement(f"INSERT OR IGNORE INTO deleted_threads (thread_id)\nSELECT thread_id{resting}", params),
        Statement(f"DELETE{resting}RETURNING thread_id\n", params),
        *delete_orphans(thread_ids),
    ]


#: A page of those whose objects may not know yet.
_UNTOLD: Final = "SELECT thread_id FROM deleted_threads LIMIT ?"


def select_untold(*, limit: int) -> Statement:
    """`thread_id` of deleted threads whose objects may not know it."""
    return Statement(_UNTOLD, (limit,))


_TOLD: Final = "DELETE FROM deleted_threads WHERE thread_id IN (SELECT value FROM json_each(?))"


def told(thread_ids: Sequence[str]) -> Statement:
    """The objects of these know."""
    return Statement(_TOLD, (compact_json(list(thread_ids)),))


def delete_orphans(thread_ids: Sequence[str]) -> list[Statement]:
    """Delete everything of those threads that an earlier statement of the batch deleted."""
    ids = compact_json(list(thread_ids))
    return [Statement(sql, (ids,)) for sql in _DELETE_ORPHANS]
