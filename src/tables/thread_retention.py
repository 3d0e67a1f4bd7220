"""Which threads may be pruned or deleted: those without an unfinished run, and among them the expired ones."""

from collections.abc import Sequence
from typing import Final

from compact_json import compact_json
from ports import Statement
from tables.access import Access
from tables.threads import TtlStrategy

#: A condition on a row of `threads`: it has no unfinished run.
RESTS: Final = """
    NOT EXISTS (
        SELECT 1 FROM runs INDEXED BY runs_unfinished
        WHERE runs.thread_id = threads.thread_id AND runs.status IN ('pending', 'running')
    )
"""

#: Those of a JSON list that rest.
_RESTING: Final = f"""
SELECT thread_id
FROM threads
WHERE thread_id IN (SELECT value FROM json_each(?)) AND {RESTS}
"""


def select_resting(thread_ids: Sequence[str], access: Access) -> Statement:
    """The `thread_id` of those of these threads that have no unfinished run."""
    where, params = access.where()
    return Statement(f"{_RESTING}  AND {where}\n", (compact_json(list(thread_ids)), *params))


#: Expired threads that rest, the longest expired first.
_EXPIRED: Final = f"""
SELECT thread_id
FROM threads INDEXED BY threads_by_expires_at
WHERE expires_at IS NOT NULL AND expires_at <= ? AND ttl_strategy = ? AND {RESTS}
ORDER BY expires_at
LIMIT ?
"""


def select_expired(strategy: TtlStrategy, *, now: str, limit: int) -> Statement:
    """The `thread_id` of expired threads that have no unfinished run."""
    return Statement(_EXPIRED, (now, strategy, limit))


#: Clears the expiry of handled threads until their next activity sets a new one.
_FORGET_EXPIRY: Final = """
UPDATE threads
SET expires_at = NULL
WHERE thread_id IN (SELECT value FROM json_each(?)) AND expires_at <= ?
"""


def forget_expiry(thread_ids: Sequence[str], *, now: str) -> Statement:
    """Note that these expired threads were handled."""
    return Statement(_FORGET_EXPIRY, (compact_json(list(thread_ids)), now))
