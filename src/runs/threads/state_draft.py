"""A checkpoint saver that writes nothing: its caller decides whether, and with what, its writes are committed."""

from collections import defaultdict
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, TypeVar, cast

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

from checkpoints.group_commit import GroupCommit
from checkpoints.rows import Key
from d1_checkpointer import D1Saver
from errors import NotFound
from ports import Database, Row, Statement

T = TypeVar("T")


class _Notebook:
    """A database that records the statements it is asked to write."""

    def __init__(self) -> None:
        self.statements: list[Statement] = []

    async def batch(self, statements: Sequence[Statement]) -> list[list[Row]]:
        """See `ports.Database`."""
        self.statements += statements
        return [[] for _ in statements]

    def wait(self, call: Coroutine[Any, Any, T]) -> T:
        """See `ports.Database`."""
        raise NotImplementedError


class DraftSaver(D1Saver):
    """Reads like a `D1Saver`, including what was put; puts are only collected in `statements`."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        notebook = _Notebook()
        self._commits = GroupCommit(notebook)
        #: The puts, in order; only the last statements make the others visible.
        self.statements = notebook.statements
        self._checkpoints: dict[Key, CheckpointTuple] = {}
        self._writes: dict[Key, list[PendingWrite]] = defaultdict(list)

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """See `D1Saver`. Raises NotFound for a checkpoint that does not exist, because no change can begin there."""
        saved = self._drafted(config) or await super().aget_tuple(config)
        if saved is None:
            if checkpoint_id := get_checkpoint_id(config):
                raise NotFound(f"The thread has no checkpoint {checkpoint_id}")
            return None
        return saved._replace(pending_writes=[*(saved.pending_writes or ()), *self._writes[_key(saved.config)]])

    def _drafted(self, config: RunnableConfig) -> CheckpointTuple | None:
        wanted, checkpoint_id = _key(config), get_checkpoint_id(config)
        for key, saved in reversed(self._checkpoints.items()):
            if key == wanted or (checkpoint_id is None and key.checkpoint_ns == wanted.checkpoint_ns):
                return saved
        return None

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """See `D1Saver`."""
        named = await super().aput(config, checkpoint, metadata, new_versions)
        self._checkpoints[_key(named)] = CheckpointTuple(
            config=named,
            checkpoint=checkpoint,
            metadata=get_serializable_checkpoint_metadata(config, metadata),
            parent_config=_key(config).config() if get_checkpoint_id(config) else None,
            pending_writes=[],
        )
        return named

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """See `D1Saver`."""
        await super().aput_writes(config, writes, task_id, task_path)
        self._writes[_key(config)] += [(task_id, channel, value) for channel, value in writes]

    async def aget_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, DeltaChannelHistory]:
        """See `D1Saver`. Ancestors that are drafts, or have drafted writes, are walked here."""
        saved = self._drafted(config)
        if saved is None or not channels:
            return await super().aget_delta_channel_history(config=config, channels=channels)
        parent = await self.aget_tuple(saved.parent_config) if saved.parent_config else None
        if parent is None:
            return {channel: DeltaChannelHistory(writes=[]) for channel in channels}
        values = parent.checkpoint["channel_values"]
        beyond = [channel for channel in channels if channel not in values]
        further = await self.aget_delta_channel_history(config=parent.config, channels=beyond) if beyond else {}
        history: dict[str, DeltaChannelHistory] = {}
        for channel in channels:
            found = further.get(channel) or DeltaChannelHistory(writes=[], seed=values[channel])
            nearest = [write for write in parent.pending_writes or () if write[1] == channel]
            history[channel] = cast(DeltaChannelHistory, {**found, "writes": [*found["writes"], *nearest]})
        return history


def _key(config: RunnableConfig) -> Key:
    configurable = config.get("configurable", {})
    return Key(configurable["thread_id"], configurable.get("checkpoint_ns", ""), get_checkpoint_id(config) or "")
