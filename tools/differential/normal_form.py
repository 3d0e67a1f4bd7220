"""The form in which two recordings of one script must be equal: without what differs between any two executions.

An id becomes the name of the place where it was first seen and a number, so that `<thread_id 1>` in a path, a header
and a body is one thread. Times become `<time>`; a time of whole seconds is a schedule's and stays. Of a refusal's
wording only its presence counts.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID, uuid5

from tools import operations
from tools.differential.recording import Exchange

#: Answered headers that clients act on.
HEADERS: Final = (
    "allow",
    "cache-control",
    "content-location",
    "content-type",
    "location",
    "x-accel-buffering",
    "x-pagination-next",
    "x-pagination-total",
)
#: Under these keys is what the host is, not what it did.
HOST_KEYS: Final = frozenset(
    {
        "langgraph_api_url",
        "langgraph_api_version",
        "langgraph_host",
        "langgraph_plan",
        "langgraph_version",
        "langgraph_py_version",
        "host",
    }
)
#: Assistants of graphs have ids in this namespace, everywhere the same.
ASSISTANTS: Final = UUID("6ba7b821-9dad-11d1-80b4-00c04fd430c8")

_UUID: Final = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_ID: Final = re.compile(rf"{_UUID}|\b[0-9a-f]{{32}}\b")
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00")
_EVENT_ID: Final = re.compile(r"\b\d{13}-\d+\b")
_MILLISECONDS: Final = range(1_700_000_000_000, 3_000_000_000_000)


@dataclass(frozen=True, slots=True)
class NormalExchange:
    """What is compared of one exchange; what was sent is there to be looked at."""

    #: Method and path template.
    operation: str
    request: str
    sent: str
    status: int
    headers: Mapping[str, str]
    body: Any


class NormalForm:
    """Of one recording: the names that its ids have got so far."""

    def __init__(self, url: str, graph_ids: Iterable[str]) -> None:
        self._url = url
        self._names = {str(uuid5(ASSISTANTS, graph_id)): f"<assistant of {graph_id}>" for graph_id in graph_ids}
        self._counts = Counter[str]()

    def exchange(self, exchange: Exchange) -> NormalExchange:
        """What is compared of an exchange; exchanges must come in their order."""
        request = f"{exchange.method} {self._text(exchange.path, 'id')}"
        body = _wordless(self._value(exchange.body, "body"), exchange)
        headers = {name: self._text(exchange.headers[name], name) for name in HEADERS if name in exchange.headers}
        operation = operations.asked_for(exchange.method, exchange.path)
        return NormalExchange(operation, request, exchange.sent, exchange.status, headers, body)

    def _value(self, value: Any, key: str) -> Any:
        match value:
            case _ if key in HOST_KEYS:
                return "<host>"
            case dict():
                return self._object(value, key)
            case list():
                return [self._value(item, key) for item in value]
            case str():
                return self._text(value, key)
            case int() if value in _MILLISECONDS:
                return "<milliseconds>"
            case _:
                return value

    def _object(self, value: Mapping[str, Any], key: str) -> dict[str, Any]:
        ordered = sorted(value.items(), key=lambda item: (bool(_ID.search(item[0])), item[0]))
        return {self._text(name, key): self._value(item, name) for name, item in ordered}

    def _text(self, text: str, key: str) -> str:
        text = text.replace(self._url, "<url>")
        text = _EVENT_ID.sub("<event id>", _TIME.sub("<time>", text))
        return _ID.sub(lambda found: self._name(found[0], key), text)

    def _name(self, identity: str, key: str) -> str:
        if identity not in self._names:
            self._counts[key] += 1
            self._names[identity] = f"<{key} {self._counts[key]}>"
        return self._names[identity]


def _wordless(body: Any, exchange: Exchange) -> Any:
    """A refusal without its wording: that is each server's own."""
    match body:
        case {"detail": str(detail)} if exchange.status >= 400 and detail:
            return {**body, "detail": "<wording>"}
        case {"error": {"message": str(message), **error}, **rest} if "jsonrpc" in rest and message:
            return {**rest, "error": {**error, "message": "<wording>"}}
        case _:
            return body
