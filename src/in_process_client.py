"""`langgraph_sdk.get_client()` without a URL, as graphs use it: a client of the server that they run in.

Its requests go directly to the API, in the object or Worker where the graph runs, without authentication, because they
come from the project's own code. Importing this module prepares the SDK. Import it before the graphs, whose modules may
make a client.
"""

import os
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import httpx
from langgraph_sdk._async import client as sdk

import trace_context
from api import app
from auth.gatekeeper import OpenDoor
from bindings import http
from http_messages import HttpRequest, HttpResponse, Passthrough, Reply


class InProcessTransport(httpx.AsyncBaseTransport):
    """Answers requests by calling the API."""

    def __init__(self, app: Any = None, root_path: str = "") -> None:
        """Takes the arguments that the SDK gives to httpx's ASGI transport, and needs none of them."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """See httpx."""
        from deployment import services  # noqa: PLC0415 - it imports the graphs

        here = services(OpenDoor())
        path, _, _ = request.url.raw_path.decode("ascii").partition("?")
        asked = HttpRequest(
            method=request.method,
            path=here.mount_prefix + path,
            query=request.url.params.multi_items(),
            headers={**trace_context.outgoing(), **{name.lower(): value for name, value in request.headers.items()}},
            body=await request.aread(),
        )
        return _response(await app.handle(asked, here))


def _response(reply: Reply) -> httpx.Response:
    if isinstance(reply, HttpResponse):
        return httpx.Response(reply.status, headers=dict(reply.headers), content=reply.body.encode())
    if isinstance(reply, Passthrough):
        foreign: Any = reply.foreign
        headers = {**http.headers(foreign), **reply.headers}
        return httpx.Response(foreign.status, headers=headers, stream=_Stream(http.chunks(foreign)))
    return httpx.Response(200, headers=dict(reply.headers), stream=_Stream(_encoded(reply.parts)))


async def _encoded(texts: AsyncGenerator[str]) -> AsyncGenerator[bytes]:
    async for text in texts:
        yield text.encode()


class _Stream(httpx.AsyncByteStream):
    """A body that is read part by part."""

    def __init__(self, pieces: AsyncGenerator[bytes]) -> None:
        self._pieces = pieces

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._pieces

    async def aclose(self) -> None:
        """See httpx."""
        await self._pieces.aclose()


assert hasattr(sdk, "get_asgi_transport"), "langgraph-sdk makes in-process clients in another way now"
os.environ["__LANGGRAPH_DEFER_LOOPBACK_TRANSPORT"] = "true"
sdk.get_asgi_transport = lambda: InProcessTransport  # type: ignore[assignment]
# The SDK would keep every transport for ever, to register an application that this transport does not need.
sdk._registered_transports = deque(maxlen=0)  # type: ignore[assignment] # pyright: ignore[reportPrivateUsage]
