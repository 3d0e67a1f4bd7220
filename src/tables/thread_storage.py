"""How much space a thread takes in the database."""

from collections.abc import Sequence
from typing import Any, Final

from ports import Row, Statement

_CHECKPOINTS: Final = """
SELECT COUNT(*) AS count,
    COALESCE(SUM(length(CAST(checkpoint AS BLOB)) + length(CAST(metadata AS BLOB))), 0) AS bytes
FROM checkpoints
WHERE thread_id = ?
"""

#: A small value is inline in each checkpoint's body; a large one has a row for each of its versions.
_VALUES: Final = """
WITH stored (channel, version, bytes, inline_bytes) AS (
    SELECT channel, checkpoint_ns || ' ' || version, length(value), 0
    FROM checkpoint_blobs
    WHERE thread_id = ?1
    UNION ALL
    SELECT inline.key,
        c.checkpoint_ns || ' ' || (c.checkpoint ->> ('$.versions[' || named.value || ']')),
        length(CAST(c.checkpoint -> inline.fullkey AS BLOB)),
        length(CAST(c.checkpoint -> inline.fullkey AS BLOB))
    FROM checkpoints AS c
    CROSS JOIN json_each(c.checkpoint, '$.channel_values') AS inline
    CROSS JOIN json_each(c.checkpoint, '$.channel_versions') AS named
    WHERE c.thread_id = ?1 AND named.key = inline.key
)
SELECT channel, COUNT(DISTINCT version) AS versions, SUM(bytes) AS bytes, SUM(inline_bytes) AS inline_bytes
FROM stored
GROUP BY channel
ORDER BY channel
"""

_WRITES: Final = """
SELECT COALESCE(SUM(json_array_length(entries)), 0) AS count, COALESCE(SUM(length(value)), 0) AS bytes
FROM checkpoint_writes
WHERE thread_id = ?
"""


def statements(thread_id: str) -> list[Statement]:
    """The statements whose results `read` takes."""
    return [Statement(sql, (thread_id,)) for sql in (_CHECKPOINTS, _VALUES, _WRITES)]


def read(results: Sequence[Sequence[Row]]) -> dict[str, Any]:
    """Counts and bytes. Each byte counts once, so inline values do not count as part of the checkpoints' bodies."""
    [checkpoints], values, [writes] = results
    checkpoint_bytes = checkpoints["bytes"] - sum(row["inline_bytes"] for row in values)
    value_bytes = sum(row["bytes"] for row in values)
    return {
        "total_bytes": checkpoint_bytes + value_bytes + writes["bytes"],
        "checkpoints": {"count": checkpoints["count"], "bytes": checkpoint_bytes},
        "channel_values": {
            "count": sum(row["versions"] for row in values),
            "bytes": value_bytes,
            "by_channel": {row["channel"]: {"versions": row["versions"], "bytes": row["bytes"]} for row in values},
        },
        "pending_writes": {"count": writes["count"], "bytes": writes["bytes"]},
    }
