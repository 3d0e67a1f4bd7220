"""Requests and responses as values; `bindings/http.py` converts them from and to JavaScript."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import Final, TypeAlias

from project_config.sections import HeaderPatterns

JSON_HEADERS: Final[Mapping[str, str]] = MappingProxyType({"content-type": "application/json"})

#: The headers of every event stream; `location` and `content-location` are added to them.
EVENT_STREAM_HEADERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "content-type": "text/event-stream; charset=utf-8",
        "cache-control": "no-store",
        "connection": "keep-alive",
        "x-accel-buffering": "no",
    }
)


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request with its whole body; header names are in lower case, `path` is still percent-encoded."""

    method: str
    path: str
    query: list[tuple[str, str]]
    headers: Mapping[str, str]
    body: bytes | str = b""
    #: The scheme and host under which the caller reached the server: `https://agents.example`.
    origin: str = ""


def announced_bytes(headers: Mapping[str, str]) -> int:
    """The length of the body by its `content-length`; 0 if that is missing or not a number."""
    length = headers.get("content-length", "")
    return int(length) if length.isascii() and length.isdigit() and len(length) < 20 else 0


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """A response with its whole body as text."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: str = ""


@dataclass(frozen=True, slots=True)
class Passthrough:
    """A response object of the platform, to pass on with these additional headers."""

    foreign: object
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Streamed:
    """A 200 whose body comes part by part."""

    headers: Mapping[str, str]
    parts: AsyncGenerator[str]


Reply: TypeAlias = HttpResponse | Passthrough | Streamed


def json_response(text: str, status: int = 200, headers: Mapping[str, str] = MappingProxyType({})) -> HttpResponse:
    """A response with a body that is JSON text already."""
    return HttpResponse(status, {**JSON_HEADERS, **headers}, text)


#: Headers with credentials: only their exact names select them, not patterns.
_SECRET_HEADERS: Final = frozenset(
    {"authorization", "cookie", "x-api-key", "x-tenant-id", "x-service-key", "x-auth-scheme"}
)


def chosen_headers(headers: Mapping[str, str], patterns: HeaderPatterns) -> dict[str, str]:
    """The headers that these patterns of the project select."""
    return {name: value for name, value in headers.items() if _is_chosen(name, patterns)}


def _is_chosen(name: str, patterns: HeaderPatterns) -> bool:
    if "_" in name:  # such as `checkpoint_id`, which would mean something to a graph's config
        return False
    includes = [pattern.lower() for pattern in patterns.includes]
    if any(fnmatchcase(name, pattern.lower()) for pattern in patterns.excludes):
        return False
    return name in includes or (name not in _SECRET_HEADERS and any(fnmatchcase(name, pattern) for pattern in includes))
