"""The fence of writes for a run: its row must still be what the writer read."""

from typing import Final, TypeAlias

from ports import Statement

#: A run's thread_id, run_id, status, attempt and cancel_action.
Identity: TypeAlias = tuple[str, str, str, int, str | None]

#: Part of SQLite's error when a fence refuses a batch.
REFUSED: Final = "'fenced'"

#: True while the row equals an `Identity`.
UNCHANGED: Final = """EXISTS (
    SELECT 1 FROM runs
    WHERE thread_id = ? AND run_id = ? AND status = ? AND attempt = ? AND cancel_action IS ?
)"""


#: Fails unless no run is running, this run is the newest of the thread, and so many are unfinished.
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
    """Fails, and its batch with it, if a run of the thread executes, or has executed since the thread was read.

    `newest` is the thread's newest run, `unfinished` the number of unfinished runs, when it was read. While no run is
    added, that number only falls, and only when a run ends.
    """
    return Statement(_PAUSES, (newest, thread_id, unfinished, thread_id))
