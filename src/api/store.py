"""The store over HTTP, the same that graphs get as `runtime.store`.

The project's handlers may change the namespace in the value they are asked about, and the changed one is used: so each
user gets a part of the store. Items have no metadata, so filters that handlers return have no effect here.
"""

from collections.abc import Iterable
from typing import Final

from langgraph.store.base import NOT_PROVIDED, InvalidNamespaceError, Item, SearchItem

from api.context import Call
from compact_json import compact_json
from errors import BadRequest, Unprocessable
from http_messages import HttpResponse, Reply, json_response
from wire.bodies import JsonObject
from wire.store import ItemDelete, ItemPut, ItemQuery, ItemSearch, NamespaceSearch

_DEFAULT_ITEMS: Final = 10
_DEFAULT_NAMESPACES: Final = 100


async def put(call: Call[ItemPut, None]) -> Reply:
    """Write an item."""
    value: JsonObject = {**call.body.model_dump(), "namespace": _labels(call.body.namespace)}
    await call.authorize("store.put", value)
    ttl = value["ttl"] if "ttl" in call.body.model_fields_set else NOT_PROVIDED
    try:
        await call.services.store.aput(
            tuple(value["namespace"]), value["key"], value["value"], index=value["index"], ttl=ttl
        )
    except InvalidNamespaceError as error:
        raise BadRequest(str(error)) from error
    return HttpResponse(204)


async def get(call: Call[None, ItemQuery]) -> Reply:
    """Read an item."""
    value: JsonObject = {**call.query.model_dump(), "namespace": _labels(call.query.namespace.split("."))}
    if not call.query.key:
        raise BadRequest("Key is required")
    await call.authorize("store.get", value)
    item = await call.services.store.aget(tuple(value["namespace"]), value["key"], refresh_ttl=value["refresh_ttl"])
    return json_response(compact_json(item and _item_object(item)))


async def delete(call: Call[ItemDelete, None]) -> Reply:
    """Delete an item, if there is one."""
    value: JsonObject = {**call.body.model_dump(), "namespace": _labels(call.body.namespace)}
    await call.authorize("store.delete", value)
    await call.services.store.adelete(tuple(value["namespace"]), value["key"])
    return HttpResponse(204)


async def search(call: Call[ItemSearch, None]) -> Reply:
    """A page of items."""
    body = call.body
    value: JsonObject = {
        "namespace": _labels(body.namespace_prefix),
        "filter": body.filter,
        "limit": body.limit or _DEFAULT_ITEMS,
        "offset": body.offset or 0,
        "query": body.query,
        "refresh_ttl": body.refresh_ttl,
    }
    await call.authorize("store.search", value)
    prefix = tuple(value.pop("namespace"))
    items = await call.services.store.asearch(prefix, **value)
    return json_response(compact_json({"items": [_found_object(item) for item in items]}))


async def list_namespaces(call: Call[NamespaceSearch, None]) -> Reply:
    """A page of namespaces."""
    body = call.body
    value: JsonObject = {
        "namespace": body.prefix and _labels(body.prefix),
        "suffix": body.suffix and _labels(body.suffix),
        "max_depth": body.max_depth,
        "limit": body.limit or _DEFAULT_NAMESPACES,
        "offset": body.offset or 0,
    }
    await call.authorize("store.list_namespaces", value)
    found = await call.services.store.alist_namespaces(prefix=value.pop("namespace"), **value)
    return json_response(compact_json({"namespaces": found}))


def _labels(given: Iterable[str] | None) -> tuple[str, ...]:
    labels = tuple(given or ())
    for label in labels:
        if not label or "." in label:
            raise Unprocessable(f"Namespace label {label[:100]!r} must be a non-empty string without periods")
    return labels


def _item_object(item: Item) -> JsonObject:
    return {
        "namespace": item.namespace,
        "key": item.key,
        "value": item.value,
        "created_at": item.created_at.isoformat(timespec="microseconds"),
        "updated_at": item.updated_at.isoformat(timespec="microseconds"),
    }


def _found_object(item: SearchItem) -> JsonObject:
    return _item_object(item) | {"score": item.score}
