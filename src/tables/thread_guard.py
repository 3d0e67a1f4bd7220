"""Guards: what a thread must still be like when a decision about it is written."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from compact_json import compact_json
from ports import Statement

#: The latest checkpoint of each namespace in a JSON list.
_LATEST: Final = """
SELECT value AS checkpoint_ns,
    (SELECT MAX(checkpoint_id) FROM checkpoints WHERE thread_id = ? AND checkpoint_ns = value) AS checkpoint_id
FROM json_each(?)
"""

_RESTS: Final = """
SELECT CASE
    WHEN EXISTS (SELECT 1 FROM threads WHERE thread_id = ?)
        AND NOT EXISTS (
            SELECT 1 FROM runs INDEXED BY runs_unfinished
            WHERE thread_id = ? AND status IN ('pending', 'running')
        )
        AND NOT EXISTS (
            SELECT 1 FROM json_each(?) AS latest
            WHERE latest.value IS NOT (
                SELECT MAX(checkpoint_id) FROM checkpoints WHERE thread_id = ? AND checkpoint_ns = latest.key
            )
        )
    THEN 1
    ELSE json_extract('{}', 'changed')
END
"""

_IS_NEW: Final = """
SELECT CASE WHEN EXISTS (SELECT 1 FROM threads WHERE thread_id = ?) THEN json_extract('{}', 'changed') ELSE 1 END
"""

#: Part of the database's error when a guard refuses.
REFUSED: Final = "'changed'"


def select_latest(thread_id: str, namespaces: Sequence[str]) -> Statement:
    """The latest checkpoint of each namespace, for `latest_of`."""
    return Statement(_LATEST, (thread_id, compact_json(list(namespaces))))


def latest_of(rows: Sequence[Mapping[str, Any]]) -> dict[str, str | None]:
    """The result of `select_latest`, as `rests` takes it."""
    return {row["checkpoint_ns"]: row["checkpoint_id"] for row in rows}


def rests(thread_id: str, latest: Mapping[str, str | None]) -> Statement:
    """Fails, and its batch with it, unless the thread has no unfinished run and these are its latest checkpoints."""
    return Statement(_RESTS, (thread_id, thread_id, compact_json(dict(latest)), thread_id))


def is_new(thread_id: str) -> Statement:
    """Fails, and its batch with it, if the thread exists."""
    return Statement(_IS_NEW, (thread_id,))
