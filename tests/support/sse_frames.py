"""Server-sent events exactly as on the wire; stricter than clients, so that tests notice what clients forgive."""

import json
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from typing import Any

import httpx

HEARTBEAT = ": heartbeat"


@dataclass(frozen=True, slots=True)
class Frame:
    """One event: its name, its decoded data, its id."""

    event: str
    data: Any
    id: str | None

    @property
    def position(self) -> tuple[int, int]:
        """The id `<ms>-<n>` as something that can be ordered."""
        assert self.id is not None, f"{self} has no id"
        milliseconds, _, number = self.id.partition("-")
        return int(milliseconds), int(number)


def parse(body: bytes) -> list[Frame]:
    """The events of a complete stream; refuses anything but CRLF frames of `event`, `data`, `id` in this order."""
    text = body.decode()
    assert "\n" not in text.replace("\r\n", ""), "a bare LF in the stream"
    *blocks, rest = text.split("\r\n\r\n")
    assert rest == "", f"the stream ends within a frame: {rest!r}"
    return [frame for block in blocks if (frame := parse_block(block)) is not None]


def parse_block(block: str) -> Frame | None:
    """One event without its blank line; None for a heartbeat."""
    if block == HEARTBEAT:
        return None
    fields = [line.partition(": ") for line in block.split("\r\n")]
    names = [name for name, _, _ in fields]
    assert names in (["event", "data", "id"], ["event", "data"]), f"fields {names} in {block!r}"
    values = [value for _, _, value in fields]
    return Frame(values[0], json.loads(values[1]), values[2] if len(values) == 3 else None)


async def frames(response: httpx.Response) -> AsyncIterator[Frame]:
    """The events of a stream as they arrive; ends when the server closes."""
    pending = ""
    async for chunk in response.aiter_text():
        *blocks, pending = (pending + chunk).split("\r\n\r\n")
        for block in blocks:
            if (frame := parse_block(block)) is not None:
                yield frame


def named(events: Iterable[Frame], event: str) -> list[Any]:
    """The data of every event with this name, in order."""
    return [frame.data for frame in events if frame.event == event]


def assert_strictly_increasing(events: Iterable[Frame]) -> None:
    """Every event has an id and each id is greater than the one before."""
    positions = [frame.position for frame in events]
    assert positions == sorted(set(positions)), f"ids repeat or go back: {positions}"
