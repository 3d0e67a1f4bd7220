"""LangGraph's checkpoint saver on D1; the only user of the checkpoint tables.

A method that writes returns once its rows are committed and raises if they are not, so a graph never goes on from state
that was lost. `write_behind` postpones that to the end of the run.
"""

import asyncio
import copy
import random
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeVar

from langchain_core.runnables import RunnableConfig
from langgraph._internal._constants import ERROR_SOURCE_NODE  # LangGraph has no public name for it
from langgraph.checkpoint.base import (
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    DeltaChannelHistory,
    get_checkpoint_id,
    get_serializable_checkpoint_metadata,
)
from langgraph.checkpoint.serde._msgpack import STRICT_MSGPACK_ENABLED
from langgraph.checkpoint.serde.base import SerializerProtocol
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from checkpoints import codec, deletion, delta_history, rows, selection
from checkpoints.appended_values import AppendedValues
from checkpoints.group_commit import GroupCommit
from checkpoints.rows import Key
from checkpoints.selection import Question, Where, namespace_of
from checkpoints.waiting_saver import WaitingSaver
from ports import Database, Row, Statement
from tables import checkpoints as sql

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class CommittedCheckpoint:
    """A checkpoint that is in the database."""

    thread_id: str
    checkpoint_ns: str
    checkpoint_id: str
    step: int
    run_id: str | None


class D1Saver(WaitingSaver):
    """LangGraph's `BaseCheckpointSaver` over `ports.Database`.

    `guard` (see `group_commit.fence`) is the first statement of every batch that writes, so that an executor which was
    replaced writes nothing. `on_commit` is called after the commit of each checkpoint, in order.

    With `write_behind` (LangGraph's durability "async") `aput` and `aput_writes` return before the commit, so that the
    checkpoints of fast super-steps share a round trip. The first failure stops all later writes and is raised by the
    next call, at the latest by `flush`, which must be the last call of such a run.
    """

    def __init__(
        self,
        database: Database,
        *,
        serde: SerializerProtocol | None = None,
        guard: Statement | None = None,
        on_commit: Callable[[CommittedCheckpoint], None] | None = None,
        write_behind: bool = False,
    ) -> None:
        super().__init__(serde=serde or _strict_serializer())
        self._database = database
        self._commits = GroupCommit(database, guard, stops_on_failure=write_behind)
        self._write_behind = write_behind
        self._appended = AppendedValues()
        self._on_commit = on_commit
        self._on_writes: Callable[[str], None] | None = None
        self._on_read: Callable[[RunnableConfig, CheckpointTuple], None] | None = None
        #: The run of whose writes alone `aget_tuple` tells.
        self._writer: str | None = None
        #: Rows that `read_ahead` has read, by the statements that will be sent for them.
        self._ahead: dict[tuple[Statement, ...], list[list[Row]]] = {}

    def observed(
        self,
        on_commit: Callable[[CommittedCheckpoint], None],
        on_writes: Callable[[str], None] | None = None,
        on_read: Callable[[RunnableConfig, CheckpointTuple], None] | None = None,
    ) -> Self:
        """A clone that shares everything, with additional observers.

        Its `on_commit` is called before the original's, `on_writes` with the id of each task whose writes are
        committed, `on_read` with each config that `aget_tuple` is asked for and the checkpoint that it finds.
        """
        clone, other = copy.copy(self), self._on_commit

        def both(committed: CommittedCheckpoint) -> None:
            on_commit(committed)
            if other:
                other(committed)

        clone._on_commit = both
        clone._on_writes = on_writes
        clone._on_read = on_read
        return clone

    def of_run(self, run_id: str) -> Self:
        """A clone whose `aget_tuple` tells of the writes of one run only: LangGraph does not say whose they are."""
        clone = copy.copy(self)
        clone._writer = run_id
        return clone

    def wait(self, call: Coroutine[Any, Any, T]) -> T:
        """See `ports.Database.wait`."""
        return self._database.wait(call)

    async def flush(self) -> None:
        """Return once everything that was put is committed; raises the error that prevented it."""
        await self._commits.flush()

    async def room(self) -> None:
        """Wait while more is to be committed than one batch may hold, because LangGraph never waits for its saver."""
        await self._commits.room()

    async def read_ahead(self, questions: Sequence[Question], also: Sequence[Statement]) -> list[list[Row]]:
        """The rows of `also`, in a round trip that reads the answers to `questions` as well.

        Each answer is used when its question is first asked, and does not include what was put in between.
        """
        asked = list(dict.fromkeys(tuple(question) for question in questions))
        found = await self._read([*also, *(statement for question in asked for statement in question)])
        answers = iter(found[len(also) :])
        self._ahead = {question: [next(answers) for _ in question] for question in asked}
        return found[: len(also)]

    async def _read(self, statements: Sequence[Statement]) -> list[list[Row]]:
        """The rows of `statements`, including everything that was put before, unless they were read ahead."""
        ahead = self._ahead.pop(tuple(statements), None)
        if ahead is not None:
            return ahead
        await self.flush()
        return await self._database.batch(statements)

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """The checkpoint that `config` names, or the latest of its namespace; one round trip."""
        thread_id, checkpoint_ns = namespace_of(config)
        checkpoints, blob_rows, writes = await self._read(selection.one(config))
        blobs = rows.stored_blobs(blob_rows)
        if self._writer:
            writes = [row for row in writes if row["run_id"] == self._writer]
        found = rows.checkpoint_tuples(self.serde, checkpoints, blobs, writes)
        for whole in rows.named_values(checkpoints[0], blobs) if checkpoints else ():
            self._appended.learn(thread_id, checkpoint_ns, whole)
        if found and self._on_read:
            self._on_read(config, found[0])
        return found[0] if found else None

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        """Checkpoints, newest first, whose metadata contains `filter`; a dict in it matches dicts that contain it."""
        wanted = filter or {}
        whole = where = selection.listing(config, wanted, before)
        remaining = sys.maxsize if limit is None else limit
        while remaining > 0:
            size = selection.page_size(wanted, remaining)
            page = await self._page(where, size)
            found = [checkpoint for checkpoint in page if selection.contains(checkpoint.metadata, wanted)][:remaining]
            for checkpoint in found:
                yield checkpoint
            if len(page) < size:
                return
            remaining -= len(found)
            where = whole.after(page[-1].config)

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Commit a checkpoint and the values of the channels in `new_versions`; returns the config that names it."""
        key = Key(*namespace_of(config), checkpoint["id"])
        stored_metadata = get_serializable_checkpoint_metadata(config, metadata)
        encoded = codec.encode_checkpoint(self.serde, checkpoint, new_versions)
        metadata_json = codec.encode_metadata(stored_metadata)
        row = (
            *(key.thread_id, key.checkpoint_ns, key.checkpoint_id, get_checkpoint_id(config)),
            *(codec.FORMAT, encoded.body, metadata_json),
        )
        blobs = [self._appended.shortened(key.thread_id, key.checkpoint_ns, blob) for blob in encoded.blobs]
        # The row that names the blobs comes last: if they take several batches, nothing is visible before it is there.
        submitted = self._commits.submit([*_blob_inserts(key, blobs), Statement(sql.INSERT_CHECKPOINT, row)])
        if not self._write_behind:
            await asyncio.shield(submitted)
        # Even if they are still to be committed, because whatever is submitted later is committed later or not at all.
        for blob, stored in zip(encoded.blobs, blobs, strict=True):
            self._appended.learn_stored(key.thread_id, key.checkpoint_ns, blob, stored)
        committed = CommittedCheckpoint(
            thread_id=key.thread_id,
            checkpoint_ns=key.checkpoint_ns,
            checkpoint_id=key.checkpoint_id,
            step=stored_metadata.get("step", -2),
            run_id=stored_metadata.get("run_id"),
        )
        if self._write_behind:
            submitted.add_done_callback(lambda future: self._announce_later(future, self._on_commit, committed))
        elif self._on_commit:
            self._on_commit(committed)
        return key.config()

    def _announce_later(self, submitted: "asyncio.Future[None]", tell: Callable[[T], None] | None, what: T) -> None:
        if submitted.cancelled() or submitted.exception() or not tell:
            return
        try:
            tell(what)
        except Exception as error:  # noqa: BLE001 - nobody awaits a callback: the next call raises it
            self._commits.fail(error)

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """Commit a task's writes after the checkpoint of `config`; committing them twice changes nothing."""
        key = (*namespace_of(config), get_checkpoint_id(config), task_id)
        entries, data = codec.encode_writes(self.serde, writes)
        about = (codec.FORMAT, _run_id(config), task_path)
        first, *others = codec.split(data)
        statements = [Statement(sql.INSERT_WRITES, (*key, 0, *about, entries, first.hex()))]
        for part, chunk in enumerate(others, 1):
            statements.append(Statement(sql.INSERT_WRITES, (*key, part, *about, None, chunk.hex())))
        submitted = self._commits.submit(statements)
        # LangGraph begins the handler of a node's error when that is stored, and not the node again.
        if self._write_behind and not any(channel == ERROR_SOURCE_NODE for channel, _ in writes):
            # If the commit fails, the next call raises its error.
            submitted.add_done_callback(lambda future: self._announce_later(future, self._on_writes, task_id))
            return
        await asyncio.shield(submitted)
        if self._on_writes:
            self._on_writes(task_id)

    async def adelete_thread(self, thread_id: str) -> None:
        """Delete everything that a thread has stored."""
        await deletion.delete_thread(self._commits, thread_id)

    async def adelete_for_runs(self, run_ids: Sequence[str], *, thread_id: str | None = None) -> None:
        """Delete what these runs have stored, in one thread or in all; see `deletion.delete_for_runs`."""
        await deletion.delete_for_runs(self._read, self._commits, run_ids, thread_id)

    async def adelete_since(self, root_checkpoint_id: str, *, run_id: str, thread_id: str) -> None:
        """Delete what subgraphs of a run stored in super-steps that it has lost; see `deletion.delete_since`."""
        await deletion.delete_since(self._read, self._commits, root_checkpoint_id, run_id, thread_id)

    async def acopy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """Copy all checkpoints, values and writes in one transaction; copying twice changes nothing."""
        await self._commits.commit(
            [Statement(statement, (source_thread_id, target_thread_id)) for statement in sql.COPY_THREAD]
        )

    async def aprune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """Delete checkpoints: all of them (`delete`), or those that the latest do not need (`keep_latest`)."""
        if strategy not in ("keep_latest", "delete"):
            raise ValueError(f"unknown pruning strategy {strategy!r}: it is 'keep_latest' or 'delete'")
        for thread_id in thread_ids:
            if strategy == "delete":
                await self.adelete_thread(thread_id)
            else:
                await deletion.keep_latest(self._read, self._commits, thread_id)

    async def aget_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, DeltaChannelHistory]:
        """The history of delta channels up to the checkpoint of `config`; one round trip per 500 ancestors."""
        return await delta_history.of_channels(self._read, self.serde, config, channels)

    def get_next_version(self, current: str | None, channel: None) -> str:  # noqa: ARG002
        """The version after `current`, in the format of other savers; random, so that no two forks share one."""
        number = 0 if current is None else int(str(current).split(".")[0])
        return f"{number + 1:032}.{random.random():016}"  # noqa: S311

    async def _page(self, where: Where, limit: int) -> list[CheckpointTuple]:
        checkpoints, blobs, writes = await self._read(where.select(limit))
        return rows.checkpoint_tuples(self.serde, checkpoints, rows.stored_blobs(blobs), writes)


def _run_id(config: RunnableConfig) -> str | None:
    run_id = config.get("configurable", {}).get("run_id") or config.get("metadata", {}).get("run_id")
    return str(run_id) if run_id else None


def _blob_inserts(key: Key, blobs: Sequence[codec.Blob]) -> list[Statement]:
    return [
        Statement(
            sql.INSERT_BLOB,
            (
                *(key.thread_id, key.checkpoint_ns, blob.channel, blob.version, part),
                *(codec.FORMAT, blob.type, blob.base, chunk.hex()),
            ),
        )
        for blob in blobs
        for part, chunk in enumerate(codec.split(blob.data))
    ]


def _strict_serializer() -> JsonPlusSerializer:
    """Loads LangGraph's and LangChain's own types, and those that a graph's schemas name (see `with_allowlist`)."""
    if not STRICT_MSGPACK_ENABLED:
        raise RuntimeError(
            "LANGGRAPH_STRICT_MSGPACK=true must be in the environment before langgraph is imported:"
            " otherwise graphs do not name their state's classes, and these would come back as dicts"
        )
    return JsonPlusSerializer(allowed_msgpack_modules=None)
