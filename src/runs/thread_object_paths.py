"""The paths by which the Worker asks a thread's object for streams and results; built and parsed here only."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal, TypeAlias, cast
from urllib.parse import parse_qs, urlencode, urlsplit

from http_messages import EVENT_STREAM_HEADERS, JSON_HEADERS, cross_origin_headers

Kind: TypeAlias = Literal["stream", "wait", "cancel", "delete"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """What a caller wants of a run."""

    run_id: str
    #: `stream`: the events; `wait`: the final values; `cancel` and `delete`: that the run, asked to stop, has ended.
    kind: Kind
    #: The caller comes to a run that exists; otherwise it is the one that created it and gets every event.
    joins: bool = False
    #: Only these stream modes; empty means all.
    stream_modes: tuple[str, ...] = ()
    #: The `Last-Event-ID` header as it was sent.
    last_event_id: str | None = None
    cancel_on_disconnect: bool = False
    #: The headers of the response that depend on how the run was asked for.
    location: str
    content_location: str
    #: The caller's `Origin`, and the origins that may read the response.
    origin: str | None = field(default=None)
    allowed_origins: str = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowRequest:
    """What a caller wants of a whole thread."""

    #: `stream`: the thread stream; `events`: the thread streaming protocol; `socket`: the same as a WebSocket.
    kind: Literal["stream", "events", "socket"]
    #: JSON of what the kind needs to know.
    options: str = "{}"
    #: Nothing of the thread may be shown to the caller: it is unknown, or somebody else's.
    is_hidden: bool = False
    origin: str | None = None
    allowed_origins: str = "*"


_FLAGS: Final = ("joins", "cancel_on_disconnect")
_TEXTS: Final = ("last_event_id", "location", "content_location", "origin", "allowed_origins")


def build(request: RunRequest | FollowRequest) -> str:
    """The path for `ports.ThreadObjects.open`."""
    if isinstance(request, FollowRequest):
        given = {name: value for name, value in asdict(request).items() if name != "kind" and value is not None}
        return f"/{request.kind}?{urlencode({**given, 'is_hidden': int(request.is_hidden)}, errors='replace')}"
    query: list[tuple[str, str]] = [("stream_mode", mode) for mode in request.stream_modes]
    query += [(name, "1") for name in _FLAGS if getattr(request, name)]
    query += [(name, getattr(request, name)) for name in _TEXTS if getattr(request, name) is not None]
    return f"/runs/{request.run_id}/{request.kind}?{urlencode(query, errors='replace')}"


def parse(path: str) -> RunRequest | FollowRequest:
    """The inverse of `build`; also takes a whole URL."""
    url = urlsplit(path)
    query = parse_qs(url.query, keep_blank_values=True)
    if url.path in ("/stream", "/events", "/socket"):
        return FollowRequest(
            kind=cast(Any, url.path[1:]),
            options=query["options"][0],
            is_hidden=query["is_hidden"] == ["1"],
            origin=_first(query.get("origin")),
            allowed_origins=query["allowed_origins"][0],
        )
    _, _, run_id, kind = url.path.split("/")
    return RunRequest(
        run_id=run_id,
        kind=cast(Kind, kind),
        joins="joins" in query,
        stream_modes=tuple(query.get("stream_mode", ())),
        last_event_id=_first(query.get("last_event_id")),
        cancel_on_disconnect="cancel_on_disconnect" in query,
        location=query["location"][0],
        content_location=query["content_location"][0],
        origin=_first(query.get("origin")),
        allowed_origins=query["allowed_origins"][0],
    )


def _first(values: Sequence[str] | None) -> str | None:
    return values[0] if values else None


def cross_origin(request: RunRequest | FollowRequest) -> dict[str, str]:
    """What lets the caller's page read the answer."""
    return cross_origin_headers(request.allowed_origins, request.origin)


def response_headers(request: RunRequest | FollowRequest) -> dict[str, str]:
    """All headers of the object's answer: the Worker hands it on untouched."""
    if isinstance(request, FollowRequest):
        return {**EVENT_STREAM_HEADERS, **cross_origin_headers(request.allowed_origins, request.origin)}
    return {
        **(EVENT_STREAM_HEADERS if request.kind == "stream" else JSON_HEADERS),
        **cross_origin(request),
        "location": request.location,
        "content-location": request.content_location,
    }
