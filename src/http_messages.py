"""Requests and responses as values: what `entry.py` unwraps from JavaScript and wraps again."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, TypeAlias

JSON_HEADERS: Final[Mapping[str, str]] = MappingProxyType({"content-type": "application/json"})

#: The headers of every event stream; `location` and `content-location` come on top.
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


def announced_bytes(headers: Mapping[str, str]) -> int:
    """How long a body is, as its `content-length` says; 0 for one that says nothing or nonsense."""
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
    """The platform's own response object, to hand on untouched."""

    foreign: object


Reply: TypeAlias = HttpResponse | Passthrough


def json_response(text: str, status: int = 200, headers: Mapping[str, str] = MappingProxyType({})) -> HttpResponse:
    """A response whose body is JSON that was already encoded."""
    return HttpResponse(status, {**JSON_HEADERS, **headers}, text)


def cross_origin_headers(allowed_origins: str, origin: str | None) -> dict[str, str]:
    """What lets a browser's script at `origin` read a response; `allowed_origins` as in the settings.

    Without an allowed origin only `vary`, so that a cache never mixes answers up.
    """
    listed = [listed.strip() for listed in allowed_origins.split(",")]
    if "*" in listed:
        allowed = "*"
    elif origin in listed:
        allowed = origin or ""
    else:
        return {"vary": "Origin"}
    return {
        "access-control-allow-origin": allowed,
        "access-control-expose-headers": "x-pagination-total, x-pagination-next, content-location, location",
        "vary": "Origin",
    }
