"""The checkpoints of one run's own graph, without its subgraphs.

No index tells the checkpoints of different runs apart. They are found by their ids, which sort by time.
"""

from collections.abc import Sequence
from typing import Final

from ports import Statement

#: The Unix epoch in ticks of 100 ns since the epoch of UUIDs.
_UNIX_EPOCH_TICKS: Final = 0x01B21DD213814000


def id_at(iso: str, shift_seconds: int) -> str:
    """An SQL expression for a bound: the UUIDv6 of every checkpoint made after the time is greater.

    `iso`, the time, is an SQL expression as well. It is truncated to the second, so choose `shift_seconds` so that
    nothing is missed.
    """
    ticks = f"((CAST(strftime('%s', {iso}) AS INTEGER) + {shift_seconds}) * 10000000 + {_UNIX_EPOCH_TICKS})"
    return f"printf('%08x-%04x', {ticks} >> 28, ({ticks} >> 12) & 0xFFFF)"


#: A page of the checkpoints of run ?2 on thread ?1, oldest first, from checkpoint ?3 on.
_PAGE: Final = f"""
WITH range AS (
    SELECT
        COALESCE(?3, {id_at("COALESCE(json_extract(history, '$[0].at'), started_at, created_at)", -1)}) AS first,
        CASE WHEN status IN ('pending', 'running') THEN 'g' ELSE {id_at("updated_at", 2)} END AS beyond
    FROM runs
    WHERE thread_id = ?1 AND run_id = ?2
),
page AS (
    SELECT checkpoint_id, parent_checkpoint_id, json_extract(checkpoint, '$.ts') AS at, metadata
    FROM checkpoints
    WHERE thread_id = ?1 AND checkpoint_ns = ''
        AND checkpoint_id >= (SELECT first FROM range) AND checkpoint_id < (SELECT beyond FROM range)
        AND json_extract(metadata, '$.run_id') = ?2
    ORDER BY checkpoint_id
    LIMIT ?4
)
"""

_CHECKPOINTS: Final = f"""
{_PAGE}
SELECT checkpoint_id, parent_checkpoint_id, at,
    json_extract(metadata, '$.step') AS step,
    json_extract(metadata, '$.source') AS source,
    json_extract(metadata, '$.run_attempt') AS attempt
FROM page
ORDER BY checkpoint_id
"""

#: How the path of a task begins unless a `Send` made it; the name of its node follows.
_PULLED: Final = "~__pregel_pull, "

#: The writes of the run's tasks at the checkpoints of the page and at their parents.
_TASKS: Final = f"""
{_PAGE},
stands AS (
    SELECT checkpoint_id FROM page
    UNION
    SELECT parent_checkpoint_id FROM page WHERE parent_checkpoint_id IS NOT NULL
)
SELECT w.checkpoint_id,
    CASE WHEN instr(w.task_path, '{_PULLED}') = 1 THEN substr(w.task_path, {len(_PULLED) + 1}) END AS node,
    COUNT(DISTINCT w.task_id) AS tasks,
    COUNT(DISTINCT CASE WHEN instr(w.entries, '[-3,"__interrupt__"') THEN w.task_id END) AS interrupted,
    COUNT(DISTINCT CASE WHEN instr(w.entries, '[-1,"__error__"') THEN w.task_id END) AS failed
FROM stands
CROSS JOIN checkpoint_writes AS w
WHERE w.thread_id = ?1 AND w.checkpoint_ns = '' AND w.checkpoint_id = stands.checkpoint_id
    AND w.part = 0 AND w.run_id = ?2 AND w.task_path <> ''
GROUP BY w.checkpoint_id, node
ORDER BY w.checkpoint_id, node
"""


def select_page(thread_id: str, run_id: str, *, start: str | None, limit: int) -> Sequence[Statement]:
    """Two statements: a page of a run's checkpoints from `start` on, and what their tasks did.

    The second returns, for each checkpoint and node, how many `tasks` wrote something and how many of these were
    `interrupted` or `failed`.
    """
    params = (thread_id, run_id, start, limit)
    return [Statement(_CHECKPOINTS, params), Statement(_TASKS, params)]
