"""From a request to a response: the one place that parses, routes, maps errors to responses and adds CORS headers."""

import logging
import re
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlencode

import ids
import log_lines
import trace_context
from api import authorization, exposure
from api.context import Call, Services
from api.routes import ROUTER
from api.routing import Match, Route
from auth.principal import ANYONE
from compact_json import compact_json
from errors import AccessRefused, MethodNotAllowed, NotFound, PayloadTooLarge, SuperstepError, Unprocessable
from http_messages import (
    HttpRequest,
    HttpResponse,
    Reply,
    announced_bytes,
    chosen_headers,
    json_response,
)
from tables.access import NOTHING
from wire import bodies, queries
from wire.texts import storable

logger = logging.getLogger(__name__)

#: The header with the id by which callers find their request in the log: their own id, or one made here.
REQUEST_ID: Final = "x-request-id"
_REQUEST_ID: Final = re.compile(r"[\w.:/+=-]{1,128}", re.ASCII)


async def handle(request: HttpRequest, services: Services) -> Reply:
    """Answer any request; never raises."""
    request = _identified(request)
    request_id = request.headers[REQUEST_ID]
    trace = trace_context.of(request.headers, request_id)
    with log_lines.about(request_id=request_id, trace_id=trace.trace_id):
        reply = await _answer(request, services)
    headers = {
        **reply.headers,
        **services.cross_origin.response_headers(request.headers.get("origin")),
        REQUEST_ID: request_id,
    }
    answer = replace(reply, headers=headers)
    if isinstance(answer, HttpResponse) and request.method == "HEAD":
        return replace(answer, body="")
    return answer


def _identified(request: HttpRequest) -> HttpRequest:
    """The request with an id: the caller's own if it is fit for a log line, otherwise a new one."""
    given = request.headers.get(REQUEST_ID, "")
    request_id = given if _REQUEST_ID.fullmatch(given) else ids.random_id()
    return replace(request, headers={**request.headers, REQUEST_ID: request_id})


def misconfigured(error: ValueError) -> HttpResponse:
    """The response to every request while a variable is invalid."""
    logger.error("every request is refused until this is set right: %s", error)
    return json_response(compact_json({"detail": f"The server is misconfigured: {error}"}), 503)


async def _answer(request: HttpRequest, services: Services) -> Reply:
    try:
        if request.method == "OPTIONS":
            return services.cross_origin.preflight(request.headers)
        prefix = services.mount_prefix
        inner = _below(prefix, request)
        if inner.path != "/" and inner.path.endswith("/") and ROUTER.knows(inner.path.rstrip("/")):
            return _without_trailing_slash(prefix, inner)
        return await _dispatch(inner, services)
    except MethodNotAllowed as error:
        return _refusal(error, {"allow": ", ".join(error.allowed)})
    except AccessRefused as error:
        return _refusal(error, error.headers, _refused_code(error, request))
    except SuperstepError as error:
        if error.status < 500:
            return _refusal(error)
        return _unavailable(request, services, error) if error.retryable else _unexpected(request, services, error)
    except Exception as error:  # noqa: BLE001 - the HTTP boundary: the caller gets an id, the log the rest
        return _unexpected(request, services, error)


async def _dispatch(request: HttpRequest, services: Services) -> Reply:
    try:
        match = ROUTER.match(request.method, request.path)
    except (NotFound, MethodNotAllowed):
        await services.gatekeeper.authenticate(request)
        raise
    route = match.route
    is_public = exposure.is_public(route, services.config.http)
    principal = ANYONE if is_public else await services.gatekeeper.authenticate(request)
    if exposure.is_disabled(route, services.config.http):
        raise NotFound("Not Found")
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
    reply = await route.handler(call)
    return replace(reply, headers={**reply.headers, **call.reply_headers})


def _check_size(request: HttpRequest, limit: int) -> None:
    if max(announced_bytes(request.headers), len(request.body)) > limit:
        raise PayloadTooLarge(f"The request body is over the limit of {limit} bytes (setting MAX_BODY_BYTES)")


def _path_parameters(match: Match) -> Mapping[str, str]:
    return {name: _checked(match.route, name, value) for name, value in match.parameters.items()}


def _checked(route: Route, name: str, value: str) -> str:
    kind = route.identifies(name)
    if kind is None:
        return value
    canonical = ids.canonical(value)
    if canonical is None:
        raise Unprocessable(f"Invalid {kind} ID: must be a UUID")
    return canonical


def _below(prefix: str, request: HttpRequest) -> HttpRequest:
    """The request without the mount prefix, which health checks may omit."""
    if not prefix or request.path in ("/", "/ok"):
        return request
    path = request.path.removeprefix(prefix)
    if path == request.path or not path.startswith("/"):
        raise NotFound("Not Found")
    return replace(request, path=path)


def _without_trailing_slash(prefix: str, request: HttpRequest) -> HttpResponse:
    query = f"?{urlencode(request.query, errors='replace')}" if request.query else ""
    return HttpResponse(307, {"location": prefix + storable(request.path.rstrip("/")) + query})


def _refusal(
    error: SuperstepError, headers: Mapping[str, str] = MappingProxyType({}), status: int | None = None
) -> HttpResponse:
    return json_response(compact_json({"detail": storable(str(error))}), status or error.status, headers)


def _refused_code(error: AccessRefused, request: HttpRequest) -> int:
    """The status of a refusal.

    A WebSocket handshake gets 403 in any case, the only status that its clients understand.
    """
    return 403 if request.headers.get("upgrade", "").lower() == "websocket" else error.code


def _unavailable(request: HttpRequest, services: Services, error: SuperstepError) -> HttpResponse:
    said = "a part of the platform did not answer; the caller was told to try again"
    logger.warning(said, exc_info=error, extra={"event": "unavailable"} | _about(request, services))
    detail = f"Temporarily unavailable, try again in a moment. Error {request.headers[REQUEST_ID]}."
    return json_response(compact_json({"detail": detail}), 503, {"retry-after": "1"})


def _unexpected(request: HttpRequest, services: Services, error: Exception) -> HttpResponse:
    logger.error(
        "unexpected error: a bug in Superstep or in the project's own code; nothing of the request is tried again",
        exc_info=error,
        extra={"event": "unexpected_error"} | _about(request, services),
    )
    detail = f"Internal error {request.headers[REQUEST_ID]}. The server's log says more."
    return json_response(compact_json({"detail": detail}), 500)


def _about(request: HttpRequest, services: Services) -> dict[str, Any]:
    headers = chosen_headers(request.headers, services.config.http.logging_headers)
    about = {"error_id": request.headers[REQUEST_ID], "method": request.method, "path": request.path}
    return about | ({"headers": headers} if headers else {})
