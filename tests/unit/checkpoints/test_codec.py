"""The layout of checkpoints in rows: decoding gives back what was encoded."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from checkpoints import codec

SERDE = JsonPlusSerializer(allowed_msgpack_modules=None)

texts = st.text(st.characters(exclude_categories=()))
versions = (
    st.integers(0, 2**70) | st.builds("{:032}.{:016}".format, st.integers(1, 10**31), st.floats(0, 1)) | st.just("2")
)
values = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.lists(st.integers(0, 2**64 - 1))
    | st.text(max_size=300)
)  # fmt: skip
by_channel = st.dictionaries(texts, versions, max_size=5)


@given(
    by_channel, st.dictionaries(texts, by_channel, max_size=3), st.dictionaries(texts, values, max_size=5), st.data()
)
def test_a_checkpoint_comes_back_as_it_was(
    channel_versions: Any, versions_seen: Any, channel_values: Any, data: st.DataObject
) -> None:
    channel_versions |= {channel: data.draw(versions) for channel in channel_values}
    stored: Any = {
        "v": 4,
        "id": "id",
        "ts": "now",
        "updated_channels": None,
        "pending_sends": [],
        "channel_values": channel_values,
        "channel_versions": channel_versions,
        "versions_seen": versions_seen,
    }
    encoded = codec.encode_checkpoint(SERDE, stored, channel_versions)
    blobs = {(blob.channel, blob.version): (blob.type, blob.data) for blob in encoded.blobs}
    assert codec.decode_checkpoint(SERDE, "id", json.loads(encoded.body), lambda *name: blobs[name]) == stored


def test_only_new_versions_of_large_values_become_blobs() -> None:
    stored: Any = {
        "v": 4,
        "id": "id",
        "ts": "now",
        "versions_seen": {},
        "channel_values": {"old": [1], "new": [2], "small": 3, "long": "x" * 257, "without version": [4]},
        "channel_versions": {"old": 1, "new": 2, "small": 2, "long": 2},
    }
    encoded = codec.encode_checkpoint(SERDE, stored, {"new": 2, "small": 2, "long": 2})
    assert [(blob.channel, blob.version) for blob in encoded.blobs] == [("new", "2"), ("long", "2")]
    body = json.loads(encoded.body)
    assert body["blobs"] == {"old": "1", "new": "2", "long": "2"}
    assert body["channel_values"] == {"small": 3}


@pytest.mark.parametrize(
    ("version", "key"),
    [(f"{12:032}.0.25", "~12.0.25"), (7, "7"), (1.5, "1.5"), ("12.0.25", "12.0.25"), (f"{3:032}", "~3")],
)
def test_the_key_of_a_value_never_changes(version: Any, key: str) -> None:
    assert codec.blob_version(version) == key


@pytest.mark.parametrize("size", [0, 1, codec.PART_BYTES, codec.PART_BYTES + 1, 3 * codec.PART_BYTES])
def test_parts_fit_in_rows_and_make_the_whole(size: int) -> None:
    parts = codec.split(b"x" * size)
    assert b"".join(parts) == b"x" * size
    assert all(len(part) <= codec.PART_BYTES for part in parts)
    assert len(parts) == max(1, -(-size // codec.PART_BYTES))
