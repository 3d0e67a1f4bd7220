"""The condition under which something may be written for a run: its row is still what the writer read."""

from typing import Final, TypeAlias

from ports import Statement

#: A run's thread_id, run_id, status, attempt and cancel_action.
Identity: TypeAlias = tuple[str, str, str, int, str | None]

#: Part of what SQLite says when a statement refuses that fails unless a run is what its writer read.
REFUSED: Final = "'fenced'"

#: True while the row is as an `Identity` says.
UNCHANGED: Final = """EXISTS (
    SELECT 1 FROM runs
    WHERE thread_id = ? AND run_id = ? AND status = ? AND attempt = ? AND cancel_action IS ?
)"""


#: Fails unless nobody executes, this is the last run that was created on the thread, and so many are unfinished.
_PAUSES: Final = f"""
SELECT CASE
    WHEN ? = (SELECT MAX(run_id) FROM runs WHERE thread_id = ?)
        AND (?, 0) = (
            SELECT COUNT(*), COALESCE(SUM(status = 'running'), 0) FROM runs INDEXED BY runs_unfinished
            WHERE thread_id = ? AND status IN ('pending', 'running')
        )
    THEN 1
    ELSE json_extract('{{}}', {REFUSED})
END
"""


def pauses(thread_id: str, *, newest: str, unfinished: int) -> Statement:
    """A statement that fails, and with it its batch, unless no run of the thread executes or did since it was read.

    `newest` is the last that was created, and so many were `unfinished`: only by ending do they become fewer.
    """
    return Statement(_PAUSES, (newest, thread_id, unfinished, thread_id))
