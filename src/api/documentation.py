"""The route table for people and programs: an OpenAPI 3.1 document and a plain page, generated from it alone."""

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import Any, Final, TypeAlias

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import JsonSchemaValue

from api.context import Call
from api.creates import Create
from api.exposure import is_disabled
from api.routing import Kind, Route
from compact_json import compact_json
from http_messages import HttpResponse, Reply, json_response
from project_config.sections import ProjectConfig
from settings import VERSION
from wire.bodies import JsonObject
from wire.idempotency import MAX_KEY_CHARS
from wire.json_rpc import JsonRpcMessage

AnyCall: TypeAlias = Call[Any, Any]

TITLE: Final = "Superstep: the LangGraph Server API on Cloudflare Workers"

_REF: Final = "#/components/schemas/{model}"
_ERROR: Final = {
    "type": "object",
    "properties": {"detail": {"type": "string", "description": "What is wrong, and what to do."}},
    "required": ["detail"],
}
_ERROR_RESPONSES: Final = {
    "400": "The request cannot be carried out.",
    "401": "Nobody knows who calls.",
    "403": "The caller may not do this.",
    "404": "What the request names does not exist.",
    "409": "The state of the thread forbids it just now, or the id is taken.",
    "413": "The body is too long.",
    "422": "The request has the wrong shape.",
    "503": "A part of the platform is unavailable for a moment.",
}
#: Everything else is JSON.
_MEDIA_TYPES: Final[dict[Kind, str]] = {
    "html": "text/html",
    "script": "text/javascript",
    "events": "text/event-stream",
}
#: What `Idempotency-Key` does.
_KEY: Final = (
    "Makes it safe to send the request again: with the same key, a retry is answered with what the first request made, "
    "and with `Idempotent-Replayed: true`. Keys live for a day, and each caller has their own."
)
_DETAIL: Final = {"application/json": {"schema": {"$ref": _REF.format(model="Error")}}}
#: The answers to what is no message, or not asked of this server, in the words of another protocol.
_NO_MESSAGE: Final = {
    "description": "This is no message.",
    "content": {
        "application/json": {"schema": {"type": "object", "anyOf": [{"required": ["error"]}, {"required": ["detail"]}]}}
    },
}
_NEVER: Final = {status: {"description": "This server never does."} for status in ("404", "405")}


def openapi(routes: Iterable[Route], config: ProjectConfig, mount_prefix: str) -> Reply:
    """The OpenAPI document of all operations that are not disabled, with what the project says about authentication."""
    schemas: dict[str, JsonSchemaValue] = {"Error": _ERROR}
    paths: dict[str, JsonObject] = {}
    for route in routes:
        if not is_disabled(route, config.http):
            paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, schemas)
    security = config.auth.openapi
    for path, methods in security.paths.items():
        for method, wanted in methods.items():
            if operation := paths.get(path, {}).get(method.lower()):
                operation["security"] = wanted
    return json_response(
        compact_json(
            {
                "openapi": "3.1.0",
                "info": {"title": TITLE, "version": VERSION},
                **({"servers": [{"url": mount_prefix}]} if mount_prefix else {}),
                **({"security": security.security} if security.security else {}),
                "paths": paths,
                "components": {
                    "schemas": schemas,
                    **({"securitySchemes": security.securitySchemes} if security.securitySchemes else {}),
                },
            }
        )
    )


def _operation(route: Route, schemas: dict[str, JsonSchemaValue]) -> JsonObject:
    operation: JsonObject = {
        "summary": route.summary,
        "operationId": _operation_id(route),
        "tags": [route.path.split("/")[1] or "system"],
        "parameters": [*_path_parameters(route), *_query_parameters(route), *_header_parameters(route)],
        "responses": _responses(route, schemas),
    }
    if body := route.body or route.reads:
        content = {"application/json": {"schema": _schema(body, "validation", schemas)}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _operation_id(route: Route) -> str:
    words = route.path.replace("{", "").replace("}", "").replace(".", "_").split("/")
    return "_".join([route.method.lower(), *(word for word in words if word)])


def _path_parameters(route: Route) -> Iterator[JsonObject]:
    for segment in route.path.split("/"):
        if segment.startswith("{"):
            name = segment[1:-1]
            schema = {"type": "string", "format": "uuid"} if route.identifies(name) else {"type": "string"}
            yield {"name": name, "in": "path", "required": True, "schema": schema}


def _query_parameters(route: Route) -> Iterator[JsonObject]:
    if route.query:
        for name, schema in route.query.model_json_schema()["properties"].items():
            yield {"name": name, "in": "query", "required": False, "schema": schema}


def _header_parameters(route: Route) -> Iterator[JsonObject]:
    if isinstance(route.handler, Create) or route.reads is JsonRpcMessage:
        schema = {"type": "string", "minLength": 1, "maxLength": MAX_KEY_CHARS}
        yield {"name": "Idempotency-Key", "in": "header", "required": False, "schema": schema, "description": _KEY}


def _responses(route: Route, schemas: dict[str, JsonSchemaValue]) -> JsonObject:
    refusal = {"400": _NO_MESSAGE} if route.reads else {}
    return {**_successes(route, schemas), **_errors(route), **refusal}


def _successes(route: Route, schemas: dict[str, JsonSchemaValue]) -> JsonObject:
    match route.answers:
        case "empty":
            return {"204": {"description": "Done."}}
        case "never":
            return _NEVER
        case "created":
            partly = {"description": "Created, but not as wanted: the detail tells why.", "content": _DETAIL}
            return {"200": _success(route, schemas), "201": partly}
        case "accepted":
            accepted = {**_success(route, schemas), "description": "Accepted."}
            return {"202": accepted, "200": accepted}
        case "stopping":
            return {"202": {"description": "Will stop."}, "200": _success(route, schemas)}
        case "json_rpc" | "json_rpc_or_events":
            nothing = {"description": "There is nothing to answer."}
            return {"200": _success(route, schemas), "202": nothing}
        case _ if route.method == "PATCH":
            minimal = {"description": "Done, with `Prefer: return=minimal`."}
            return {"200": _success(route, schemas), "204": minimal}
        case _:
            return {"200": _success(route, schemas)}


def _success(route: Route, schemas: dict[str, JsonSchemaValue]) -> JsonObject:
    schema = _schema(route.returns, "serialization", schemas) if route.returns is not None else {}
    if _selects(route):
        schema = {**schema, "items": _selection(schema["items"]["$ref"], schemas)}
    content = {_MEDIA_TYPES.get(route.answers, "application/json"): {"schema": schema}}
    if route.answers == "json_rpc_or_events":
        content["text/event-stream"] = {"schema": {"type": "string"}}
    if route.answers == "text_or_json":
        content["text/plain"] = {"schema": {"type": "string"}}
    if route.answers == "json_or_html":
        content["text/html"] = {"schema": {"type": "string"}}
    return {"description": "Success.", "content": content}


def _errors(route: Route) -> JsonObject:
    # A caller that asks for a page also gets its errors as plain text.
    content = {**_DETAIL, "text/plain": {"schema": {"type": "string"}}} if route.answers == "html" else _DETAIL
    return {
        status: {"description": description, "content": content}
        for status, description in _ERROR_RESPONSES.items()
        if route.body or route.query or "{" in route.path or status == "503"
    }


def _schema(kind: Any, mode: Any, schemas: dict[str, JsonSchemaValue]) -> JsonSchemaValue:
    """The schema of a type; the schemas of the models in it are added to `schemas`."""
    schema = TypeAdapter(kind).json_schema(mode=mode, ref_template=_REF)
    schemas.update(schema.pop("$defs", {}))
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        schemas[kind.__name__] = schema
        return {"$ref": _REF.format(model=kind.__name__)}
    return schema


def _selects(route: Route) -> bool:
    return any("select" in model.model_fields for model in (route.body, route.query) if model)


def _selection(reference: str, schemas: dict[str, JsonSchemaValue]) -> JsonSchemaValue:
    """A model of which callers may select columns, so that each may be missing."""
    name = reference.rsplit("/", 1)[1]
    schemas[f"{name}Selection"] = {**schemas[name], "required": []}
    return {"$ref": _REF.format(model=f"{name}Selection")}


def page(routes: Sequence[Route]) -> Reply:
    """A page that lists all operations."""
    rows = "".join(
        f"<tr><td><code>{route.method} {escape(route.path)}</code><td>{escape(route.summary)}</tr>" for route in routes
    )
    html = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{TITLE}</title><h1>{TITLE}</h1>'
        f'<p>For programs: <a href="openapi.json">openapi.json</a></p><table>{rows}</table></html>'
    )
    return HttpResponse(200, {"content-type": "text/html; charset=utf-8"}, html)
