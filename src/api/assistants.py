"""Assistants: graphs with a configuration and a history of versions. Each graph has a system assistant."""

import json
from dataclasses import replace
from typing import Any, Final
from uuid import UUID

from pydantic import Field

import clock
import ids
from api import paging
from api.context import Call, Services
from api.creates import Create
from api.representations import assistant_text, assistant_version_text
from compact_json import compact_json
from errors import BadRequest, Conflict, NotFound
from http_messages import HttpResponse, Reply, json_response
from ports import Row, Statement
from runs import creation
from runs.threads import thread_deletion
from tables import assistant_versions, assistants, thread_search
from tables.assistant_versions import AssistantVersion
from tables.assistants import Assistant
from tables.idempotency_keys import remember_made, remember_making
from wire.assistants import (
    AssistantContent,
    AssistantCount,
    AssistantCreate,
    AssistantLatest,
    AssistantPatch,
    AssistantSearch,
    AssistantVersionSearch,
)
from wire.bodies import JsonObject
from wire.json_objects import join_array
from wire.queries import Query

UNNAMED: Final = "Untitled"

#: How often a change is tried again if the assistant is changed at the same moment.
_TRIES: Final = 5

#: How many threads are deleted at a time together with an assistant.
_PAGE_THREADS: Final = 100


class DeleteQuery(Query):
    """The query of DELETE /assistants/{assistant_id}."""

    delete_threads: bool = Field(False, description="Delete the threads whose last run was of this assistant as well.")


async def _create(call: Call[AssistantCreate, None]) -> Assistant:
    """Create an assistant, or with `if_exists: do_nothing` find the one that has the id."""
    body, now = call.body, clock.now_iso()
    _check_graph(call.services, body.graph_id)
    config, context = _configuration(body, {}, {})
    assistant = Assistant(
        assistant_id=body.assistant_id or ids.random_id(),
        graph_id=body.graph_id,
        name=UNNAMED if body.name is None else body.name,
        description=body.description,
        config=compact_json(config),
        context=compact_json(context),
        metadata=compact_json(body.metadata or {}),
        version=1,
        created_at=now,
        updated_at=now,
    )
    assistant_id = assistant.assistant_id
    *_, inserted, stored = await call.services.db.batch(
        [
            ensure_system(call.services),
            *remember_making(call.key, assistant_id, ("assistants", {"assistant_id": assistant_id})),
            assistants.insert(assistant),
            assistants.select(assistant_id, call.access),
        ]
    )
    existing = assistants.first_from_rows(stored)
    if not inserted and (existing is None or body.if_exists != "do_nothing"):
        raise Conflict(f"Assistant {assistant_id} already exists")
    return existing or assistant


async def _find(call: Call[Any, None], assistant_id: str) -> Assistant | None:
    [stored] = await call.services.db.batch([assistants.select(assistant_id, call.access)])
    return assistants.first_from_rows(stored)


async def _answer(_call: Call[Any, None], assistant: Assistant) -> Reply:
    return json_response(assistant_text(assistant))


create: Final = Create(_create, _find, _answer)


async def get(call: Call[None, None]) -> Reply:
    """One assistant."""
    assistant, _ = await read(call)
    return json_response(assistant_text(assistant))


async def _update(call: Call[AssistantPatch, None]) -> Assistant:
    """Create the next version of an assistant."""
    if call.body.graph_id is not None:
        _check_graph(call.services, call.body.graph_id)
    for _ in range(_TRIES):
        current, _ = await read(call)
        place = {name: getattr(current, name) for name in ("assistant_id", "version", "updated_at")}
        remembered = remember_made(call.key, current.assistant_id, ("assistants", place))
        changed = assistants.replace(current, _patched(current, call.body))
        *_, rows = await call.services.db.batch([assistant_versions.keep(current), *remembered, changed])
        if updated := assistants.first_from_rows(rows):
            return updated
    raise _contended(call)


update: Final = Create(_update, _find, _answer)


async def set_latest(call: Call[AssistantLatest, None]) -> Reply:
    """Restore an earlier version, with all its fields."""
    assistant_id, version = call.path["assistant_id"], call.body.version
    for _ in range(_TRIES):
        current, known = await read(call, assistant_versions.select_number(assistant_id, version))
        if not known:
            raise NotFound(f"Version {version} not found for assistant {assistant_id}")
        restored = assistant_versions.restore(current, version, now=clock.now_iso())
        _, rows = await call.services.db.batch([assistant_versions.keep(current), restored])
        if assistant := assistants.first_from_rows(rows):
            return json_response(assistant_text(assistant))
    raise _contended(call)


async def versions(call: Call[AssistantVersionSearch, None]) -> Reply:
    """A page of an assistant's versions, newest first."""
    body = call.body
    page = assistant_versions.select_page(
        call.path["assistant_id"],
        body.metadata or {},
        limit=body.limit or paging.DEFAULT_LIMIT,
        offset=body.offset or 0,
    )
    _, found = await read(call, page)
    return json_response(join_array(assistant_version_text(AssistantVersion.from_row(row)) for row in found))


async def delete(call: Call[None, DeleteQuery]) -> Reply:
    """Delete an assistant with its versions; a system assistant is reset.

    Its threads are deleted first, so that a call that was cut off can be repeated. Threads with an unfinished run stay.
    """
    assistant_id = call.path["assistant_id"]
    if call.query.delete_threads:
        await read(call)
        await _delete_threads(call, assistant_id)
    _, deleted, _ = await call.services.db.batch(
        [
            ensure_system(call.services),
            assistants.delete(assistant_id, call.access),
            assistant_versions.delete_orphans(assistant_id),
        ]
    )
    if not deleted:
        raise _not_found(call)
    return HttpResponse(204)


async def _delete_threads(call: Call[None, DeleteQuery], assistant_id: str) -> None:
    services, last = call.services, ""
    while page := await thread_search.ids_of_assistant(services.db, assistant_id, after=last, limit=_PAGE_THREADS):
        access = await call.authorize("threads.delete", {"thread_ids": [UUID(thread_id) for thread_id in page]})
        await thread_deletion.delete(services.db, services.thread_objects, page, access)
        last = page[-1]


async def search(call: Call[AssistantSearch, None]) -> Reply:
    """A page of assistants."""
    body = call.body
    limit, offset = body.limit or paging.DEFAULT_LIMIT, body.offset or 0
    page = assistants.select_page(
        _wanted(call),
        sort_by=body.sort_by or "created_at",
        sort_order=body.sort_order or "desc",
        limit=limit + 1,
        offset=offset,
    )
    _, found = await call.services.db.batch([ensure_system(call.services), page])
    texts = [assistant_text(Assistant.from_row(row), body.select) for row in found[:limit]]
    return json_response(join_array(texts), headers=paging.headers(found, limit=limit, offset=offset))


async def count(call: Call[AssistantCount, None]) -> Reply:
    """How many assistants match."""
    _, [row] = await call.services.db.batch([ensure_system(call.services), assistants.select_count(_wanted(call))])
    return json_response(str(row["number"]))


async def read(call: Call[object, object], and_also: Statement | None = None) -> tuple[Assistant, list[Row]]:
    """The assistant of the path, and the rows of one more statement in the same batch.

    Raises NotFound if it is out of the caller's reach, or if its graph is no longer served.
    """
    more = [and_also] if and_also else []
    selected = assistants.select(call.path["assistant_id"], call.access)
    _, rows, *others = await call.services.db.batch([ensure_system(call.services), selected, *more])
    assistant = assistants.first_from_rows(rows)
    if assistant is None or not assistants.appears(assistant, call.services.graphs()):
        raise _not_found(call)
    return assistant, others[0] if others else []


def ensure_system(services: Services) -> Statement:
    """The statement that inserts missing system assistants; must come before everything that reads assistants."""
    now = clock.now_iso()
    return assistants.ensure(
        assistants.system(graph_id, description=description, now=now)
        for graph_id, description in services.graphs().items()
    )


def _wanted(call: Call[AssistantCount, None]) -> assistants.Search:
    body = call.body
    return assistants.Search(
        metadata=body.metadata or {},
        graph_id=body.graph_id,
        name=body.name,
        served=call.services.registry.graph_ids(),
        access=call.access,
    )


def _patched(current: Assistant, body: AssistantPatch) -> Assistant:
    config, context = _configuration(body, json.loads(current.config), json.loads(current.context))
    return replace(
        current,
        graph_id=current.graph_id if body.graph_id is None else body.graph_id,
        name=current.name if body.name is None else body.name,
        description=current.description if body.description is None else body.description,
        config=compact_json(config),
        context=compact_json(context),
        metadata=compact_json({**json.loads(current.metadata), **(body.metadata or {})}),
        updated_at=clock.now_iso(),
    )


def _configuration(
    body: AssistantContent, current_config: JsonObject, current_context: JsonObject
) -> tuple[JsonObject, JsonObject]:
    """The `config` and `context` after a change: the caller gives one of them, which the other one mirrors."""
    if body.context and body.config and body.config.configurable:
        raise BadRequest(creation.BOTH_CONTEXTS)
    config = {} if body.config is None else body.config.model_dump(exclude_none=True)
    if context := body.context or config.get("configurable"):
        return {**config, "configurable": context}, context
    if body.config is not None:
        return config, current_context
    return (current_config, current_context) if body.context is None else ({}, {})


def _check_graph(services: Services, graph_id: str) -> None:
    served = services.registry.graph_ids()
    if graph_id not in served:
        raise NotFound(f"Graph {graph_id[:100]!r} not found. Expected one of: {', '.join(served)}")


def _not_found(call: Call[object, object]) -> NotFound:
    return NotFound(f"Assistant {call.path['assistant_id']} not found")


def _contended(call: Call[object, object]) -> Conflict:
    return Conflict(f"Assistant {call.path['assistant_id']} is being changed by others; try again.")
