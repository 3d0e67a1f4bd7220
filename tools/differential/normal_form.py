"""The form in which exchanges are compared: without what differs between any two executions, except ids.

Times become `<time>`, except those of schedules. Of a refusal's wording, only its presence is compared.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from tools import operations
from tools.differential.recording import Exchange

#: Response headers that clients act on.
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
#: Keys whose values describe the host.
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
#: Keys whose values are times that a caller asked for.
SCHEDULE_KEYS: Final = frozenset({"next_run_date", "end_time", "schedule"})

_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3,6})?\+00:00")
_EVENT_ID: Final = re.compile(r"\b\d{13}-\d+\b")
_MILLISECONDS: Final = range(1_700_000_000_000, 3_000_000_000_000)


@dataclass(frozen=True, slots=True)
class NormalExchange:
    """The compared part of one exchange; the request is included for people."""

    #: Method and path template.
    operation: str
    request: str
    sent: str
    status: int
    headers: Mapping[str, str]
    body: Any


def normal_form(exchange: Exchange, url: str) -> NormalExchange:
    """The compared part of an exchange with the server at `url`."""
    request = f"{exchange.method} {_text(exchange.path, url)}"
    body = _wordless(_value(exchange.body, url))
    headers = {name: _text(exchange.headers[name], url) for name in HEADERS if name in exchange.headers}
    operation = operations.asked_for(exchange.method, exchange.path)
    return NormalExchange(operation, request, exchange.sent, exchange.status, headers, body)


def _value(value: Any, url: str) -> Any:
    match value:
        case dict():
            return {key: _under(key, item, url) for key, item in value.items()}
        case list():
            return [_value(item, url) for item in value]
        case str():
            return _text(value, url)
        case int() if value in _MILLISECONDS:
            return "<milliseconds>"
        case _:
            return value


def _under(key: str, value: Any, url: str) -> Any:
    if key in HOST_KEYS:
        return "<host>"
    return value if key in SCHEDULE_KEYS else _value(value, url)


def _text(text: str, url: str) -> str:
    return _EVENT_ID.sub("<event id>", _TIME.sub("<time>", text.replace(url, "<url>")))


def _wordless(body: Any) -> Any:
    """A refusal without its wording, which differs between servers."""
    match body:
        case {"detail": str(detail), **rest} if detail and not rest:
            return {"detail": "<wording>"}
        case {"error": {"message": str(message), **error}, **rest} if "jsonrpc" in rest and message:
            return {**rest, "error": {**error, "message": "<wording>"}}
        case _:
            return body
