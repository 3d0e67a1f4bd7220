"""The condition under which something may be written for a run: its row is still what the writer read."""

from typing import Final, TypeAlias

from ports import Statement

#: A run's thread_id, run_id, status, attempt and cancel_action.
Identity: TypeAlias = tuple[str, str, str, int, str | None]

#: True while the row is as an `Identity` says.
UNCHANGED: Final = """EXISTS (
    SELECT 1 FROM runs
    WHERE thread_id = ? AND run_id = ? AND status = ? AND attempt = ? AND cancel_action IS ?
)"""


#: Fails unless a run is the last that was created on its thread, of whose others so many are unfinished.
_IS_NEWEST: Final = """
SELECT CASE
    WHEN ? = (SELECT MAX(run_id) FROM runs WHERE thread_id = ?)
        AND ? = (
            SELECT COUNT(*) FROM runs INDEXED BY runs_unfinished
            WHERE thread_id = ? AND status IN ('pending', 'running')
        )
    THEN 1
    ELSE json('not the newest')
END
"""


def is_newest(thread_id: str, run_id: str, *, unfinished: int) -> Statement:
    """A statement that fails, and with it its batch, unless the run is its thread's last one.

    Or unless so many runs of the thread are `unfinished`: those before the last one can only become fewer.
    """
    return Statement(_IS_NEWEST, (run_id, thread_id, unfinished, thread_id))
