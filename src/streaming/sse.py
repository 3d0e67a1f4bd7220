"""Server-sent events on the wire: CR LF line ends; event, data, id and a blank line, in that order."""

import re
from collections.abc import AsyncGenerator, AsyncIterable, Collection
from typing import Final

from streaming.events import START, EventId, Frame

HEARTBEAT: Final = ": heartbeat\r\n\r\n"

#: Clients learn this interval and take a connection for dead after three of them.
HEARTBEAT_SECONDS: Final = 5.0

#: `Last-Event-ID` values that ask for everything from the beginning.
_FROM_THE_START: Final = ("-1", "-", "0")

#: Where an event name stops naming its mode: `messages/partial`, `values|child:1f1e…`.
_QUALIFIER: Final = re.compile(r"[/|]")


def frame(event_id: EventId, run_id: str, name: str, data: str) -> Frame:
    """One event; `data` is JSON text, which never holds a line end."""
    return Frame(event_id, run_id, name, encode(name, data, event_id))


def encode(name: str, data: str, event_id: object) -> str:
    """The text of one event."""
    return f"event: {name}\r\ndata: {data}\r\nid: {event_id}\r\n\r\n"


def split(text: str, run_id: str = "") -> list[Frame]:
    """The frames of a text that `frame` produced, one after the other; heartbeats between them are no frames."""
    return [_parse(body, run_id) for body in text.split("\r\n\r\n") if body and not body.startswith(":")]


async def read(parts: AsyncIterable[str]) -> AsyncGenerator[tuple[str, str] | None]:
    """(name, data) of each event in a stream of these frames, however it is cut into parts; None for a heartbeat."""
    rest = ""
    async for part in parts:
        *bodies, rest = (rest + part).split("\r\n\r\n")
        for body in bodies:
            if body.startswith("event: "):
                name, data = body.removeprefix("event: ").split("\r\n")[:2]
                yield name, data.removeprefix("data: ")
            else:
                yield None


def data_of(stored: Frame) -> str:
    """The JSON text of a frame."""
    return stored.text.split("\r\n", 2)[1].removeprefix("data: ")


def is_wanted(name: str, modes: Collection[str]) -> bool:
    """Whether a join that filters by `modes` (none: no filter) gets events of this name; errors always pass."""
    if not modes or name == "error":
        return True
    mode = _QUALIFIER.split(name, maxsplit=1)[0]
    return mode in modes or (mode == "messages" and "messages-tuple" in modes)


def parse_last_event_id(header: str) -> EventId | None:
    """The position that a `Last-Event-ID` header names, or None for an id that no stream here has ever sent."""
    return START if header.strip() in _FROM_THE_START else EventId.parse(header)


def _parse(body: str, run_id: str) -> Frame:
    name, _, rest = body.removeprefix("event: ").partition("\r\n")
    event_id = EventId.parse(rest.rpartition("id: ")[2])
    assert event_id is not None, "a stored frame has an id"
    return Frame(event_id, run_id, name, body + "\r\n\r\n")
