"""Crons: schedules of runs. `api.cron_fires` creates the runs."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final
from uuid import UUID

import clock
import ids
from api import paging
from api.context import Call
from api.creates import Create
from api.representations import cron_fire_text, cron_text
from compact_json import compact_json
from errors import BadRequest, Conflict, NotFound, Unprocessable
from http_messages import HttpResponse, Reply, json_response
from ports import Statement
from runs import creation
from runs.crons.plan import NEVER
from runs.crons.schedule import last_run, next_run
from tables import assistants, cron_fires, crons, threads
from tables.crons import Cron
from tables.idempotency_keys import remember_made
from webhooks import url as webhook_url
from wire.bodies import JsonObject
from wire.crons import CronCount, CronCreate, CronFiresQuery, CronPatch, CronSearch, in_utc
from wire.json_objects import join_array

#: How often a change is tried again if the cron is changed at the same moment.
_UPDATE_TRIES: Final = 5


async def _create(call: Call[CronCreate, None]) -> Cron:
    """Create a cron. Its runs are on the thread of the path or, without one, each on a thread of its own."""
    body, now, thread_id = call.body, clock.now_iso(), call.path.get("thread_id")
    next_run_date = next_run(body.schedule, body.timezone, after=now)
    assistant_id = await _assistant_id(call, thread_id)
    cron_id = ids.time_ordered()
    cron = Cron(
        cron_id=cron_id,
        assistant_id=assistant_id,
        thread_id=thread_id,
        user_id=call.principal.identity,
        user=None if call.principal.user is None else compact_json(call.principal.user),
        schedule=body.schedule,
        timezone=body.timezone,
        end_time=body.end_time and in_utc(body.end_time),
        payload=compact_json(_payload({}, {**_given(call), "assistant_id": assistant_id}, cron_id)),
        metadata=compact_json(body.metadata or {}),
        on_run_completed=None if thread_id else body.on_run_completed or "delete",
        on_missed=body.on_missed or "latest",
        enabled=int(body.enabled is not False),
        next_run_date=next_run_date,
        created_at=now,
        updated_at=now,
    )
    remembered = remember_made(call.key, cron_id, ("crons", {"cron_id": cron_id}))
    inserted, *_ = await call.services.db.batch([crons.insert(cron), *remembered])
    if not inserted:
        raise _no_thread(str(thread_id))
    return cron


async def _find(call: Call[CronCreate, None], cron_id: str) -> Cron | None:
    return await crons.get(call.services.db, cron_id, call.access)


async def _answer(_call: Call[CronCreate, None], cron: Cron) -> Reply:
    return json_response(cron_text(cron))


create: Final = Create(_create, _find, _answer)


async def _assistant_id(call: Call[CronCreate, None], thread_id: str | None) -> str:
    """The assistant that the caller means. Raises NotFound unless it and the thread are within the caller's reach."""
    name, graphs = call.body.assistant_id, call.services.graphs()
    try:
        assistant_id, system_graph = creation.resolve_assistant(graphs, name)
    except Unprocessable:
        raise _no_assistant(name) from None
    statements = [assistants.select(assistant_id, await call.runnable_assistants(name))]
    if thread_id is not None:
        threads_access = await call.authorize("threads.read", {"thread_id": UUID(thread_id)})
        statements.append(threads.select_head(thread_id, threads_access))
    stored, *heads = await call.services.db.batch(statements)
    if not stored and system_graph is None:
        raise _no_assistant(name)
    if not all(heads):
        raise _no_thread(str(thread_id))
    return assistant_id


async def get(call: Call[None, None]) -> Reply:
    """One cron."""
    cron = await crons.get(call.services.db, call.path["cron_id"], call.access)
    if cron is None:
        raise NotFound("Not Found")
    return json_response(cron_text(cron))


async def update(call: Call[CronPatch, None]) -> Reply:
    """Change a cron: `metadata` is merged, every other field is replaced."""
    db, cron_id = call.services.db, call.path["cron_id"]
    given = _given(call)
    if not given:
        raise BadRequest("Request body cannot be empty: name at least one field of the cron")
    for _ in range(_UPDATE_TRIES):
        found, [latest] = await db.batch([crons.select(cron_id, call.access), cron_fires.latest(cron_id)])
        if not found:
            raise NotFound(f"Cron '{cron_id}' not found")
        cron = Cron.from_row(found[0])
        changed = _changed(cron, given, clock.now_iso(), created_until=latest["scheduled_at"] or "")
        updated, *_ = await db.batch([crons.update(cron, changed), *_overtaken(cron, changed)])
        if updated:
            return json_response(cron_text(changed))
    raise Conflict(f"Cron '{cron_id}' is being changed by others; try again.")


def _changed(cron: Cron, given: Mapping[str, Any], now: str, *, created_until: str) -> Cron:
    columns: dict[str, Any] = {
        name: given[name] for name in ("schedule", "timezone", "on_run_completed", "on_missed") if name in given
    }
    if "enabled" in given:
        columns["enabled"] = int(given["enabled"])
    if "end_time" in given:
        columns["end_time"] = given["end_time"] and in_utc(given["end_time"])
    if "metadata" in given:
        given = {**given, "metadata": {**json.loads(cron.metadata), **given["metadata"]}}
        columns["metadata"] = compact_json(given["metadata"])
    payload = compact_json(_payload(json.loads(cron.payload), given, cron.cron_id))
    changed = replace(cron, **columns, payload=payload, updated_at=now)
    if _is_alive(cron) and _is_alive(changed) and _clock(changed) == _clock(cron):
        return changed
    # Times while it was disabled or had ended were not missed, and runs may have been created ahead.
    return replace(changed, next_run_date=next_run(changed.schedule, changed.timezone, after=max(now, created_until)))


def _is_alive(cron: Cron) -> bool:
    return cron.is_due(cron.next_run_date, before=NEVER)


def _clock(cron: Cron) -> tuple[str, str | None]:
    return cron.schedule, cron.timezone


def _overtaken(cron: Cron, changed: Cron) -> list[Statement]:
    """The record of times that were due when the cron was rescheduled."""
    now = changed.updated_at
    if changed.next_run_date == cron.next_run_date or not cron.is_due(cron.next_run_date, before=now):
        return []
    last = last_run(cron.schedule, cron.timezone, first=cron.next_run_date, until=min(now, cron.end_time or now))
    fire = cron_fires.without_run(cron, "rescheduled", until=last, now=now)
    return [cron_fires.note(fire, changed)]


async def delete(call: Call[None, None]) -> Reply:
    """Delete a cron; the runs that it created stay."""
    if not await crons.delete(call.services.db, call.path["cron_id"], call.access):
        raise NotFound("Not Found")
    return HttpResponse(204)


async def list_fires(call: Call[None, CronFiresQuery]) -> Reply:
    """A page of the outcomes of a cron's times, newest first."""
    cron_id, query = call.path["cron_id"], call.query
    found, rows = await call.services.db.batch(
        [
            crons.select(cron_id, call.access),
            cron_fires.list_of_cron(cron_id, limit=query.limit + 1, offset=query.offset),
        ]
    )
    if not found:
        raise NotFound("Not Found")
    texts = [cron_fire_text(fire) for fire in cron_fires.from_rows(rows[: query.limit])]
    return json_response(join_array(texts), headers=paging.headers(rows, limit=query.limit, offset=query.offset))


async def search(call: Call[CronSearch, None]) -> Reply:
    """A page of crons."""
    body = call.body
    limit, offset = body.limit or paging.DEFAULT_LIMIT, body.offset or 0
    found = await crons.search(
        call.services.db,
        _wanted(call),
        sort_by=body.sort_by or "created_at",
        sort_order=body.sort_order or "desc",
        limit=limit + 1,
        offset=offset,
    )
    texts = [cron_text(cron, body.select) for cron in found[:limit]]
    return json_response(join_array(texts), headers=paging.headers(found, limit=limit, offset=offset))


async def count(call: Call[CronCount, None]) -> Reply:
    """How many crons match."""
    return json_response(str(await crons.count(call.services.db, _wanted(call))))


def _wanted(call: Call[CronCount, None]) -> crons.Search:
    body = call.body
    return crons.Search(
        metadata=body.metadata or {},
        assistant_id=body.assistant_id,
        thread_id=body.thread_id,
        enabled=body.enabled,
        access=call.access,
    )


def _given(call: Call[CronPatch, None]) -> JsonObject:
    """The fields that the caller gave. A null counts as not given, except that it removes the end."""
    body = call.body
    if body.webhook is not None:
        webhook_url.check(body.webhook, call.services.config.webhooks.url)
    given = body.model_dump(exclude_unset=True)
    return {name: value for name, value in given.items() if value is not None or name == "end_time"}


def _payload(before: JsonObject, given: Mapping[str, Any], cron_id: str) -> JsonObject:
    """The request of a cron, as callers read it; it contains the cron's id, where its runs find it."""
    payload = {**before, **given}
    config = payload.get("config") or {}
    configurable = {**(config.get("configurable") or {}), "cron_id": cron_id}
    if payload.get("context") and len(configurable) > 1:
        raise BadRequest(creation.BOTH_CONTEXTS)
    return {**payload, "config": {**config, "configurable": configurable}}


def _no_assistant(name: str) -> NotFound:
    return NotFound(f"Assistant '{name[:100]}' not found")


def _no_thread(thread_id: str) -> NotFound:
    return NotFound(
        f"Thread with ID '{thread_id}' not found. "
        "Please verify the ID is correct and the thread hasn't been deleted or expired."
    )
