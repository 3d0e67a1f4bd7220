"""The table `dead_letters`: runs that gave up, and queue messages that could not be delivered; for an operator.

The letter of a message is hidden once the run that it names has ended.
"""

from collections.abc import Sequence
from typing import Final

from compact_json import compact_json
from ports import SqlValue, Statement
from tables.access import EVERYTHING, Access
from tables.run_fence import UNCHANGED
from tables.run_history import Stamp, appended
from tables.runs import Run

#: A run that gives up in this batch.
_INSERT: Final = f"""
INSERT INTO dead_letters (run_id, thread_id, graph_id, reason, created_at)
SELECT ?1, ?2, ?3, ?4, ?5
WHERE {UNCHANGED}
ON CONFLICT (run_id) DO UPDATE SET
    graph_id = excluded.graph_id, reason = excluded.reason, message = NULL, created_at = excluded.created_at
"""


def insert(run: Run, reason: str, *, now: str) -> Statement:
    """Record that a run gave up, if `run` is what is stored; must come before the statement that ends the run."""
    return Statement(_INSERT, (run.run_id, run.thread_id, run.graph_id, reason, now, *run.identity))


#: A message that names an unfinished run.
_INSERT_MESSAGE: Final = """
INSERT INTO dead_letters (run_id, thread_id, graph_id, reason, message, created_at)
SELECT run_id, thread_id,
    CASE kwargs_parts WHEN 0 THEN json_extract(kwargs, '$.config.configurable.graph_id') END, ?, ?, ?
FROM runs
WHERE thread_id = ? AND run_id = ? AND status IN ('pending', 'running')
ON CONFLICT (run_id) DO NOTHING
"""


def insert_message(thread_id: str, run_id: str, reason: str, message: str, *, now: str) -> Statement:
    """Record a message that could not be delivered, unless its run has ended meanwhile."""
    return Statement(_INSERT_MESSAGE, (reason, message, now, thread_id, run_id))


#: A message that names no run.
_INSERT_NAMELESS: Final = """
INSERT INTO dead_letters (run_id, reason, message, created_at)
VALUES (?, ?, ?, ?)
ON CONFLICT (run_id) DO NOTHING
"""


def insert_nameless(message_id: str, reason: str, message: str, *, now: str) -> Statement:
    """Record a message that names no run."""
    return Statement(_INSERT_NAMELESS, (message_id, reason, message, now))


#: A letter and its run, or NULLs. `_IS_NEWEST`: no newer run came to the thread. `_IS_UNTOUCHED`: the thread's last
#: checkpoint is still that of the last but one history entry, the resumption in which the run gave up.
_LETTERS: Final = """
    dead_letters AS letter {index}
    LEFT JOIN runs ON runs.thread_id = letter.thread_id AND runs.run_id = letter.run_id
"""
_IS_NEWEST: Final = "runs.run_id = (SELECT MAX(run_id) FROM runs AS other WHERE other.thread_id = runs.thread_id)"
_IS_UNTOUCHED: Final = """(
        SELECT MAX(checkpoint_id) FROM checkpoints WHERE thread_id = runs.thread_id AND checkpoint_ns = ''
    ) IS json_extract(runs.history, '$[#-2].checkpoint_id')"""

#: Whether a letter is shown: that of a message is not, once its run has ended.
_STANDS: Final = """(
    letter.message IS NULL OR letter.thread_id IS NULL OR EXISTS (
        SELECT 1 FROM runs AS named
        WHERE named.thread_id = letter.thread_id AND named.run_id = letter.run_id
          AND named.status IN ('pending', 'running')
    )
)"""

#: A page of letters, newest first.
_LIST: Final = f"""
SELECT letter.run_id, letter.thread_id, letter.graph_id, letter.reason, letter.message, letter.created_at,
    runs.assistant_id, runs.status, runs.attempt
FROM {_LETTERS}
WHERE {{which}} AND {_STANDS} AND {{allowed}}
ORDER BY letter.created_at DESC, letter.run_id DESC
LIMIT ? OFFSET ?
"""


def select(graph_id: str | None, access: Access, *, limit: int, offset: int) -> Statement:
    """A page of letters, of one graph or of all, newest first."""
    allowed, params = _within(access)
    index = "dead_letters_by_created_at" if graph_id is None else "dead_letters_by_graph"
    which, chosen = ("1", ()) if graph_id is None else ("letter.graph_id = ?", (graph_id,))
    sql = _LIST.format(index=f"INDEXED BY {index}", which=which, allowed=allowed)
    return Statement(sql, (*chosen, *params, limit, offset))


def _within(access: Access) -> tuple[str, tuple[SqlValue, ...]]:
    """The condition that a letter is about a thread within `access`.

    Only `EVERYTHING` includes letters without a thread.
    """
    if access == EVERYTHING:
        return "1", ()
    where, params = access.where("threads.metadata")
    return f"EXISTS (SELECT 1 FROM threads WHERE threads.thread_id = letter.thread_id AND {where})", params


#: The letters of some runs, and what may prevent that they are redriven.
_LOOK: Final = f"""
SELECT letter.run_id, letter.thread_id, runs.status, {_IS_NEWEST} AS is_newest
FROM {_LETTERS.format(index="")}
WHERE letter.run_id IN (SELECT value FROM json_each(?)) AND {_STANDS} AND {{allowed}}
"""

#: Moves runs that may go on back to `pending`; they resume from their last checkpoint.
_REDRIVE: Final = f"""
UPDATE runs
SET status = 'pending', error = NULL, started_at = NULL, updated_at = ?1,
    history = {appended("redriven", at="?1", attempt="attempt", version="?2")}
WHERE (thread_id, run_id) IN (
    SELECT letter.thread_id, letter.run_id
    FROM {_LETTERS.format(index="")}
    WHERE letter.run_id IN (SELECT value FROM json_each(?3))
      AND letter.message IS NULL AND runs.status = 'error' AND {_IS_NEWEST} AND {_IS_UNTOUCHED} AND {{allowed}}
)
RETURNING thread_id, run_id
"""

#: Letters of unfinished runs, which may have been redriven by this batch.
_UNFINISHED: Final = f"""
    SELECT letter.{{column}}
    FROM {_LETTERS.format(index="")}
    WHERE letter.run_id IN (SELECT value FROM json_each(?)) AND runs.status IN ('pending', 'running') AND {{allowed}}
"""
_ENGAGE: Final = f"""
UPDATE threads
SET status = 'busy', updated_at = ?
WHERE thread_id IN ({_UNFINISHED})
"""
_DELETE: Final = f"DELETE FROM dead_letters WHERE run_id IN ({_UNFINISHED})"


def redrive(run_ids: Sequence[str], access: Access, stamp: Stamp) -> list[Statement]:
    """Redrive runs where that is possible; deletes their letters, and those of unfinished runs.

    The first statement returns the letters as they were, the second the runs that were redriven.
    """
    allowed, params = _within(access)
    ids = compact_json(list(run_ids))
    return [
        Statement(_LOOK.format(allowed=allowed), (ids, *params)),
        Statement(_REDRIVE.format(allowed=allowed), (stamp.now, stamp.version, ids, *params)),
        Statement(_ENGAGE.format(column="thread_id", allowed=allowed), (stamp.now, ids, *params)),
        Statement(_DELETE.format(column="run_id", allowed=allowed), (ids, *params)),
    ]


#: The letter of a run that is deleted.
_DELETE_ONE: Final = "DELETE FROM dead_letters WHERE run_id = ?"


def delete(run_id: str) -> Statement:
    """Delete the letter of a run, if there is one."""
    return Statement(_DELETE_ONE, (run_id,))


#: A page of expired letters.
_FORGET: Final = """
DELETE FROM dead_letters
WHERE run_id IN (
    SELECT run_id FROM dead_letters INDEXED BY dead_letters_by_created_at WHERE created_at < ? LIMIT ?
)
"""


def forget(*, before: str, limit: int) -> Statement:
    """Delete a page of letters that were created before a time."""
    return Statement(_FORGET, (before, limit))


#: How many letters there are, for `GET /metrics`.
_COUNT: Final = f"""
SELECT COALESCE(graph_id, '') AS graph_id, COUNT(*) AS number
FROM dead_letters AS letter
WHERE {_STANDS}
GROUP BY graph_id
"""


def count() -> Statement:
    """`graph_id` ('' for none) and `number` of the letters that are shown."""
    return Statement(_COUNT)
