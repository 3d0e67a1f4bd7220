"""Turns rows of the checkpoint tables into LangGraph's structures: pure functions, no SQL.

Every `value` column arrives as hexadecimal text, possibly in several parts.
"""

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import CheckpointTuple, PendingWrite
from langgraph.checkpoint.serde.base import SerializerProtocol

from checkpoints import codec
from checkpoints.appended_values import MissingBlobError, Whole, restored
from checkpoints.retention import Outline
from errors import CheckpointIncomplete
from ports import Row


@dataclass(frozen=True, slots=True)
class Key:
    """The primary key of a checkpoint."""

    thread_id: str
    checkpoint_ns: str
    checkpoint_id: str

    @classmethod
    def of(cls, row: Row) -> "Key":
        """The key of a row of `checkpoints` or `checkpoint_writes`."""
        return cls(row["thread_id"], row["checkpoint_ns"], row["checkpoint_id"])

    def config(self, checkpoint_id: str | None = None) -> RunnableConfig:
        """The `RunnableConfig` that names this checkpoint, or the one with `checkpoint_id` in the same namespace."""
        return {
            "configurable": {
                "thread_id": self.thread_id,
                "checkpoint_ns": self.checkpoint_ns,
                "checkpoint_id": checkpoint_id or self.checkpoint_id,
            }
        }


#: Values as they are stored, by (thread_id, checkpoint_ns), then by (channel, version).
StoredBlobs: TypeAlias = Mapping[tuple[str, str], Mapping[tuple[str, str], codec.Blob]]


def checkpoint_tuples(
    serde: SerializerProtocol, checkpoints: Sequence[Row], blobs: StoredBlobs, writes: Iterable[Row]
) -> list[CheckpointTuple]:
    """The checkpoints in their order, each with its values and pending writes."""
    calls = _calls(writes)
    return [_checkpoint_tuple(serde, row, blobs, calls[Key.of(row)]) for row in checkpoints]


def _checkpoint_tuple(
    serde: SerializerProtocol, row: Row, blobs: StoredBlobs, calls: Sequence[codec.StoredWrites]
) -> CheckpointTuple:
    key = Key.of(row)
    codec.check_format(row["format"], f"checkpoint {key.checkpoint_id}")

    def value_of(channel: str, version: str) -> codec.Typed:
        return _whole(key, channel, version, blobs).typed

    checkpoint = codec.decode_checkpoint(serde, key.checkpoint_id, json.loads(row["checkpoint"]), value_of)
    parent_id = row["parent_checkpoint_id"]
    return CheckpointTuple(
        config=key.config(),
        checkpoint=checkpoint,
        metadata=json.loads(row["metadata"]),
        parent_config=key.config(parent_id) if parent_id else None,
        pending_writes=codec.decode_writes(serde, calls),
    )


@dataclass(frozen=True, slots=True)
class Ancestry:
    """What one page of ancestors contributes to the values of delta channels, nearest ancestor first."""

    #: Writes by channel, newest first.
    writes: dict[str, list[PendingWrite]]
    #: By channel: the stored value at which the walk up the parent chain ends.
    seeds: dict[str, Any]


def ancestry(
    serde: SerializerProtocol, ancestors: Sequence[Row], blobs: StoredBlobs, writes: Iterable[Row]
) -> Ancestry:
    """Each ancestor's writes to the channels in its `missing_below`, and a seed for those of them that it stores."""
    calls = _calls(writes)
    collected: dict[str, list[PendingWrite]] = defaultdict(list)
    seeds: dict[str, Any] = {}
    for row in ancestors:
        key = Key.of(row)
        codec.check_format(row["format"], f"checkpoint {key.checkpoint_id}")
        below = frozenset[str](json.loads(row["missing_below"]))
        for write in reversed(codec.decode_writes(serde, calls[key], below)):
            collected[write[1]].append(write)
        inline: dict[str, Any] = json.loads(row["channel_values"])
        stored: dict[str, str] = json.loads(row["blobs"])
        for channel in below - frozenset(json.loads(row["missing"])):
            if channel in stored:
                seeds[channel] = serde.loads_typed(_whole(key, channel, stored[channel], blobs).typed)
            else:
                seeds[channel] = inline[channel]
    return Ancestry(collected, seeds)


def outline(row: Row) -> Outline:
    """The fields of a checkpoint that retention needs."""
    versioned = row["versioned"]
    return Outline(
        checkpoint_ns=row["checkpoint_ns"],
        checkpoint_id=row["checkpoint_id"],
        parent_checkpoint_id=row["parent_checkpoint_id"],
        run_id=row["run_id"],
        root_checkpoint_id=row["root_checkpoint_id"],
        versioned=None if versioned is None else frozenset(json.loads(versioned)),
        stored=frozenset(json.loads(row["stored"])),
        delta=frozenset(json.loads(row["delta"])),
    )


def stored_blobs(rows: Iterable[Row]) -> StoredBlobs:
    """The values in rows of `checkpoint_blobs`, their parts joined."""
    parts: dict[tuple[str, str, str, str], list[Row]] = defaultdict(list)
    for row in rows:
        codec.check_format(row["format"], f"a value of channel {row['channel']!r}")
        parts[row["thread_id"], row["checkpoint_ns"], row["channel"], row["version"]].append(row)
    blobs: dict[tuple[str, str], dict[tuple[str, str], codec.Blob]] = defaultdict(dict)
    for (thread_id, checkpoint_ns, channel, version), rows_of_value in parts.items():
        first, data = _joined(rows_of_value)
        blob = codec.Blob(channel, version, first["type"], data, first["base"])
        blobs[thread_id, checkpoint_ns][channel, version] = blob
    return blobs


def named_values(checkpoint: Row, blobs: StoredBlobs) -> list[Whole]:
    """The values to which a row of `checkpoints` refers."""
    named: dict[str, str] = json.loads(checkpoint["checkpoint"])["blobs"]
    return [_whole(Key.of(checkpoint), channel, version, blobs) for channel, version in named.items()]


def _whole(key: Key, channel: str, version: str, blobs: StoredBlobs) -> Whole:
    try:
        return restored(channel, version, blobs.get((key.thread_id, key.checkpoint_ns), {}))
    except MissingBlobError as missing:
        raise CheckpointIncomplete(f"checkpoint {key.checkpoint_id} of thread {key.thread_id}: {missing}") from missing


def _calls(rows: Iterable[Row]) -> dict[Key, list[codec.StoredWrites]]:
    """The calls of `put_writes` by checkpoint; a call of which a crash left only some parts is left out."""
    parts: dict[tuple[Key, str, int], list[Row]] = defaultdict(list)
    for row in rows:
        codec.check_format(row["format"], f"writes of task {row['task_id']}")
        parts[Key.of(row), row["task_id"], row["seq"]].append(row)
    calls: dict[Key, list[codec.StoredWrites]] = defaultdict(list)
    for (key, task_id, seq), rows_of_call in parts.items():
        first, data = _joined(rows_of_call)
        entries = json.loads(first["entries"])
        if sum(size for *_, size in entries) == len(data):
            calls[key].append(codec.StoredWrites(task_id, first["task_path"], seq, entries, data))
    return calls


def _joined(parts: Collection[Row]) -> tuple[Row, bytes]:
    """The first part, and the bytes of all parts."""
    in_order = sorted(parts, key=lambda row: row["part"])
    return in_order[0], b"".join(bytes.fromhex(row["value"]) for row in in_order)
