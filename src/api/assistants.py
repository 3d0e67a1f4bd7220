"""Assistants: so far those that every graph has by itself."""

import clock
from api import paging
from api.context import Call, Services
from api.representations import assistant_text
from errors import NotFound
from http_messages import Reply, json_response
from tables import assistants
from wire.assistants import AssistantCount, AssistantSearch
from wire.json_objects import join_array


async def search(call: Call[AssistantSearch, None]) -> Reply:
    """A page of assistants."""
    body = call.body
    limit, offset = body.limit or paging.DEFAULT_LIMIT, body.offset or 0
    found = await assistants.search(
        call.services.db,
        _wanted(call),
        ensured=_system_assistants(call.services),
        sort_by=body.sort_by or "created_at",
        sort_order=body.sort_order or "desc",
        limit=limit + 1,
        offset=offset,
    )
    texts = [assistant_text(assistant, body.select) for assistant in found[:limit]]
    return json_response(join_array(texts), headers=paging.headers(found, limit=limit, offset=offset))


async def count(call: Call[AssistantCount, None]) -> Reply:
    """How many assistants match."""
    ensured = _system_assistants(call.services)
    return json_response(str(await assistants.count(call.services.db, _wanted(call), ensured=ensured)))


async def get(call: Call[None, None]) -> Reply:
    """One assistant."""
    ensure = assistants.ensure(_system_assistants(call.services))
    _, rows = await call.services.db.batch([ensure, assistants.select(call.path["assistant_id"], call.access)])
    assistant = assistants.first_from_rows(rows)
    if assistant is None:
        raise NotFound("Not Found")
    return json_response(assistant_text(assistant))


def _wanted(call: Call[AssistantCount, None]) -> assistants.Search:
    body = call.body
    return assistants.Search(metadata=body.metadata or {}, graph_id=body.graph_id, name=body.name, access=call.access)


def _system_assistants(services: Services) -> list[assistants.Assistant]:
    now = clock.now_iso()
    return [
        assistants.system(graph_id, description=description, now=now)
        for graph_id, description in services.graphs().items()
    ]
