"""Finds the route for a method and a path, in a tree of path segments built once from the table in `routes.py`.

A literal segment wins over a parameter at the same place, in whatever order the table lists them.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, Literal, TypeAlias
from urllib.parse import unquote

from pydantic import BaseModel

from api.context import Call
from auth.gatekeeper import Event
from errors import MethodNotAllowed, NotFound
from http_messages import Reply
from wire.texts import storable

Handler: TypeAlias = Callable[[Call[Any, Any]], Awaitable[Reply]]
#: How a success looks. `created`: JSON, or 201 with a `detail` of what else could not be done; `accepted`: JSON with
#: 202 or 200; `stopping`: 202 or, once the run has stopped, `{}`; `never`: there is none; `events` and `long_poll`: the
#: answer of a thread's object.
Kind: TypeAlias = Literal[
    "json",
    "created",
    "accepted",
    "stopping",
    "empty",
    "html",
    "script",
    "text_or_json",
    "json_or_html",
    "json_rpc",
    "json_rpc_or_events",
    "never",
    "events",
    "long_poll",
]

#: Path parameters that must be UUIDs, and the kind of id that error messages name.
_UUID_PARAMETERS: Final[Mapping[str, str]] = MappingProxyType(
    {"thread_id": "thread", "run_id": "run", "assistant_id": "assistant", "cron_id": "cron"}
)


@dataclass(frozen=True, slots=True)
class Route:
    """One operation."""

    method: str
    #: The path; segments in braces are parameters.
    path: str
    #: What the operation does: "Create a thread".
    summary: str
    handler: Handler
    body: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    #: The body of a handler that parses it itself, because its refusals have the form of another protocol.
    reads: type[BaseModel] | None = None
    #: The permission that the caller needs. None if everybody may call, or if the handler asks for permission itself.
    on: Event | None = None
    #: Whether the operation is answered without authentication.
    is_public: bool = False
    #: Whether `assistant_id` may be any text, such as a graph's name, which the handler resolves.
    takes_graph_names: bool = False
    #: The type of a success: a model, or a Python type over models.
    returns: Any = None
    answers: Kind = "json"

    def identifies(self, parameter: str) -> str | None:
        """The kind of id that a path parameter is, such as "thread"; None if it may be any text."""
        return None if parameter == "assistant_id" and self.takes_graph_names else _UUID_PARAMETERS.get(parameter)


@dataclass(frozen=True, slots=True)
class Match:
    """A route and the decoded values of its parameters."""

    route: Route
    parameters: Mapping[str, str]


@dataclass(slots=True)
class _Node:
    literals: dict[str, "_Node"] = field(default_factory=dict[str, "_Node"])
    parameter: "_Node | None" = None
    routes: dict[str, Route] = field(default_factory=dict[str, Route])


class Router:
    """All routes; immutable once built."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._root = _Node()
        for route in routes:
            self._add(route)

    def _add(self, route: Route) -> None:
        node = self._root
        for segment in _segments(route.path):
            if _is_parameter(segment):
                node.parameter = node.parameter or _Node()
                node = node.parameter
            else:
                node = node.literals.setdefault(segment, _Node())
        if route.method in node.routes:
            raise ValueError(f"{route.method} {route.path} is listed twice")
        node.routes[route.method] = route

    def match(self, method: str, path: str) -> Match:
        """The route for a request; `path` is percent-encoded. Raises NotFound or MethodNotAllowed.

        HEAD takes the route of GET, except if that answers with a stream: opening a stream only to drop it has effects.
        """
        found = _find(self._root, [_decoded(segment) for segment in _segments(path)], ())
        if found is None:
            raise NotFound("Not Found")
        node, values = found
        route = node.routes.get(method) or (node.routes.get("GET") if method == "HEAD" else None)
        if route is None or (method == "HEAD" and route.answers in ("events", "long_poll")):
            raise MethodNotAllowed(tuple(sorted(node.routes)))
        names = [segment[1:-1] for segment in _segments(route.path) if _is_parameter(segment)]
        return Match(route, dict(zip(names, values, strict=True)))

    def knows(self, path: str) -> bool:
        """Whether any method has a route at `path`."""
        return _find(self._root, [_decoded(segment) for segment in _segments(path)], ()) is not None


def _segments(path: str) -> list[str]:
    return path.removeprefix("/").split("/")


def _is_parameter(segment: str) -> bool:
    return segment.startswith("{")


def _decoded(segment: str) -> str:
    return storable(unquote(segment, errors="replace"))


def _find(node: _Node, segments: Sequence[str], values: tuple[str, ...]) -> tuple[_Node, tuple[str, ...]] | None:
    if not segments:
        return (node, values) if node.routes else None
    first, rest = segments[0], segments[1:]
    literal = node.literals.get(first)
    found = _find(literal, rest, values) if literal else None
    if found is None and node.parameter and first:
        found = _find(node.parameter, rest, (*values, first))
    return found
