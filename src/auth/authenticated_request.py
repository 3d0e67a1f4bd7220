"""A request in the form of an `authenticate` handler: the parameters that it may declare by name."""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import unquote

from httpx import Headers

from http_messages import HttpRequest


class Url:
    """The part of a URL that handlers read."""

    def __init__(self, request: HttpRequest) -> None:
        self.path = unquote(request.path)
        self.query = "&".join(f"{name}={value}" for name, value in request.query)


class RequestView:
    """The part of Starlette's `Request` that handlers use."""

    def __init__(self, request: HttpRequest) -> None:
        self._request = request
        self.method = request.method
        self.url = Url(request)
        self.headers = Headers(dict(request.headers))
        self.query_params = dict(request.query)
        self.path_params: dict[str, str] = {}

    async def body(self) -> bytes:
        """The raw body."""
        return _bytes(self._request.body)

    async def json(self) -> Any:
        """The decoded body."""
        return json.loads(self._request.body)


def arguments(request: HttpRequest, wanted: frozenset[str]) -> dict[str, Any]:
    """The arguments of a handler that asks for `wanted`."""
    return {name: ARGUMENTS[name](request) for name in wanted}


def _bytes(text: bytes | str) -> bytes:
    return text if isinstance(text, bytes) else text.encode(errors="surrogatepass")


def _body(request: HttpRequest) -> Any:
    """The decoded body; an empty object if it is not JSON, which the operation itself will refuse."""
    try:
        return json.loads(request.body) if request.body else {}
    except (ValueError, RecursionError):
        return {}


def _headers(request: HttpRequest) -> dict[bytes, bytes]:
    return {name.encode(errors="replace"): value.encode(errors="replace") for name, value in request.headers.items()}


#: The parameters that a handler may declare, by name.
ARGUMENTS: Final[Mapping[str, Callable[[HttpRequest], Any]]] = {
    "request": RequestView,
    "body": _body,
    "user": lambda _request: None,
    "path": lambda request: unquote(request.path),
    "method": lambda request: request.method,
    "scopes": lambda _request: [],
    "path_params": lambda _request: {},
    "query_params": lambda request: dict(request.query),
    "headers": _headers,
    "authorization": lambda request: request.headers.get("authorization"),
}
