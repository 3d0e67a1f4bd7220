"""Deletes threads and everything that belongs to them: the one module that knows every table with rows of threads.

The exception is `crons`, whose foreign key deletes them with their thread.
"""

from collections.abc import Sequence
from typing import Final

from compact_json import compact_json
from ports import Statement
from tables.access import Access
from tables.thread_retention import RESTS

#: The threads of a JSON list that have no unfinished run.
_RESTING: Final = f"""
FROM threads
WHERE thread_id IN (SELECT value FROM json_each(?)) AND {RESTS}
"""

#: What deleted threads in the JSON list ?1 have left. Rows that are found through `runs` are deleted before `runs`.
#: Webhooks that are still to be delivered stay, since a receiver expects them.
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
    """Delete threads with everything of theirs, except those with an unfinished run or that expire after `expired_by`.

    The first statement notes that the objects of these threads must be told. The second returns the `thread_id` of each
    thread that it deleted.
    """
    where, access_params = access.where()
    resting = f"{_RESTING}  AND (? IS NULL OR expires_at <= ?) AND {where}\n"
    params = (compact_json(list(thread_ids)), expired_by, expired_by, *access_params)
    return [
        Statement(f"INSERT OR IGNORE INTO deleted_threads (thread_id)\nSELECT thread_id{resting}", params),
        Statement(f"DELETE{resting}RETURNING thread_id\n", params),
        *delete_orphans(thread_ids),
    ]


#: A page of deleted threads whose objects may not know it yet.
_UNTOLD: Final = "SELECT thread_id FROM deleted_threads LIMIT ?"


def select_untold(*, limit: int) -> Statement:
    """`thread_id` of deleted threads whose objects may not know it."""
    return Statement(_UNTOLD, (limit,))


_TOLD: Final = "DELETE FROM deleted_threads WHERE thread_id IN (SELECT value FROM json_each(?))"


def told(thread_ids: Sequence[str]) -> Statement:
    """Note that the objects of these threads know."""
    return Statement(_TOLD, (compact_json(list(thread_ids)),))


def delete_orphans(thread_ids: Sequence[str]) -> list[Statement]:
    """Delete everything of those threads that an earlier statement of the batch deleted."""
    ids = compact_json(list(thread_ids))
    return [Statement(sql, (ids,)) for sql in _DELETE_ORPHANS]
