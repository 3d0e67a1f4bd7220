"""The layout of a checkpoint, its channel values and its writes in rows: pure functions, no SQL.

Layouts are persisted. A change needs a new `FORMAT` and must still read the previous one, because two releases serve
the same thread during a rollout. Channel values are LangGraph's own typed bytes; only the frame around them is ours.
"""

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from langgraph.checkpoint.base import (
    WRITES_IDX_MAP,
    ChannelVersions,
    Checkpoint,
    PendingWrite,
    writes_sort_key,
)
from langgraph.checkpoint.serde.base import SerializerProtocol

from errors import CheckpointTooLarge, UnknownCheckpointFormat

#: The layout that this release writes; it reads every one up to it.
FORMAT = 1

#: A longer text gets a row in `checkpoint_blobs`, because an inline value is written again with every checkpoint.
INLINE_TEXT_CHARS = 256

#: D1 takes 2 MB for a row, a parameter and a result column. Values travel as hexadecimal text, twice as long.
PART_BYTES = 900_000
MAX_BODY_CHARS = 1_400_000
MAX_METADATA_CHARS = 500_000

#: The channel name under which most of an over-long checkpoint body is stored.
OVERFLOW_CHANNEL = "__checkpoint__"

_PADDED_DIGITS = 32

#: A value in LangGraph's typed form: serializer type and bytes.
Typed = tuple[str, bytes]


@dataclass(frozen=True, slots=True)
class Blob:
    """The value of a channel at one version; with a `base`, the items appended to that one (`appended_values`)."""

    channel: str
    version: str
    type: str
    data: bytes
    base: str | None = None


@dataclass(frozen=True, slots=True)
class EncodedCheckpoint:
    """The JSON body of a checkpoint's row, and the blobs that must be stored before it."""

    body: str
    blobs: list[Blob]


@dataclass(frozen=True, slots=True)
class StoredWrites:
    """What one call of `put_writes` stored for one task.

    `entries` are (idx, channel, type, size in bytes), in the order in which `data` holds their bytes.
    """

    task_id: str
    task_path: str
    seq: int
    entries: Sequence[tuple[int, str, str, int]]
    data: bytes


def to_json(value: Any) -> str:
    """Compact ASCII JSON: no lone surrogate and no NaN reaches D1 or SQLite's JSON functions."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


def check_format(format: int, what: str) -> None:
    """Refuse a row that a later release wrote, rather than misread it. Raises `UnknownCheckpointFormat`."""
    if format > FORMAT:
        raise UnknownCheckpointFormat(f"{what} has format {format}; this release reads up to {FORMAT}")


def encode_checkpoint(
    serde: SerializerProtocol, checkpoint: Checkpoint, new_versions: ChannelVersions
) -> EncodedCheckpoint:
    """Lay out `checkpoint`. Of the values that are not inline, those in `new_versions` become blobs to store."""
    rest: dict[str, Any] = dict(checkpoint)
    rest.pop("id")
    values: dict[str, Any] = rest.pop("channel_values")
    current = checkpoint["channel_versions"]
    inline = {channel: values[channel] for channel in current if channel in values and _is_inline(values[channel])}
    outside = [channel for channel in current if channel in values and channel not in inline]
    blobs = [
        Blob(channel, blob_version(current[channel]), *serde.dumps_typed(values[channel]))
        for channel in outside
        if channel in new_versions
    ]
    body = {
        "channel_values": inline,
        "blobs": {channel: blob_version(current[channel]) for channel in outside},
        **_versions_by_index(rest),
    }
    text = to_json(body)
    if len(text) <= MAX_BODY_CHARS:
        return EncodedCheckpoint(text, blobs)
    return _overflowing(checkpoint["id"], body, blobs)


def _overflowing(checkpoint_id: str, body: dict[str, Any], blobs: list[Blob]) -> EncodedCheckpoint:
    """The body of a checkpoint with thousands of channels: the fields that SQL reads stay, the rest becomes a blob."""
    rest = {key: value for key, value in body.items() if key not in ("channel_values", "blobs")}
    overflow = Blob(OVERFLOW_CHANNEL, checkpoint_id, "json", to_json(rest).encode())
    text = to_json(
        {
            "channel_values": body["channel_values"],
            "blobs": body["blobs"] | {OVERFLOW_CHANNEL: checkpoint_id},
            "overflows": True,
            "ts": body["ts"],
        }
    )
    if len(text) > MAX_BODY_CHARS:
        raise CheckpointTooLarge(
            f"checkpoint {checkpoint_id} has {len(text)} characters of channel names and small values;"
            f" a row takes {MAX_BODY_CHARS}"
        )
    return EncodedCheckpoint(text, [*blobs, overflow])


def decode_checkpoint(
    serde: SerializerProtocol, checkpoint_id: str, body: Mapping[str, Any], value_of: Callable[[str, str], Typed]
) -> Checkpoint:
    """The checkpoint of a row; `value_of(channel, version)` gives a value that the body names."""
    fields: dict[str, Any] = {key: value for key, value in body.items() if key not in ("channel_values", "blobs")}
    stored: dict[str, str] = dict(body["blobs"])
    if body.get("overflows"):
        fields = json.loads(value_of(OVERFLOW_CHANNEL, stored.pop(OVERFLOW_CHANNEL))[1])
    fields = _versions_by_name(fields)
    loaded = {channel: serde.loads_typed(value_of(channel, version)) for channel, version in stored.items()}
    values = {**body["channel_values"], **loaded}
    in_order = {channel: values[channel] for channel in fields["channel_versions"] if channel in values}
    return Checkpoint(**fields, id=checkpoint_id, channel_values=in_order)


def encode_metadata(metadata: Mapping[str, Any]) -> str:
    """The metadata of a checkpoint as JSON, on which filters are evaluated. Raises `CheckpointTooLarge`."""
    text = to_json(metadata)
    if len(text) > MAX_METADATA_CHARS:
        raise CheckpointTooLarge(f"checkpoint metadata has {len(text)} characters; {MAX_METADATA_CHARS} are allowed")
    return text


def blob_version(version: str | int | float) -> str:
    """The `version` in the key of a channel's blob. The mapping must never change: old rows are found by it."""
    return str(_shortened(version))


def encode_writes(serde: SerializerProtocol, writes: Sequence[tuple[str, Any]]) -> tuple[str, bytes]:
    """The JSON of `entries`, and the bytes, of one call's writes."""
    entries: list[tuple[int, str, str, int]] = []
    chunks: list[bytes] = []
    for position, (channel, value) in enumerate(writes):
        type_, data = serde.dumps_typed(value)
        entries.append((WRITES_IDX_MAP.get(channel, position), channel, type_, len(data)))
        chunks.append(data)
    return to_json(entries), b"".join(chunks)


def decode_writes(
    serde: SerializerProtocol, calls: Iterable[StoredWrites], channels: frozenset[str] | None = None
) -> list[PendingWrite]:
    """The writes of one checkpoint, in the order in which live execution applies them; only to `channels`, if given.

    If two calls wrote the same slot, the first one counts, because a finished task must not change its result. For
    errors, interrupts and resume values (negative slots) the last one counts.
    """
    slots: dict[tuple[str, int], tuple[str, str, Typed]] = {}
    for call in sorted(calls, key=lambda call: call.seq):
        start = 0
        for idx, channel, type_, size in call.entries:
            slot = (call.task_id, idx)
            if idx < 0 or slot not in slots:
                slots[slot] = (call.task_path, channel, (type_, call.data[start : start + size]))
            start += size
    ordered = sorted(slots.items(), key=lambda item: writes_sort_key(item[1][0], *item[0]))
    return [
        (task_id, channel, serde.loads_typed(typed))
        for (task_id, _), (_, channel, typed) in ordered
        if channels is None or channel in channels
    ]


def split(data: bytes) -> list[bytes]:
    """`data` in parts that each fit in a row; one empty part if there are no bytes."""
    return [data[start : start + PART_BYTES] for start in range(0, len(data), PART_BYTES)] or [b""]


def _is_inline(value: Any) -> bool:
    """Exact types only: a subclass of str or int, such as an enum, must come back as that subclass."""
    if type(value) is str:
        return len(value) <= INLINE_TEXT_CHARS
    if type(value) is float:
        return math.isfinite(value)
    return value is None or type(value) in (bool, int)


def _versions_by_index(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The same, with each version listed once: all channels that a super-step writes share one of 50 characters."""
    versions: dict[Any, int] = {}

    def indexed(by_channel: Mapping[str, Any]) -> dict[str, int]:
        return {channel: versions.setdefault(version, len(versions)) for channel, version in by_channel.items()}

    channel_versions = indexed(fields["channel_versions"])
    versions_seen = {node: indexed(seen) for node, seen in fields["versions_seen"].items()}
    return {
        **fields,
        "versions": [_shortened(version) for version in versions],
        "channel_versions": channel_versions,
        "versions_seen": versions_seen,
    }


def _versions_by_name(fields: Mapping[str, Any]) -> dict[str, Any]:
    versions = [_lengthened(version) for version in fields["versions"]]

    def named(by_channel: Mapping[str, int]) -> dict[str, Any]:
        return {channel: versions[index] for channel, index in by_channel.items()}

    rest = {key: value for key, value in fields.items() if key != "versions"}
    return {
        **rest,
        "channel_versions": named(fields["channel_versions"]),
        "versions_seen": {node: named(seen) for node, seen in fields["versions_seen"].items()},
    }


def _shortened(version: str | int | float) -> str | int | float:
    """A version of the common form `<32 digits>.<fraction>` without its padding zeros, marked by `~`."""
    if isinstance(version, str):
        number, dot, fraction = version.partition(".")
        if len(number) == _PADDED_DIGITS and number.isdecimal():
            return f"~{number.lstrip('0')}{dot}{fraction}"
    return version


def _lengthened(version: str | int | float) -> str | int | float:
    if isinstance(version, str) and version.startswith("~"):
        number, dot, fraction = version[1:].partition(".")
        return f"{number.zfill(_PADDED_DIGITS)}{dot}{fraction}"
    return version
