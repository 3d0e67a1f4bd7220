"""The condition under which something may be written for a run: its row is still what the writer read."""

from typing import Final, TypeAlias

#: A run's thread_id, run_id, status, attempt and cancel_action.
Identity: TypeAlias = tuple[str, str, str, int, str | None]

#: True while the row is as an `Identity` says.
UNCHANGED: Final = """EXISTS (
    SELECT 1 FROM runs
    WHERE thread_id = ? AND run_id = ? AND status = ? AND attempt = ? AND cancel_action IS ?
)"""
