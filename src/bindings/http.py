"""HTTP at the JavaScript border: requests in, responses and streams out."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from js import Object, ReadableStream, Response, TextEncoder, WritableStream
from pyodide.ffi import create_proxy, to_js

from http_messages import HttpRequest, Passthrough, Reply, Streamed, announced_bytes

logger = logging.getLogger(__name__)


async def read_request(js_request: Any, max_body_bytes: int) -> HttpRequest:
    """The request as Python values. A body whose announced length is too large is drained, for `api` to refuse."""
    url = urlsplit(js_request.url)
    headers = read_headers(js_request)
    return HttpRequest(
        method=js_request.method,
        path=url.path,
        query=parse_qsl(url.query, keep_blank_values=True),
        headers=headers,
        body=await _read_body(js_request, headers, max_body_bytes),
        origin=f"{url.scheme}://{url.netloc}",
    )


def read_headers(js_request: Any) -> dict[str, str]:
    """The headers of a request, names in lower case."""
    return Object.fromEntries(js_request.headers).to_py()


async def _read_body(js_request: Any, headers: Mapping[str, str], max_body_bytes: int) -> bytes:
    if not js_request.body:
        return b""
    if announced_bytes(headers) > max_body_bytes:
        # Drained, because the runtime closes the connection of an unread body, and often loses the response with it.
        await js_request.body.pipeTo(WritableStream.new())
        return b""
    return (await js_request.arrayBuffer()).to_bytes()


def to_js_response(response: Reply) -> Any:
    """The JavaScript `Response` to hand to the runtime."""
    if isinstance(response, Passthrough):
        return _with_headers(response.foreign, response.headers)
    if isinstance(response, Streamed):
        return _streamed(response)
    return _response(response.body or None, response.status, response.headers)


def _with_headers(response: Any, headers: Mapping[str, str]) -> Any:
    """A copy of a response from another object, whose headers are immutable; the body does not pass through Python."""
    if response.status == 101:  # a WebSocket: scripts of any site may open one, headers make no difference
        return response
    copy = Response.new(response.body, response)
    for name, value in headers.items():
        copy.headers.set(name, value)
    return copy


def _streamed(response: Streamed) -> Any:
    """A streamed response.

    When the client leaves, the runtime ends the invocation and everything that the parts await.
    """

    async def next_part() -> str | None:
        return await anext(response.parts, None)

    return stream_response(next_part, lambda: None, response.headers)


def headers(response: Any) -> dict[str, str]:
    """The headers of a JavaScript `Response`."""
    return Object.fromEntries(response.headers).to_py()


async def chunks(response: Any) -> AsyncGenerator[bytes]:
    """The body of a JavaScript `Response` as it arrives. When the consumer stops, the sender is told."""
    reader = response.body.getReader()
    try:
        while not (part := await reader.read()).done:
            yield part.value.to_bytes()
    finally:
        await reader.cancel()


def stream_response(
    next_chunk: Callable[[], Awaitable[str | None]], on_cancel: Callable[[], object], headers: Mapping[str, str]
) -> Any:
    """A 200 whose body is every chunk until None; `on_cancel` is called when the client leaves before that.

    If `next_chunk` raises, the body ends with an error, so that the client sees that something is missing.

    Only a `ReadableStream` with `pull` and `cancel` notices that the client leaves: writing to a `TransformStream`
    whose reader is gone hangs for ever.
    """
    encoder = TextEncoder.new()

    async def pull(controller: Any) -> None:
        try:
            chunk = await next_chunk()
        except BaseException:
            release()
            raise
        if chunk is None:
            controller.close()
            release()
        else:
            controller.enqueue(encoder.encode(chunk))

    def cancel(_reason: Any = None) -> None:
        on_cancel()
        release()

    def release() -> None:
        # Later, because a proxy cannot be destroyed while JavaScript is calling it.
        asyncio.get_running_loop().call_soon(_destroy, proxies)

    proxies = {"pull": create_proxy(pull), "cancel": create_proxy(cancel)}
    source = to_js(proxies, dict_converter=Object.fromEntries)
    return _response(ReadableStream.new(source), 200, headers)


def _destroy(proxies: dict[str, Any]) -> None:
    """Idempotent: a client may leave while its last chunk is on the way."""
    while proxies:
        proxies.popitem()[1].destroy()


def _response(body: Any, status: int, headers: Mapping[str, str]) -> Any:
    options = {"status": status, "headers": dict(headers)}
    return Response.new(body, to_js(options, dict_converter=Object.fromEntries))
