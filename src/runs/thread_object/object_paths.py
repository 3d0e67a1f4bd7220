"""The paths by which the Worker requests streams and results from a thread's object; built and parsed only here."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal, TypeAlias, cast
from urllib.parse import parse_qs, urlencode, urlsplit

from http_messages import EVENT_STREAM_HEADERS, JSON_HEADERS

Kind: TypeAlias = Literal["stream", "wait", "cancel", "delete"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """A caller's request about a run."""

    run_id: str
    #: `stream`: the events. `wait`: the final values. `cancel` and `delete`: wait until the run, which was asked to
    #: stop, has ended.
    kind: Kind
    #: Whether the caller joins an existing run; otherwise it has just created the run and gets every event.
    joins: bool = False
    #: Only these stream modes; empty means all.
    stream_modes: tuple[str, ...] = ()
    #: The `Last-Event-ID` header as it was sent.
    last_event_id: str | None = None
    cancel_on_disconnect: bool = False
    #: These two headers of the response depend on the original request.
    location: str
    content_location: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowRequest:
    """A caller's request about a whole thread."""

    #: `stream`: the thread stream; `events`: the thread streaming protocol; `socket`: the same as a WebSocket.
    kind: Literal["stream", "events", "socket"]
    #: Parameters of the kind, as JSON.
    options: str = "{}"
    #: Whether nothing of the thread may be shown to the caller, because it does not exist or belongs to somebody else.
    is_hidden: bool = False


_FLAGS: Final = ("joins", "cancel_on_disconnect")
_TEXTS: Final = ("last_event_id", "location", "content_location")


def build(request: RunRequest | FollowRequest) -> str:
    """The path for `ports.ThreadObjects.open`."""
    if isinstance(request, FollowRequest):
        given = {name: value for name, value in asdict(request).items() if name != "kind" and value is not None}
        return f"/{request.kind}?{urlencode({**given, 'is_hidden': int(request.is_hidden)}, errors='replace')}"
    query: list[tuple[str, str]] = [("stream_mode", mode) for mode in request.stream_modes]
    query += [(name, "1") for name in _FLAGS if getattr(request, name)]
    query += [(name, getattr(request, name)) for name in _TEXTS if getattr(request, name) is not None]
    query += [("allowed_origins", "")]  # objects that still run the previous release require it
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
    )


def _first(values: Sequence[str] | None) -> str | None:
    return values[0] if values else None


def response_headers(request: RunRequest | FollowRequest) -> dict[str, str]:
    """The headers of the object's response; the Worker adds those of every response."""
    if isinstance(request, FollowRequest):
        return {**EVENT_STREAM_HEADERS}
    return {
        **(EVENT_STREAM_HEADERS if request.kind == "stream" else JSON_HEADERS),
        "location": request.location,
        "content-location": request.content_location,
    }
