"""The statements of the tables `checkpoints`, `checkpoint_blobs` and `checkpoint_writes`; `d1_checkpointer` runs them.

`value` columns are bound and read as hexadecimal text, because D1 returns a BLOB as a list of integers
(docs/decisions/0002-checkpoint-columns.md).
"""

from typing import Final

#: One checkpoint. Putting it again, as LangGraph does when a run ends, replaces all but its parent.
INSERT_CHECKPOINT: Final = """
    INSERT INTO checkpoints
        (thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, format, checkpoint, metadata)
    VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (thread_id, checkpoint_ns, checkpoint_id) DO UPDATE SET
        format = excluded.format,
        checkpoint = excluded.checkpoint,
        metadata = excluded.metadata
"""

#: One part of a channel's value; the value of a version never changes. Fails if the base ?8 is not stored (any more).
INSERT_BLOB: Final = """
    INSERT INTO checkpoint_blobs (thread_id, checkpoint_ns, channel, version, part, format, type, base, value)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7,
        CASE
            WHEN ?8 IS NULL OR EXISTS (
                SELECT 1 FROM checkpoint_blobs
                WHERE thread_id = ?1 AND checkpoint_ns = ?2 AND channel = ?3 AND version = ?8
            ) THEN ?8
            -- Unlike what `fence` says, this may be tried again, from what is stored then.
            ELSE abs(-9223372036854775807 - 1)
        END,
        unhex(?9)
    )
    ON CONFLICT DO NOTHING
"""

#: One part (?5) of the writes of one call for a task. Part 0 gets a new `seq`; the other parts get the same one.
INSERT_WRITES: Final = """
    INSERT INTO checkpoint_writes
        (thread_id, checkpoint_ns, checkpoint_id, task_id, seq, part, format, run_id, task_path, entries, value)
    SELECT ?1, ?2, ?3, ?4, COALESCE(MAX(seq) + (?5 = 0), 0), ?5, ?6, ?7, ?8, ?9, unhex(?10)
    FROM checkpoint_writes
    WHERE thread_id = ?1 AND checkpoint_ns = ?2 AND checkpoint_id = ?3 AND task_id = ?4
"""

_PAGE: Final = """
    WITH RECURSIVE page AS (
        SELECT thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, format, checkpoint, metadata
        FROM checkpoints
        WHERE {where}
        ORDER BY checkpoint_id DESC, thread_id DESC, checkpoint_ns DESC
        LIMIT ?
    )
"""

# The values in `wanted` (thread_id, checkpoint_ns, channel, version) and the bases they build on, each once.
_SELECT_WANTED: Final = """
    , needed AS (
        SELECT * FROM wanted
        UNION
        SELECT b.thread_id, b.checkpoint_ns, b.channel, b.base
        FROM needed AS w
        CROSS JOIN checkpoint_blobs AS b
        WHERE b.thread_id = w.thread_id
            AND b.checkpoint_ns = w.checkpoint_ns
            AND b.channel = w.channel
            AND b.version = w.version
            AND b.part = 0
            AND b.base IS NOT NULL
    )
    SELECT b.thread_id, b.checkpoint_ns, b.channel, b.version, b.part, b.format, b.type, b.base, hex(b.value) AS value
    FROM needed AS w
    CROSS JOIN checkpoint_blobs AS b
    WHERE b.thread_id = w.thread_id
        AND b.checkpoint_ns = w.checkpoint_ns
        AND b.channel = w.channel
        AND b.version = w.version
"""

#: A page of checkpoints, newest first; the values they name, each once; and their pending writes.
SELECT_PAGE: Final = (
    _PAGE
    + """
    SELECT * FROM page
    ORDER BY checkpoint_id DESC, thread_id DESC, checkpoint_ns DESC
    """,
    _PAGE
    + """
    , wanted (thread_id, checkpoint_ns, channel, version) AS (
        SELECT page.thread_id, page.checkpoint_ns, named.key, named.value
        FROM page, json_each(page.checkpoint, '$.blobs') AS named
    )
    """
    + _SELECT_WANTED,
    _PAGE
    + """
    SELECT w.thread_id, w.checkpoint_ns, w.checkpoint_id, w.task_id, w.seq, w.part, w.format, w.run_id, w.task_path,
        w.entries, hex(w.value) AS value
    FROM page
    CROSS JOIN checkpoint_writes AS w
    WHERE w.thread_id = page.thread_id
        AND w.checkpoint_ns = page.checkpoint_ns
        AND w.checkpoint_id = page.checkpoint_id
    """,
)

# The parent chain from checkpoint ?3 (or the latest) upwards, while channels of the JSON list ?4 are `missing`: stored
# at no ancestor so far. At most ?5 ancestors; the starting checkpoint itself has depth 0.
_ANCESTORS: Final = """
    WITH RECURSIVE ancestor (checkpoint_id, parent_checkpoint_id, depth, missing_below, missing) AS (
        SELECT checkpoint_id, parent_checkpoint_id, 0, ?4, ?4
        FROM checkpoints
        WHERE thread_id = ?1 AND checkpoint_ns = ?2 AND checkpoint_id = COALESCE(
            ?3, (SELECT MAX(checkpoint_id) FROM checkpoints WHERE thread_id = ?1 AND checkpoint_ns = ?2)
        )
        UNION ALL
        SELECT c.checkpoint_id, c.parent_checkpoint_id, ancestor.depth + 1, ancestor.missing, (
            SELECT json_group_array(name.value)
            FROM json_each(ancestor.missing) AS name
            WHERE name.value NOT IN (SELECT key FROM json_each(c.checkpoint, '$.blobs'))
                AND name.value NOT IN (SELECT key FROM json_each(c.checkpoint, '$.channel_values'))
        )
        FROM ancestor
        CROSS JOIN checkpoints AS c
        WHERE c.thread_id = ?1 AND c.checkpoint_ns = ?2 AND c.checkpoint_id = ancestor.parent_checkpoint_id
            AND ancestor.missing <> '[]'
            AND ancestor.depth < ?5
    )
"""

#: The ancestors, nearest first; the values at which the channels' walks end; and the writes in between.
SELECT_ANCESTRY: Final = (
    _ANCESTORS
    + """
    SELECT c.thread_id, c.checkpoint_ns, c.checkpoint_id, c.format, a.missing_below, a.missing,
        json_extract(c.checkpoint, '$.blobs') AS blobs,
        json_extract(c.checkpoint, '$.channel_values') AS channel_values
    FROM ancestor AS a
    CROSS JOIN checkpoints AS c
    WHERE a.depth > 0 AND c.thread_id = ?1 AND c.checkpoint_ns = ?2 AND c.checkpoint_id = a.checkpoint_id
    ORDER BY a.depth
    """,
    _ANCESTORS
    + """
    , wanted (thread_id, checkpoint_ns, channel, version) AS (
        SELECT c.thread_id, c.checkpoint_ns, named.key, named.value
        FROM ancestor AS a
        CROSS JOIN checkpoints AS c
        CROSS JOIN json_each(c.checkpoint, '$.blobs') AS named
        WHERE a.depth > 0 AND c.thread_id = ?1 AND c.checkpoint_ns = ?2 AND c.checkpoint_id = a.checkpoint_id
            AND named.key IN (SELECT value FROM json_each(a.missing_below))
            AND named.key NOT IN (SELECT value FROM json_each(a.missing))
    )
    """
    + _SELECT_WANTED,
    _ANCESTORS
    + """
    SELECT w.thread_id, w.checkpoint_ns, w.checkpoint_id, w.task_id, w.seq, w.part, w.format, w.task_path, w.entries,
        hex(w.value) AS value
    FROM ancestor AS a
    CROSS JOIN checkpoint_writes AS w
    WHERE a.depth > 0 AND w.thread_id = ?1 AND w.checkpoint_ns = ?2 AND w.checkpoint_id = a.checkpoint_id
    """,
)

#: A page of a thread's checkpoints by key, without their values; `versioned` is NULL if the body does not contain it.
SELECT_OUTLINES: Final = """
    SELECT checkpoint_ns, checkpoint_id, parent_checkpoint_id,
        json_extract(metadata, '$.run_id') AS run_id,
        json_extract(metadata, '$.parents.""') AS root_checkpoint_id,
        CASE json_type(checkpoint, '$.channel_versions') WHEN 'object' THEN (
            SELECT json_group_array(key) FROM json_each(checkpoint, '$.channel_versions')
        ) END AS versioned,
        (SELECT json_group_array(key) FROM (
            SELECT key FROM json_each(checkpoint, '$.blobs')
            UNION ALL
            SELECT key FROM json_each(checkpoint, '$.channel_values')
        )) AS stored,
        (SELECT json_group_array(key) FROM json_each(metadata, '$.counters_since_delta_snapshot')) AS delta
    FROM checkpoints
    WHERE thread_id = ? AND (checkpoint_ns, checkpoint_id) > (?, ?)
    ORDER BY checkpoint_ns, checkpoint_id
    LIMIT ?
"""

#: The threads in which runs of a JSON list have stored anything. Reads both tables completely.
SELECT_THREADS_OF_RUNS: Final = """
    SELECT thread_id FROM checkpoints WHERE json_extract(metadata, '$.run_id') IN (SELECT value FROM json_each(?1))
    UNION
    SELECT thread_id FROM checkpoint_writes WHERE run_id IN (SELECT value FROM json_each(?1))
"""

_DOOMED: Final = """
    WITH RECURSIVE doomed AS (
        SELECT json_extract(value, '$[0]') AS checkpoint_ns, json_extract(value, '$[1]') AS checkpoint_id
        FROM json_each(?2)
    )
"""

#: Deletes the checkpoints of thread ?1 in the JSON list ?2 of [checkpoint_ns, checkpoint_id], their writes, the values
#: that no other checkpoint names, and their children's references to them.
DELETE_CHECKPOINTS: Final = (
    _DOOMED
    + """
    DELETE FROM checkpoint_writes
    WHERE thread_id = ?1 AND (checkpoint_ns, checkpoint_id) IN (SELECT * FROM doomed)
    """,
    _DOOMED
    + """
    , named (checkpoint_ns, channel, version, is_doomed) AS (
        SELECT c.checkpoint_ns, each.key, each.value,
            (c.checkpoint_ns, c.checkpoint_id) IN (SELECT * FROM doomed)
        FROM checkpoints AS c, json_each(c.checkpoint, '$.blobs') AS each
        WHERE c.thread_id = ?1
    ),
    used AS (
        SELECT * FROM named
        UNION
        SELECT b.checkpoint_ns, b.channel, b.base, used.is_doomed
        FROM used
        CROSS JOIN checkpoint_blobs AS b
        WHERE b.thread_id = ?1
            AND b.checkpoint_ns = used.checkpoint_ns
            AND b.channel = used.channel
            AND b.version = used.version
            AND b.part = 0
            AND b.base IS NOT NULL
    )
    DELETE FROM checkpoint_blobs
    WHERE thread_id = ?1 AND (checkpoint_ns, channel, version) IN (
        SELECT checkpoint_ns, channel, version FROM used WHERE is_doomed
        EXCEPT
        SELECT checkpoint_ns, channel, version FROM used WHERE NOT is_doomed
    )
    """,
    _DOOMED
    + """
    DELETE FROM checkpoints
    WHERE thread_id = ?1 AND (checkpoint_ns, checkpoint_id) IN (SELECT * FROM doomed)
    """,
    _DOOMED
    + """
    UPDATE checkpoints SET parent_checkpoint_id = NULL
    WHERE thread_id = ?1 AND (checkpoint_ns, parent_checkpoint_id) IN (SELECT * FROM doomed)
    """,
)

#: The pending writes of the runs in the JSON list ?2 on checkpoints of other runs, except on the checkpoints in list
#: ?3.
DELETE_WRITES_OF_RUNS: Final = """
    DELETE FROM checkpoint_writes
    WHERE thread_id = ?1
        AND run_id IN (SELECT value FROM json_each(?2))
        AND (checkpoint_ns, checkpoint_id) NOT IN (
            SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(?3)
        )
"""

#: Everything that is stored of thread ?1.
DELETE_THREAD: Final = (
    "DELETE FROM checkpoints WHERE thread_id = ?1",
    "DELETE FROM checkpoint_blobs WHERE thread_id = ?1",
    "DELETE FROM checkpoint_writes WHERE thread_id = ?1",
)

#: Copies everything of thread ?1 to ?2.
COPY_THREAD: Final = (
    """
    INSERT INTO checkpoints
        (thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, format, checkpoint, metadata)
    SELECT ?2, checkpoint_ns, checkpoint_id, parent_checkpoint_id, format, checkpoint, metadata
    FROM checkpoints
    WHERE thread_id = ?1
    ON CONFLICT DO NOTHING
    """,
    """
    INSERT INTO checkpoint_blobs (thread_id, checkpoint_ns, channel, version, part, format, type, base, value)
    SELECT ?2, checkpoint_ns, channel, version, part, format, type, base, value
    FROM checkpoint_blobs
    WHERE thread_id = ?1
    ON CONFLICT DO NOTHING
    """,
    """
    INSERT INTO checkpoint_writes
        (thread_id, checkpoint_ns, checkpoint_id, task_id, seq, part, format, run_id, task_path, entries, value)
    SELECT ?2, checkpoint_ns, checkpoint_id, task_id, seq, part, format, run_id, task_path, entries, value
    FROM checkpoint_writes
    WHERE thread_id = ?1
    ON CONFLICT DO NOTHING
    """,
)
