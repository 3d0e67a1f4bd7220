"""The table `threads`: how runs change the row of their thread, from busy to resting."""

from typing import Final

from ports import Statement
from tables import large_text, values_outline
from tables.run_fence import UNCHANGED
from tables.runs import Run
from tables.threads import EXPIRY, RestingStatus

#: Makes a thread busy when a run is created on it.
_ENGAGE: Final = """
UPDATE threads
SET status = 'busy',
    metadata = json_set(metadata, '$.graph_id', ?, '$.assistant_id', ?),
    config = ?,
    updated_at = ?
WHERE thread_id = ?
  AND EXISTS (SELECT 1 FROM runs WHERE thread_id = ? AND run_id = ?)
RETURNING thread_id
"""


def engage(run: Run, *, graph_id: str, config: str) -> Statement:
    """Mark the thread of a run as busy; returns a row exactly when the run was inserted."""
    return Statement(
        _ENGAGE,
        (graph_id, run.assistant_id, config, run.created_at, run.thread_id, run.thread_id, run.run_id),
    )


#: The thread after a run: busy while it has other unfinished runs, otherwise resting; fenced by the run.
_SETTLE: Final = f"""
UPDATE threads
SET status = CASE
        WHEN EXISTS (
            SELECT 1 FROM runs AS other INDEXED BY runs_unfinished
            WHERE other.thread_id = ? AND other.status IN ('pending', 'running') AND other.run_id <> ?
        ) THEN 'busy'
        WHEN ? IS NOT NULL THEN ?
        WHEN error IS NOT NULL THEN 'error'
        WHEN interrupts <> '{{}}' THEN 'interrupted'
        ELSE 'idle'
    END,
    values_json = CASE WHEN ? THEN ? ELSE values_json END,
    values_parts = CASE WHEN ? THEN ? ELSE values_parts END,
    interrupts = COALESCE(?, interrupts),
    error = CASE WHEN ? IS NOT NULL THEN ? ELSE error END,
    updated_at = ?,
    state_updated_at = CASE WHEN ? THEN ? ELSE state_updated_at END,
    expires_at = MAX({EXPIRY}, ?)
WHERE thread_id = ? AND {UNCHANGED}
"""


def settle(
    run: Run,
    *,
    resting: RestingStatus | None,
    values: str | None,
    interrupts: str | None,
    error: str | None,
    kept_until: str | None,
    now: str,
) -> list[Statement]:
    """Write the result of a run to its thread; None for `values` or `interrupts` keeps the stored ones.

    With `resting` None the run did nothing: the thread rests as before, with its `error`. The thread's TTL begins anew,
    and does not end before `kept_until`.

    It applies only while `run` is what is stored, so it must come before the statement that finishes the run.
    """
    has_values = int(values is not None)
    texts = large_text.parts(values) if values is not None else []
    statement = Statement(
        _SETTLE,
        (
            *(run.thread_id, run.run_id, resting, resting),
            *(has_values, values_outline.outline(values) if texts and values else values),
            *(has_values, len(texts)),
            interrupts,
            *(resting, error),
            now,
            *(has_values, now),
            *(now, kept_until or ""),
            run.thread_id,
            *run.identity,
        ),
    )
    if values is None:
        return [statement]
    parts = large_text.replace(f"thread:{run.thread_id}", texts, run.identity)
    return [statement, *parts]


#: Gives a thread back to its earlier graph, unless it has other unfinished runs; fenced by the run.
_RETURN: Final = f"""
UPDATE threads
SET metadata = json_set(metadata, '$.graph_id', ?, '$.assistant_id', ?)
WHERE thread_id = ?
  AND NOT EXISTS (
    SELECT 1 FROM runs AS other INDEXED BY runs_unfinished
    WHERE other.thread_id = ? AND other.status IN ('pending', 'running') AND other.run_id <> ?
  )
  AND {UNCHANGED}
"""


def give_back(run: Run, left_by: tuple[str, str] | None) -> list[Statement]:
    """Undo `engage` for a run that leaves nothing behind, while `run` is what is stored.

    `left_by` is the graph and the assistant that wrote the remaining state, if they are known.
    """
    return [Statement(_RETURN, (*left_by, run.thread_id, run.thread_id, run.run_id, *run.identity))] if left_by else []


#: The temporary thread of a stateless run, unless another run was created on it; fenced by the run.
_DELETE_TEMPORARY: Final = f"""
DELETE FROM threads
WHERE thread_id = ?
  AND NOT EXISTS (SELECT 1 FROM runs AS other WHERE other.thread_id = ? AND other.run_id <> ?)
  AND {UNCHANGED}
RETURNING thread_id
"""


def delete_temporary(run: Run) -> Statement:
    """Delete the thread of `run`, its only one, while `run` is what is stored; returns a row exactly when it did."""
    return Statement(_DELETE_TEMPORARY, (run.thread_id, run.thread_id, run.run_id, *run.identity))


#: Lets the thread of a run that gave up expire later; fenced by the run.
_LET_EXPIRE: Final = f"""
UPDATE threads
SET ttl_minutes = ?, ttl_strategy = 'delete'
WHERE thread_id = ? AND ttl_minutes IS NULL AND {UNCHANGED}
"""


def let_expire(run: Run, *, minutes: float) -> Statement:
    """Give a thread without a TTL one, while `run` is what is stored; `settle` starts it."""
    return Statement(_LET_EXPIRE, (minutes, run.thread_id, *run.identity))
