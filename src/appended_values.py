"""A list that only grew is stored as what was appended to an earlier version of it, its base.

Conversations are such lists. Stored whole, a thread's size would be the square of its length, and each super-step would
send all of it to the database. A base is always whole, never appended to another, so reading takes one more row, not a
chain of them. Once the appended rows would outgrow their base, the value is stored whole and becomes the base.

The comparison is of bytes: a value is shortened only if restoring it gives exactly those bytes, whatever they mean.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from checkpoint_codec import Blob

#: For less, a second row to read costs more than it saves.
MIN_BASE_BYTES = 4096

#: How many bytes a MessagePack array's header takes, by its first byte.
_HEADER_BYTES = {**dict.fromkeys(range(0x90, 0xA0), 1), 0xDC: 3, 0xDD: 5}


@dataclass(slots=True)
class _Base:
    version: str
    items: bytes
    #: Bytes stored in rows that build on it, as far as known.
    appended: int


class AppendedValues:
    """What one saver knows of values in the database, for one thread's channels at a time."""

    def __init__(self) -> None:
        self._bases: dict[tuple[str, str, str], _Base] = {}

    def shortened(self, thread_id: str, checkpoint_ns: str, blob: Blob) -> Blob:
        """The blob as it is to be stored: what was appended to a known base if that is worth it, or itself."""
        base = self._bases.get((thread_id, checkpoint_ns, blob.channel))
        header = _header_bytes(blob.data)
        if base is None or header is None or not blob.data.startswith(base.items, header):
            return blob
        rest = blob.data[:header] + blob.data[header + len(base.items) :]
        if base.appended + len(rest) > len(base.items):
            return blob
        return replace(blob, data=rest, base=base.version)

    def learn(self, thread_id: str, checkpoint_ns: str, stored: Iterable[Blob]) -> None:
        """Note values that are in the database, as they are stored there."""
        for blob in sorted(stored, key=lambda blob: blob.base is not None):
            key = (thread_id, checkpoint_ns, blob.channel)
            base = self._bases.get(key)
            header = _header_bytes(blob.data)
            if blob.base is None:
                self._bases.pop(key, None)
                if header is not None and len(blob.data) >= MIN_BASE_BYTES:
                    self._bases[key] = _Base(blob.version, blob.data[header:], 0)
            elif base is not None and base.version == blob.base:
                base.appended += len(blob.data)


def restored(stored: bytes, base: bytes) -> bytes:
    """The whole value of what is stored as appended to `base`."""
    header, base_header = _header_bytes(stored), _header_bytes(base)
    if header is None or base_header is None:
        raise ValueError("a value that names a base is not a list")
    return b"".join((stored[:header], memoryview(base)[base_header:], memoryview(stored)[header:]))


def _header_bytes(data: bytes) -> int | None:
    """The size of the header if `data` is a MessagePack array."""
    return _HEADER_BYTES.get(data[0]) if data else None
