"""Which operations a project exposes, according to the section `http` of its langgraph.json."""

from typing import Final

from api.routing import Route
from project_config.sections import HttpConfig

_META: Final = ("/openapi.json", "/info", "/metrics", "/docs")


def is_disabled(route: Route, http: HttpConfig) -> bool:
    """Whether the project has disabled the operation, which then does not exist for callers."""
    match route.path.split("/")[1:]:
        case ["assistants", *_]:
            return http.disable_assistants
        case ["runs", *_] | ["threads", _, "runs", *_]:
            return http.disable_runs
        case ["threads", *_]:
            return http.disable_threads
        case ["store", *_]:
            return http.disable_store
        case ["mcp"]:
            return http.disable_mcp
        case ["a2a", *_] | [".well-known", *_]:
            return http.disable_a2a
        case ["ui", *_]:
            return http.disable_ui
        case _:
            return http.disable_meta and route.path in _META


def is_public(route: Route, http: HttpConfig) -> bool:
    """Whether the operation is answered without authentication."""
    return route.is_public and not (http.enable_custom_route_auth and route.path == "/info")
