"""Identifiers: time-ordered ones for threads and runs, and the fixed ones of system assistants."""

import os
import re
import time
import uuid
from typing import Final

#: The namespace from which every LangGraph server derives the id of a graph's assistant, by the graph's name.
ASSISTANT_NAMESPACE: Final = uuid.UUID("6ba7b821-9dad-11d1-80b4-00c04fd430c8")

_UUID: Final = re.compile(r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}", re.ASCII)


def time_ordered() -> str:
    """A new UUIDv7. Ids sort by creation time, to a quarter of a microsecond if the clock is that fine.

    Not `uuid_utils`: its generator may be seeded while the Worker's memory snapshot is taken, with fixed entropy.
    """
    milliseconds, nanoseconds = divmod(time.time_ns(), 1_000_000)
    fraction = (nanoseconds << 12) // 1_000_000
    random = int.from_bytes(os.urandom(8), "big") >> 2
    return str(uuid.UUID(int=milliseconds << 80 | 0x7 << 76 | fraction << 64 | 0b10 << 62 | random))


def earliest(ms: int) -> str:
    """An id before all ids that `time_ordered` makes from this time on, in milliseconds since 1970."""
    return str(uuid.UUID(int=ms << 80))


def random_id() -> str:
    """A new random UUID."""
    return str(uuid.uuid4())


def system_assistant(graph_id: str) -> str:
    """The id of a graph's system assistant."""
    return str(uuid.uuid5(ASSISTANT_NAMESPACE, graph_id))


def derived(owner: str, name: str) -> str:
    """The id of a part of the owner with this UUID; always the same for the same name."""
    return str(uuid.uuid5(uuid.UUID(owner), name))


def canonical(text: str) -> str | None:
    """`text` in the one form in which a UUID is stored, or None if it is not a UUID."""
    return str(uuid.UUID(text)) if _UUID.fullmatch(text.lower()) else None
