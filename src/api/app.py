"""From a request to a response: the one place that parses, routes, turns errors into answers and adds CORS headers."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlencode

import ids
from api import authorization
from api.context import Call, Services
from api.routes import ROUTER
from api.routing import Match, Route
from auth.principal import ANYONE
from compact_json import compact_json
from errors import (
    AccessRefused,
    MethodNotAllowed,
    NotFound,
    NotSupported,
    PayloadTooLarge,
    SuperstepError,
    Unprocessable,
)
from http_messages import (
    HttpRequest,
    HttpResponse,
    Passthrough,
    Reply,
    announced_bytes,
    cross_origin_headers,
    json_response,
)
from tables.access import NOTHING
from wire import bodies, queries
from wire.texts import storable

logger = logging.getLogger(__name__)

#: Path parameters that must be UUIDs, and what a caller reads when they are not.
_UUID_PARAMETERS: Final[Mapping[str, str]] = MappingProxyType(
    {"thread_id": "thread", "run_id": "run", "assistant_id": "assistant"}
)

_PREFLIGHT_HEADERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "access-control-allow-methods": "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT, QUERY",
        "access-control-max-age": "600",
        "access-control-allow-private-network": "true",
        "content-type": "text/plain; charset=utf-8",
    }
)


async def handle(request: HttpRequest, services: Services) -> Reply:
    """Answer any request; never raises. An opaque answer already has all its headers."""
    reply = await _answer(request, services)
    if isinstance(reply, Passthrough):
        return reply
    origin = cross_origin_headers(services.settings.cors_allow_origins, request.headers.get("origin"))
    body = "" if request.method == "HEAD" else reply.body
    return replace(reply, headers={**reply.headers, **origin}, body=body)


def misconfigured(error: ValueError) -> HttpResponse:
    """The answer to every request of a server whose variables are wrong."""
    logger.error("nothing can be served: %s", error)
    return json_response(compact_json({"detail": f"The server is not configured rightly: {error}"}), 503)


async def _answer(request: HttpRequest, services: Services) -> Reply:
    try:
        if request.method == "OPTIONS":
            return _preflight(request)
        if request.path != "/" and request.path.endswith("/") and ROUTER.knows(request.path.rstrip("/")):
            return _without_trailing_slash(request)
        return await _dispatch(request, services)
    except MethodNotAllowed as error:
        return _refusal(error, {"allow": ", ".join(error.allowed)})
    except AccessRefused as error:
        return _refusal(error, error.headers, _refused_code(error, request))
    except NotSupported as error:
        return _refusal(error)
    except SuperstepError as error:
        if error.status < 500:
            return _refusal(error)
        return _unavailable(request, error) if error.retryable else _unexpected(request, error)
    except Exception as error:  # noqa: BLE001 - the HTTP boundary: the caller gets an id, the log the rest
        return _unexpected(request, error)


async def _dispatch(request: HttpRequest, services: Services) -> Reply:
    try:
        match = ROUTER.match(request.method, request.path)
    except (NotFound, MethodNotAllowed):
        await services.gatekeeper.authenticate(request)
        raise
    route = match.route
    principal = ANYONE if route.is_public else await services.gatekeeper.authenticate(request)
    if route.handler is None:
        raise NotSupported(f"{route.summary}: {route.method} {route.path} is not served yet by Superstep.")
    _check_size(request, services.settings.max_body_bytes)
    call: Call[Any, Any] = Call(
        services=services,
        request=request,
        principal=principal,
        access=NOTHING,
        path=_path_parameters(match),
        body=bodies.parse(route.body, request.body) if route.body else None,
        query=queries.parse(route.query, request.query) if route.query else None,
    )
    if route.on is not None:
        call = await authorization.authorized(route.on, call)
    return await route.handler(call)


def _check_size(request: HttpRequest, limit: int) -> None:
    if max(announced_bytes(request.headers), len(request.body)) > limit:
        raise PayloadTooLarge(f"The request body is over the limit of {limit} bytes (setting MAX_BODY_BYTES)")


def _path_parameters(match: Match) -> Mapping[str, str]:
    return {name: _checked(match.route, name, value) for name, value in match.parameters.items()}


def _checked(route: Route, name: str, value: str) -> str:
    kind = _UUID_PARAMETERS.get(name)
    if kind is None or (name == "assistant_id" and route.takes_graph_names):
        return value
    canonical = ids.canonical(value)
    if canonical is None:
        raise Unprocessable(f"Invalid {kind} ID: must be a UUID")
    return canonical


def _preflight(request: HttpRequest) -> HttpResponse:
    """Any path may be asked about: the answer to the request itself says what is wrong with it."""
    wanted = request.headers.get("access-control-request-headers")
    allowed = {"access-control-allow-headers": wanted} if wanted else {}
    return HttpResponse(200, {**_PREFLIGHT_HEADERS, **allowed}, "OK")


def _without_trailing_slash(request: HttpRequest) -> HttpResponse:
    query = f"?{urlencode(request.query, errors='replace')}" if request.query else ""
    return HttpResponse(307, {"location": storable(request.path.rstrip("/")) + query})


def _refusal(
    error: SuperstepError, headers: Mapping[str, str] = MappingProxyType({}), status: int | None = None
) -> HttpResponse:
    return json_response(compact_json({"detail": storable(str(error))}), status or error.status, headers)


def _refused_code(error: AccessRefused, request: HttpRequest) -> int:
    """A WebSocket's handshake is refused with 403 alone, which is all that its clients tell apart."""
    return 403 if request.headers.get("upgrade", "").lower() == "websocket" else error.code


def _unavailable(request: HttpRequest, error: SuperstepError) -> HttpResponse:
    error_id = ids.random_id()
    logger.error(
        "a part of the platform failed; the caller may try again", exc_info=error, extra=_about(request, error_id)
    )
    detail = f"Temporarily unavailable, try again in a moment. Error {error_id}."
    return json_response(compact_json({"detail": detail}), 503, {"retry-after": "1"})


def _unexpected(request: HttpRequest, error: Exception) -> HttpResponse:
    error_id = ids.random_id()
    logger.error(
        "unexpected error: a bug in Superstep or in a graph's own code; nothing of the request was retried",
        exc_info=error,
        extra=_about(request, error_id),
    )
    detail = f"Internal error {error_id}. The server's log says more."
    return json_response(compact_json({"detail": detail}), 500)


def _about(request: HttpRequest, error_id: str) -> dict[str, str]:
    return {"error_id": error_id, "method": request.method, "path": request.path}
