"""LangGraph's checkpoint saver on D1; owns the checkpoint tables' SQL.

Only the asynchronous half of the interface exists: D1 cannot be awaited from a synchronous call. A method returns when
its rows are committed and raises if they are not, so a graph never goes on from state that was lost.

BLOB columns are bound and read as hexadecimal text: D1 hands a BLOB out as a list of integers
(docs/decisions/0002-checkpoint-columns.md).
"""

import random
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, cast

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    DeltaChannelHistory,
    PendingWrite,
    get_checkpoint_id,
    get_serializable_checkpoint_metadata,
)
from langgraph.checkpoint.serde._msgpack import STRICT_MSGPACK_ENABLED
from langgraph.checkpoint.serde.base import SerializerProtocol
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

import checkpoint_codec as codec
import checkpoint_retention as retention
import checkpoint_rows as rows
from appended_values import AppendedValues
from async_only_saver import AsyncOnlySaver
from checkpoint_rows import Key
from group_commit import GroupCommit
from ports import Database, SqlValue, Statement

#: Checkpoints that one round trip of a listing reads, each with its channel values.
PAGE_CHECKPOINTS: Final = 10
#: Ancestors that one round trip of a delta channel's reconstruction walks.
PAGE_ANCESTORS: Final = 500
#: Checkpoints, without their values, that one round trip of retention reads or deletes.
PAGE_OUTLINES: Final = 500

#: One checkpoint; putting it again (LangGraph does, when a run ends) replaces all but its parent.
INSERT_CHECKPOINT: Final = """
    INSERT INTO checkpoints
        (thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, format, checkpoint, metadata)
    VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (thread_id, checkpoint_ns, checkpoint_id) DO UPDATE SET
        format = excluded.format,
        checkpoint = excluded.checkpoint,
        metadata = excluded.metadata
"""

#: One part of a channel's value; a version's value never changes. Fails if the base ?8 is not there (any more).
INSERT_BLOB: Final = """
    INSERT INTO checkpoint_blobs (thread_id, checkpoint_ns, channel, version, part, format, type, base, value)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7,
        CASE
            WHEN ?8 IS NULL OR EXISTS (
                SELECT 1 FROM checkpoint_blobs
                WHERE thread_id = ?1 AND checkpoint_ns = ?2 AND channel = ?3 AND version = ?8
            ) THEN ?8
            ELSE json('the base is gone')
        END,
        unhex(?9)
    )
    ON CONFLICT DO NOTHING
"""

#: One part (?5) of what a call wrote for a task; part 0 begins a new `seq`, the others join it.
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

# The values in `wanted` (thread_id, checkpoint_ns, channel, version) and those they build on, each once.
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

#: A page of checkpoints, newest first; the values they name, each once; and the writes pending on them.
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
    SELECT w.thread_id, w.checkpoint_ns, w.checkpoint_id, w.task_id, w.seq, w.part, w.format, w.task_path, w.entries,
        hex(w.value) AS value
    FROM page
    CROSS JOIN checkpoint_writes AS w
    WHERE w.thread_id = page.thread_id
        AND w.checkpoint_ns = page.checkpoint_ns
        AND w.checkpoint_id = page.checkpoint_id
    """,
)

# Up the parent chain from checkpoint ?3 (or the latest), while channels of the JSON list ?4 are `missing`: not stored
# at any ancestor so far. At most ?5 ancestors; the starting checkpoint itself has depth 0.
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

#: The ancestors, nearest first; the values that end a channel's walk; and the writes on the way.
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

#: A page of a thread's checkpoints by key, without their values; `versioned` is NULL where the body does not tell.
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

#: The threads in which runs of a JSON list stored anything; reads both tables from end to end.
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

#: The checkpoints of thread ?1 in the JSON list ?2 of [checkpoint_ns, checkpoint_id]: their writes, the values that no
#: other checkpoint names, themselves, and their children's pointers to them.
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

#: What the runs of the JSON list ?2 left pending on checkpoints of other runs, but for the checkpoints in list ?3.
DELETE_WRITES_OF_RUNS: Final = """
    DELETE FROM checkpoint_writes
    WHERE thread_id = ?1
        AND run_id IN (SELECT value FROM json_each(?2))
        AND (checkpoint_ns, checkpoint_id) NOT IN (
            SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(?3)
        )
"""

#: Everything of a thread.
DELETE_THREAD: Final = (
    "DELETE FROM checkpoints WHERE thread_id = ?",
    "DELETE FROM checkpoint_blobs WHERE thread_id = ?",
    "DELETE FROM checkpoint_writes WHERE thread_id = ?",
)

#: Everything of thread ?1 once more under ?2.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class CommittedCheckpoint:
    """A checkpoint that is in the database."""

    thread_id: str
    checkpoint_ns: str
    checkpoint_id: str
    step: int
    run_id: str | None


class D1Saver(AsyncOnlySaver):
    """LangGraph's `BaseCheckpointSaver` over `ports.Database`.

    `guard` (see `group_commit.fence`) goes first in every batch that writes, so that an executor which was replaced
    writes nothing. `on_commit` is called after the commit of each checkpoint, in their order.
    """

    def __init__(
        self,
        database: Database,
        *,
        serde: SerializerProtocol | None = None,
        guard: Statement | None = None,
        on_commit: Callable[[CommittedCheckpoint], None] | None = None,
    ) -> None:
        super().__init__(serde=serde or _strict_serializer())
        self._database = database
        self._commits = GroupCommit(database, guard)
        self._appended = AppendedValues()
        self._on_commit = on_commit

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """The checkpoint that `config` names, or the latest of its namespace; one round trip."""
        thread_id, checkpoint_ns = _namespace(config)
        where = _Where().equal(
            thread_id=thread_id, checkpoint_ns=checkpoint_ns, checkpoint_id=get_checkpoint_id(config)
        )
        checkpoints, blob_rows, writes = await self._database.batch(where.select(1))
        blobs = rows.stored_blobs(blob_rows)
        found = rows.checkpoint_tuples(self.serde, checkpoints, blobs, writes)
        for whole in rows.named_values(checkpoints[0], blobs) if checkpoints else ():
            self._appended.learn(thread_id, checkpoint_ns, whole)
        return found[0] if found else None

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        """Checkpoints, newest first, whose metadata has all of `filter`; a dict in it matches what contains it."""
        wanted = filter or {}
        where = _listing(config, wanted, before)
        found = 0
        while limit is None or found < limit:
            size = PAGE_CHECKPOINTS if limit is None else min(limit - found, PAGE_CHECKPOINTS)
            page = await self._page(where, size)
            for checkpoint in page:
                if _contains(checkpoint.metadata, wanted):
                    found += 1
                    yield checkpoint
            if len(page) < size:
                return
            where = where.after(page[-1].config)

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Commit a checkpoint and the values of the channels in `new_versions`; the config that names it."""
        key = Key(*_namespace(config), checkpoint["id"])
        stored_metadata = get_serializable_checkpoint_metadata(config, metadata)
        encoded = codec.encode_checkpoint(self.serde, checkpoint, new_versions)
        metadata_json = codec.encode_metadata(stored_metadata)
        row = (
            *(key.thread_id, key.checkpoint_ns, key.checkpoint_id, get_checkpoint_id(config)),
            *(codec.FORMAT, encoded.body, metadata_json),
        )
        blobs = [self._appended.shortened(key.thread_id, key.checkpoint_ns, blob) for blob in encoded.blobs]
        # The row that names the blobs comes last: should they take several batches, it is what makes them visible.
        await self._commits.commit([*_blob_inserts(key, blobs), Statement(INSERT_CHECKPOINT, row)])
        for blob, stored in zip(encoded.blobs, blobs, strict=True):
            self._appended.learn_stored(key.thread_id, key.checkpoint_ns, blob, stored)
        if self._on_commit:
            self._on_commit(
                CommittedCheckpoint(
                    thread_id=key.thread_id,
                    checkpoint_ns=key.checkpoint_ns,
                    checkpoint_id=key.checkpoint_id,
                    step=stored_metadata.get("step", -2),
                    run_id=stored_metadata.get("run_id"),
                )
            )
        return key.config()

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """Commit what a task wrote, pending on the checkpoint of `config`; a second time changes nothing."""
        key = (*_namespace(config), get_checkpoint_id(config), task_id)
        entries, data = codec.encode_writes(self.serde, writes)
        about = (codec.FORMAT, _run_id(config), task_path)
        first, *others = codec.split(data)
        statements = [Statement(INSERT_WRITES, (*key, 0, *about, entries, first.hex()))]
        for part, chunk in enumerate(others, 1):
            statements.append(Statement(INSERT_WRITES, (*key, part, *about, None, chunk.hex())))
        await self._commits.commit(statements)

    async def adelete_thread(self, thread_id: str) -> None:
        """Delete everything of a thread."""
        await self._commits.commit([Statement(sql, (thread_id,)) for sql in DELETE_THREAD])

    async def adelete_for_runs(self, run_ids: Sequence[str], *, thread_id: str | None = None) -> None:
        """Delete what these runs stored, except what delta channels of other runs' checkpoints are rebuilt from.

        Without `thread_id` the threads are found by reading every checkpoint there is.
        """
        run_ids_json = codec.to_json(list(run_ids))
        for affected in [thread_id] if thread_id else await self._threads_of_runs(run_ids_json):
            doomed, needed = retention.of_runs(run_ids, await self._outlines(affected))
            await self._delete(affected, doomed)
            needed_json = codec.to_json(sorted(needed))
            await self._commits.commit([Statement(DELETE_WRITES_OF_RUNS, (affected, run_ids_json, needed_json))])

    async def acopy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """Copy all checkpoints, values and writes in one transaction; a second time changes nothing."""
        await self._commits.commit([Statement(sql, (source_thread_id, target_thread_id)) for sql in COPY_THREAD])

    async def aprune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """Delete checkpoints: all of them (`delete`), or those that the latest do not need (`keep_latest`)."""
        if strategy not in ("keep_latest", "delete"):
            raise ValueError(f"unknown pruning strategy {strategy!r}: it is 'keep_latest' or 'delete'")
        for thread_id in thread_ids:
            if strategy == "delete":
                await self.adelete_thread(thread_id)
            else:
                await self._delete(thread_id, retention.beyond_latest(await self._outlines(thread_id)))

    async def aget_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, DeltaChannelHistory]:
        """What rebuilds delta channels at the checkpoint of `config`; one round trip for each 500 ancestors."""
        writes: dict[str, list[PendingWrite]] = defaultdict(list)
        seeds: dict[str, Any] = {}
        start, missing = get_checkpoint_id(config), codec.to_json(list(dict.fromkeys(channels)))
        while missing != "[]":
            params = (*_namespace(config), start, missing, PAGE_ANCESTORS)
            found, blobs, calls = await self._database.batch([Statement(sql, params) for sql in SELECT_ANCESTRY])
            stretch = rows.ancestry(self.serde, found, rows.stored_blobs(blobs), calls)
            for channel, newest_first in stretch.writes.items():
                writes[channel].extend(newest_first)
            seeds.update(stretch.seeds)
            if len(found) < PAGE_ANCESTORS:
                break
            start, missing = found[-1]["checkpoint_id"], found[-1]["missing"]
        return {channel: _history(writes[channel], channel, seeds) for channel in channels}

    def get_next_version(self, current: str | None, channel: None) -> str:  # noqa: ARG002
        """The version after `current`, as LangGraph's other savers spell it; no two forks of a thread share one."""
        number = 0 if current is None else int(str(current).split(".")[0])
        return f"{number + 1:032}.{random.random():016}"  # noqa: S311

    async def _page(self, where: "_Where", limit: int) -> list[CheckpointTuple]:
        checkpoints, blobs, writes = await self._database.batch(where.select(limit))
        return rows.checkpoint_tuples(self.serde, checkpoints, rows.stored_blobs(blobs), writes)

    async def _threads_of_runs(self, run_ids_json: str) -> list[str]:
        [found] = await self._database.batch([Statement(SELECT_THREADS_OF_RUNS, (run_ids_json,))])
        return [row["thread_id"] for row in found]

    async def _outlines(self, thread_id: str) -> list[retention.Outline]:
        outlines: list[retention.Outline] = []
        after: tuple[str, str] = ("", "")
        while True:
            [page] = await self._database.batch([Statement(SELECT_OUTLINES, (thread_id, *after, PAGE_OUTLINES))])
            outlines += [rows.outline(row) for row in page]
            if len(page) < PAGE_OUTLINES:
                return outlines
            after = outlines[-1].key

    async def _delete(self, thread_id: str, keys: Sequence[retention.CheckpointKey]) -> None:
        """Delete checkpoints with their writes and the values only they used; each page of them is a transaction."""
        for start in range(0, len(keys), PAGE_OUTLINES):
            page = codec.to_json(keys[start : start + PAGE_OUTLINES])
            await self._commits.commit([Statement(sql, (thread_id, page)) for sql in DELETE_CHECKPOINTS])


@dataclass(frozen=True, slots=True)
class _Where:
    """A selection of checkpoints, built condition by condition."""

    conditions: tuple[str, ...] = ()
    params: tuple[SqlValue, ...] = ()

    def also(self, condition: str, *params: SqlValue) -> "_Where":
        """Narrowed by `condition`."""
        return replace(self, conditions=(*self.conditions, condition), params=(*self.params, *params))

    def equal(self, **columns: str | None) -> "_Where":
        """Narrowed to these values; None is any."""
        where = self
        for column, value in columns.items():
            if value is not None:
                where = where.also(f"{column} = ?", value)
        return where

    def after(self, config: RunnableConfig) -> "_Where":
        """Narrowed to what a listing shows after the checkpoint of `config`."""
        order = "(checkpoint_id, thread_id, checkpoint_ns)"
        return self.also(f"{order} < (?, ?, ?)", get_checkpoint_id(config), *_namespace(config))

    def select(self, limit: int) -> list[Statement]:
        """The statements that read the first `limit` of them."""
        where = " AND ".join(self.conditions) or "TRUE"
        return [Statement(sql.replace("{where}", where), (*self.params, limit)) for sql in SELECT_PAGE]


def _listing(config: RunnableConfig | None, metadata: Mapping[str, Any], before: RunnableConfig | None) -> _Where:
    """At least the checkpoints of a listing: conditions on metadata that SQL cannot tell exactly are left out."""
    where = _Where()
    if config:
        where = where.equal(
            thread_id=_namespace(config)[0],
            checkpoint_ns=config.get("configurable", {}).get("checkpoint_ns"),
            checkpoint_id=get_checkpoint_id(config),
        )
    if before and (before_id := get_checkpoint_id(before)):
        where = where.also("checkpoint_id < ?", before_id)
    for key, value in metadata.items():
        if key.isascii() and key.isidentifier() and isinstance(value, str) and "\0" not in value:
            where = where.also("json_extract(metadata, ?) = ?", f"$.{key}", value)
    return where


def _contains(actual: Any, wanted: Any) -> bool:
    """Whether `actual` equals `wanted` or, both being dicts, has all of it."""
    if isinstance(actual, dict) and isinstance(wanted, dict):
        have, need = cast(dict[str, Any], actual), cast(dict[str, Any], wanted)
        return all(key in have and _contains(have[key], value) for key, value in need.items())
    return actual == wanted


def _namespace(config: RunnableConfig) -> tuple[str, str]:
    """The thread id and checkpoint namespace that `config` names."""
    configurable = config.get("configurable", {})
    return configurable["thread_id"], configurable.get("checkpoint_ns", "")


def _run_id(config: RunnableConfig) -> str | None:
    run_id = config.get("configurable", {}).get("run_id") or config.get("metadata", {}).get("run_id")
    return str(run_id) if run_id else None


def _blob_inserts(key: Key, blobs: Sequence[codec.Blob]) -> list[Statement]:
    return [
        Statement(
            INSERT_BLOB,
            (
                *(key.thread_id, key.checkpoint_ns, blob.channel, blob.version, part),
                *(codec.FORMAT, blob.type, blob.base, chunk.hex()),
            ),
        )
        for blob in blobs
        for part, chunk in enumerate(codec.split(blob.data))
    ]


def _history(newest_first: Sequence[PendingWrite], channel: str, seeds: Mapping[str, Any]) -> DeltaChannelHistory:
    history = DeltaChannelHistory(writes=list(reversed(newest_first)))
    if channel in seeds:
        history["seed"] = seeds[channel]
    return history


def _strict_serializer() -> JsonPlusSerializer:
    """Loads LangGraph's and LangChain's own types, and those that a graph's schemas name (see `with_allowlist`)."""
    if not STRICT_MSGPACK_ENABLED:
        raise RuntimeError(
            "LANGGRAPH_STRICT_MSGPACK=true must be in the environment before langgraph is imported:"
            " otherwise graphs do not name their state's classes, and these would come back as dicts"
        )
    return JsonPlusSerializer(allowed_msgpack_modules=None)
