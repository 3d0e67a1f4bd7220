"""Records every exchange between a client and a server.

The recording happens below httpx, so it covers the official SDK as well as plain HTTP.
"""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

#: Set on a request that is sent a number of times that depends on timing.
UNRECORDED: Final = "superstep.unrecorded"


@dataclass(slots=True)
class Exchange:
    """One request and its answer; of a stream, what was read of it."""

    method: str
    path: str
    sent: str = ""
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict[str, str])
    received: bytearray = field(default_factory=bytearray)

    @property
    def body(self) -> Any:
        """JSON decoded, events as a list of frames, anything else as text."""
        if self.path == "/openapi.json":
            return "<a document>"
        kind = self.headers.get("content-type", "").partition(";")[0]
        text = self.received.decode(errors="replace")
        match kind:
            case "application/json" if text.strip():
                return json.loads(text)
            case "text/event-stream":
                return frames(text)
            case "text/html":
                return "<a page>"
            case _:
                return text


def frames(text: str) -> list[dict[str, Any]]:
    """The complete events in the text of a stream, field by field; comments are left out."""
    blocks = text.split("\r\n\r\n")[:-1]
    return [_frame(block) for block in blocks if not block.startswith(":")]


def _frame(block: str) -> dict[str, Any]:
    fields = [line.partition(": ") for line in block.split("\r\n")]
    frame: dict[str, Any] = {name: value for name, _, value in fields}
    return {**frame, "data": json.loads(frame["data"])} if "data" in frame else frame


class RecordingTransport(httpx.AsyncBaseTransport):
    """Sends requests and notes them, in the order in which they were sent."""

    def __init__(self) -> None:
        self.exchanges: list[Exchange] = []
        self._transport = httpx.AsyncHTTPTransport(retries=0)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """See httpx."""
        sent = (await request.aread()).decode(errors="replace")
        exchange = Exchange(request.method, request.url.raw_path.decode(), sent)
        if not request.extensions.get(UNRECORDED):
            self.exchanges.append(exchange)
        response = await self._transport.handle_async_request(request)
        exchange.status = response.status_code
        exchange.headers = dict(response.headers)
        assert isinstance(response.stream, httpx.AsyncByteStream)
        response.stream = _NotedStream(response.stream, exchange.received)
        return response

    async def aclose(self) -> None:
        """Close all connections."""
        await self._transport.aclose()


class _NotedStream(httpx.AsyncByteStream):
    def __init__(self, stream: httpx.AsyncByteStream, note: bytearray) -> None:
        self._stream = stream
        self._note = note

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._stream:
            self._note.extend(chunk)
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()
