"""Copies a thread, its state and all its checkpoints, inside the database."""

from typing import Final

from ports import Statement
from tables import checkpoints
from tables.threads import EXPIRY

#: The row of the thread. A copy has no runs, so it is at rest.
_COPY: Final = f"""
INSERT INTO threads (
    thread_id, status, metadata, config, values_json, values_parts, interrupts, error,
    created_at, updated_at, state_updated_at, ttl_minutes, ttl_strategy, expires_at, format
)
SELECT ?,
    CASE
        WHEN status <> 'busy' THEN status
        WHEN error IS NOT NULL THEN 'error'
        WHEN interrupts <> '{{}}' THEN 'interrupted'
        ELSE 'idle'
    END,
    ?, config, values_json, values_parts, interrupts, error,
    ?, ?, ?, ttl_minutes, ttl_strategy, {EXPIRY}, format
FROM threads
WHERE thread_id = ?
"""

#: Values that are too large for the row.
_COPY_VALUES: Final = """
INSERT INTO large_texts (owner, part, text)
SELECT 'thread:' || ?2, part, text
FROM large_texts
WHERE owner = 'thread:' || ?1
"""


def statements(source: str, target: str, *, metadata: str, now: str) -> list[Statement]:
    """Copy `source` to the unused id `target`, with metadata of its own. Does nothing if `source` does not exist."""
    return [
        Statement(_COPY, (target, metadata, now, now, now, now, source)),
        *(Statement(sql, (source, target)) for sql in (_COPY_VALUES, *checkpoints.COPY_THREAD)),
    ]
