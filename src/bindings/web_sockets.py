"""WebSockets of a Durable Object that stay open while the object hibernates."""

from collections.abc import Iterator
from typing import Any

from js import Object, Response, WebSocketPair
from pyodide.ffi import JsException, to_js


class HibernatingSocket:
    """`streaming.protocol_sockets.Socket` over the server's end of a WebSocket."""

    def __init__(self, foreign: Any) -> None:
        self._foreign = getattr(foreign, "_ws", foreign)

    def send(self, text: str) -> None:
        """See `Socket.send`."""
        try:
            self._foreign.send(text)
        except JsException:
            return  # closed; the runtime says so by an event of its own

    def attach(self, text: str) -> None:
        """See `Socket.attach`."""
        self._foreign.serializeAttachment(text)

    def attachment(self) -> str:
        """See `Socket.attachment`."""
        return self._foreign.deserializeAttachment()

    def close(self) -> None:
        """Complete the closing handshake; otherwise the client sees a broken connection."""
        try:
            self._foreign.close()
        except JsException:
            return  # closed already


class HibernatingSockets:
    """All WebSockets of an object."""

    def __init__(self, ctx: Any) -> None:
        self._ctx = getattr(ctx, "_ctx", ctx)
        # Remembered, because asking the runtime for every event of every run is expensive, and most threads have no
        # sockets.
        self._any = self._ctx.getWebSockets().length > 0

    def __iter__(self) -> Iterator[HibernatingSocket]:
        if self._any:
            found = self._ctx.getWebSockets()
            self._any = found.length > 0
            yield from map(HibernatingSocket, found)

    def accept(self, attachment: str) -> Any:
        """Open a socket. Returns the response that hands its other end to the client."""
        client, server = WebSocketPair.new().object_values()
        self._ctx.acceptWebSocket(server)
        HibernatingSocket(server).attach(attachment)
        self._any = True
        return Response.new(None, to_js({"status": 101, "webSocket": client}, dict_converter=Object.fromEntries))
