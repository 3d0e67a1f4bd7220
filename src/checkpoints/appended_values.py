"""A list that only grew is stored as the items appended to its previous version, the base.

Conversations are such lists. If they were stored whole, the size of a thread would grow with the square of its length,
and each super-step would send the whole list to the database. After `MAX_APPENDED` versions that each build on the one
before, the value is stored whole again, so that a read takes a bounded number of rows.

Values are compared as bytes: a value is shortened only if restoring it gives exactly the same bytes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from checkpoints.codec import Blob, Typed

#: For smaller lists, the additional rows of a read cost more than is saved.
MIN_BASE_BYTES = 1024

#: How many versions may build on each other before a value is stored whole.
MAX_APPENDED = 32

#: The header size of a MessagePack array in bytes, by its first byte.
_HEADER_BYTES = {**dict.fromkeys(range(0x90, 0xA0), 1), 0xDC: 3, 0xDD: 5}


class MissingBlobError(LookupError):
    """A value, or a base that it builds on, is not in the database."""


@dataclass(frozen=True, slots=True)
class Whole:
    """A value with all its bytes, and its distance, in versions, from a version that is stored whole."""

    blob: Blob
    appended: int

    @property
    def typed(self) -> Typed:
        """The value in the serializer's typed form."""
        return self.blob.type, self.blob.data


class AppendedValues:
    """The latest values that one saver knows to be in the database: each may be the base of the next."""

    def __init__(self) -> None:
        self._latest: dict[tuple[str, str, str], Whole] = {}

    def shortened(self, thread_id: str, checkpoint_ns: str, blob: Blob) -> Blob:
        """What to store for `blob`: the items appended to the latest value; if it begins differently, all of it."""
        latest = self._latest.get((thread_id, checkpoint_ns, blob.channel))
        if latest is None or latest.appended >= MAX_APPENDED:
            return blob
        header, base_header = _header_bytes(blob.data), _header_bytes(latest.blob.data)
        base_items = latest.blob.data[base_header:]
        if not header or not base_header or not blob.data.startswith(base_items, header):
            return blob
        rest = blob.data[:header] + blob.data[header + len(base_items) :]
        return replace(blob, data=rest, base=latest.blob.version)

    def learn(self, thread_id: str, checkpoint_ns: str, whole: Whole) -> None:
        """Remember a value that is in the database now."""
        key = (thread_id, checkpoint_ns, whole.blob.channel)
        if len(whole.blob.data) >= MIN_BASE_BYTES:
            self._latest[key] = whole
        else:
            self._latest.pop(key, None)

    def learn_stored(self, thread_id: str, checkpoint_ns: str, blob: Blob, stored: Blob) -> None:
        """Remember `blob`, which was stored as `stored`."""
        latest = self._latest.get((thread_id, checkpoint_ns, blob.channel))
        appended = latest.appended + 1 if latest and stored.base else 0
        self.learn(thread_id, checkpoint_ns, Whole(blob, appended))


def restored(channel: str, version: str, stored: Mapping[tuple[str, str], Blob]) -> Whole:
    """The value of a channel at `version`, from blobs by (channel, version). Raises `MissingBlobError`."""
    appended = [_find(channel, version, stored)]
    while appended[-1].base is not None:
        appended.append(_find(channel, appended[-1].base, stored))
    latest, root = appended[0], appended.pop()
    if not appended:
        return Whole(latest, 0)
    items = [memoryview(blob.data)[_header_bytes(blob.data) :] for blob in (root, *reversed(appended))]
    data = b"".join((latest.data[: _header_bytes(latest.data)], *items))
    return Whole(replace(latest, data=data, base=None), len(appended))


def _find(channel: str, version: str, stored: Mapping[tuple[str, str], Blob]) -> Blob:
    if (channel, version) not in stored:
        raise MissingBlobError(f"the value of channel {channel!r} at version {version} is not in the database")
    return stored[channel, version]


def _header_bytes(data: bytes) -> int:
    """The size of the header if `data` is a MessagePack array, otherwise 0."""
    return _HEADER_BYTES.get(data[0], 0) if data else 0
