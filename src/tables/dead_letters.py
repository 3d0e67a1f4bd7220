"""The table `dead_letters`: what waits for an operator.

A run that gave up; and a queue message that could not be delivered, which says nothing any more once its run has ended.
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
    """Note that a run gave up, provided that `run` is what is stored: must stand before the statement that ends it."""
    return Statement(_INSERT, (run.run_id, run.thread_id, run.graph_id, reason, now, *run.identity))


#: A message that names a run which has not ended.
_INSERT_MESSAGE: Final = """
INSERT INTO dead_letters (run_id, thread_id, graph_id, reason, message, created_at)
SELECT run_id, thread_id,
    CASE kwargs_parts WHEN 0 THEN json_extract(kwargs, '$.config.configurable.graph_id') END, ?, ?, ?
FROM runs
WHERE thread_id = ? AND run_id = ? AND status IN ('pending', 'running')
ON CONFLICT (run_id) DO NOTHING
"""


def insert_message(thread_id: str, run_id: str, reason: str, message: str, *, now: str) -> Statement:
    """Note that a message could not be delivered, unless its run has ended all the same."""
    return Statement(_INSERT_MESSAGE, (reason, message, now, thread_id, run_id))


#: A message that names no run.
_INSERT_NAMELESS: Final = """
INSERT INTO dead_letters (run_id, reason, message, created_at)
VALUES (?, ?, ?, ?)
ON CONFLICT (run_id) DO NOTHING
"""


def insert_nameless(message_id: str, reason: str, message: str, *, now: str) -> Statement:
    """Note a message that means nothing."""
    return Statement(_INSERT_NAMELESS, (message_id, reason, message, now))


#: The run of a letter, or NULLs; whether any came after it on its thread; whether the thread is as it left it: its last
#: entries are the resumption in which it gave up, and its end.
_LETTERS: Final = """
    dead_letters AS letter {index}
    LEFT JOIN runs ON runs.thread_id = letter.thread_id AND runs.run_id = letter.run_id
"""
_IS_NEWEST: Final = "runs.run_id = (SELECT MAX(run_id) FROM runs AS other WHERE other.thread_id = runs.thread_id)"
_IS_UNTOUCHED: Final = """(
        SELECT MAX(checkpoint_id) FROM checkpoints WHERE thread_id = runs.thread_id AND checkpoint_ns = ''
    ) IS json_extract(runs.history, '$[#-2].checkpoint_id')"""

#: A letter that still says something: a message whose run has ended all the same does not.
_STANDS: Final = """(
    letter.message IS NULL OR letter.thread_id IS NULL OR EXISTS (
        SELECT 1 FROM runs AS named
        WHERE named.thread_id = letter.thread_id AND named.run_id = letter.run_id
          AND named.status IN ('pending', 'running')
    )
)"""

#: A page of letters, the newest first.
_LIST: Final = f"""
SELECT letter.run_id, letter.thread_id, letter.graph_id, letter.reason, letter.message, letter.created_at,
    runs.assistant_id, runs.status, runs.attempt
FROM {_LETTERS}
WHERE {{which}} AND {_STANDS} AND {{allowed}}
ORDER BY letter.created_at DESC, letter.run_id DESC
LIMIT ? OFFSET ?
"""


def select(graph_id: str | None, access: Access, *, limit: int, offset: int) -> Statement:
    """A page of letters, of one graph or of all, the newest first."""
    allowed, params = _within(access)
    index = "dead_letters_by_created_at" if graph_id is None else "dead_letters_by_graph"
    which, chosen = ("1", ()) if graph_id is None else ("letter.graph_id = ?", (graph_id,))
    sql = _LIST.format(index=f"INDEXED BY {index}", which=which, allowed=allowed)
    return Statement(sql, (*chosen, *params, limit, offset))


def _within(access: Access) -> tuple[str, tuple[SqlValue, ...]]:
    """The condition that a letter is about a thread within `access`; about no thread, for who may do everything."""
    if access == EVERYTHING:
        return "1", ()
    where, params = access.where("threads.metadata")
    return f"EXISTS (SELECT 1 FROM threads WHERE threads.thread_id = letter.thread_id AND {where})", params


#: The letters of some runs, and what may keep them from being redriven.
_LOOK: Final = f"""
SELECT letter.run_id, letter.thread_id, runs.status, {_IS_NEWEST} AS is_newest
FROM {_LETTERS.format(index="")}
WHERE letter.run_id IN (SELECT value FROM json_each(?)) AND {_STANDS} AND {{allowed}}
"""

#: Those that may go on wait once more, as if nothing had happened since their last checkpoint.
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

#: Letters whose run has not ended, and may have been redriven just now.
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
    """Let runs that gave up go on where that is possible; their letters are gone then, and those of unfinished runs.

    The first statement returns the letters as they were, the second those that it let go on.
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
    """Forget the letter of a run, if there is one."""
    return Statement(_DELETE_ONE, (run_id,))


#: A page of letters that nobody has done anything about.
_FORGET: Final = """
DELETE FROM dead_letters
WHERE run_id IN (
    SELECT run_id FROM dead_letters INDEXED BY dead_letters_by_created_at WHERE created_at < ? LIMIT ?
)
"""


def forget(*, before: str, limit: int) -> Statement:
    """Delete a page of letters that are older than a time."""
    return Statement(_FORGET, (before, limit))


#: How many there are, for `GET /metrics`.
_COUNT: Final = f"""
SELECT COALESCE(graph_id, '') AS graph_id, COUNT(*) AS number
FROM dead_letters AS letter
WHERE {_STANDS}
GROUP BY graph_id
"""


def count() -> Statement:
    """`graph_id` ('' for none) and `number` of the letters that a list of them shows."""
    return Statement(_COUNT)
