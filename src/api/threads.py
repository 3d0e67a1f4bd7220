"""Threads: the conversations that runs belong to."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import clock
import ids
from api import paging
from api.context import Call
from api.creates import Create
from api.representations import thread_text
from compact_json import compact_json
from errors import Conflict, NotFound, SuperstepError, Unprocessable
from http_messages import HttpResponse, Reply, json_response
from ports import Row, Statement
from runs.execution import graph_input
from runs.threads import state_update, thread_deletion, thread_pruning
from tables import idempotency_keys, runs, thread_copy, thread_search, thread_storage, threads
from tables.access import EVERYTHING
from tables.threads import Thread, Ttl
from wire.bodies import JsonObject
from wire.extract_paths import ExtractPath
from wire.json_objects import join_array
from wire.state_updates import Superstep, SuperstepUpdate
from wire.threads import ThreadCount, ThreadCreate, ThreadPatch, ThreadPrune, ThreadQuery, ThreadSearch, ThreadTtl

#: How often a change of metadata is tried again if it is changed at the same moment.
_MERGE_TRIES: Final = 5


def thread_not_found(thread_id: str) -> NotFound:
    """The error of every route whose thread does not exist."""
    return NotFound(f"Thread with ID {thread_id} not found")


@dataclass(frozen=True, slots=True, kw_only=True)
class Created:
    """A thread, and the part of the request that could not be carried out."""

    thread: Thread
    problem: str | None = None


async def _create(call: Call[ThreadCreate, None]) -> Created:
    """Create a thread, or with `if_exists: do_nothing` find the one that has the id."""
    body, db = call.body, call.services.db
    thread = threads.new(
        body.thread_id or ids.time_ordered(),
        metadata=compact_json(body.metadata or {}),
        config="{}",
        now=clock.now_iso(),
        ttl=_ttl(body.ttl) or call.services.default_ttl(),
    )
    if body.supersteps:
        return await _create_with_state(call, thread, body.supersteps)
    new = [*_remembered(call, thread.thread_id), threads.insert(thread)]
    *_, inserted, stored = await db.batch([*new, threads.select(thread.thread_id, call.access)])
    return await _created(call, thread, stored, is_new=bool(inserted))


async def _create_with_state(call: Call[ThreadCreate, None], thread: Thread, steps: Sequence[Superstep]) -> Created:
    """Create a thread with its state in one batch.

    If the graph refuses the state, create it without; the response says so.
    """
    db, thread_id = call.services.db, thread.thread_id
    open_graph = partial(call.open_graph, access="threads.update")
    try:
        also = _remembered(call, thread_id)
        is_new = await state_update.create(db, open_graph, thread, [_step(step) for step in steps], also)
    except SuperstepError as error:
        if error.status >= 500:
            raise
        problem = f"Thread {thread_id} was created, but there were problems updating the state: {error}"
        *_, inserted = await db.batch([*_remembered(call, thread_id, problem), threads.insert(thread)])
        if inserted:
            return Created(thread=thread, problem=problem)
        is_new = False
    [stored] = await db.batch([threads.select(thread_id, call.access)])
    return await _created(call, thread, stored, is_new=is_new)


def _step(step: Superstep) -> list[tuple[Any, str]]:
    return [(_written(update), update.as_node) for update in step.updates]


def _written(update: SuperstepUpdate) -> Any:
    command = update.command and graph_input.command(update.command.model_dump(exclude_unset=True))
    return command or update.values


def _remembered(call: Call[ThreadCreate, None], thread_id: str, problem: str | None = None) -> list[Statement]:
    """The statements that come before the thread in the batch that inserts it."""
    return idempotency_keys.remember_making(call.key, [thread_id, problem], ("threads", {"thread_id": thread_id}))


async def _created(call: Call[ThreadCreate, None], thread: Thread, stored: Sequence[Row], *, is_new: bool) -> Created:
    existing = await threads.first_from_rows(call.services.db, stored)
    if not is_new and (existing is None or call.body.if_exists != "do_nothing"):  # None: somebody else's
        raise Conflict(f"Thread with ID {thread.thread_id} already exists")
    return Created(thread=existing or thread)


async def _find(call: Call[Any, None], made: tuple[str, str | None]) -> Created | None:
    thread_id, problem = made
    thread = await threads.get(call.services.db, thread_id, call.access)
    return thread and Created(thread=thread, problem=problem)


async def _answer(_call: Call[Any, None], created: Created) -> Reply:
    if created.problem:
        return json_response(compact_json({"detail": created.problem}), 201)
    return json_response(thread_text(created.thread))


create: Final = Create(_create, _find, _answer)


async def get(call: Call[None, ThreadQuery]) -> Reply:
    """One thread."""
    thread = await threads.get(call.services.db, call.path["thread_id"], call.access)
    if thread is None:
        raise thread_not_found(call.path["thread_id"])
    return json_response(thread_text(thread, **_included(thread, call.query.include.split(","))))


def _included(thread: Thread, include: Sequence[str]) -> JsonObject:
    if thread.ttl_minutes is None or "ttl" not in include:
        return {}
    lives = {"strategy": thread.ttl_strategy, "ttl_minutes": thread.ttl_minutes, "expires_at": thread.expires_at}
    return {"ttl": lives}


async def update(call: Call[ThreadPatch, None]) -> Reply:
    """Merge a thread's metadata, or change its TTL."""
    db, now = call.services.db, clock.now_iso()
    for _ in range(_MERGE_TRIES):
        thread = await threads.get(db, call.path["thread_id"], call.access)
        if thread is None:
            raise NotFound("Not Found")
        metadata = compact_json({**json.loads(thread.metadata), **(call.body.metadata or {})})
        updated = await threads.update(db, thread, metadata, _ttl(call.body.ttl), now=now)
        if updated is not None:
            minimal = call.request.headers.get("prefer") == "return=minimal"
            return HttpResponse(204) if minimal else json_response(thread_text(updated))
    raise Conflict(f"The metadata of thread {call.path['thread_id']} are being changed by others; try again.")


def _ttl(given: ThreadTtl | None) -> Ttl | None:
    return Ttl(minutes=given.ttl, strategy=given.strategy) if given else None


async def delete(call: Call[None, None]) -> Reply:
    """Delete a thread with its runs, checkpoints and crons, all or nothing; refused if it has an unfinished run."""
    services, thread_id = call.services, call.path["thread_id"]
    head, unfinished = await services.db.batch(
        [threads.select_head(thread_id, call.access), runs.unfinished_of_thread(thread_id)]
    )
    if not head:
        raise thread_not_found(thread_id)
    if unfinished:
        run_id = unfinished[0]["run_id"]
        raise Conflict(f"Thread {thread_id} still has run {run_id} to finish; join it before deleting the thread.")
    if not await thread_deletion.delete(services.db, services.thread_objects, [thread_id], call.access):
        raise Conflict(f"Thread {thread_id} was changed by others while it was deleted; try again.")
    return HttpResponse(204)


async def prune(call: Call[ThreadPrune, None]) -> Reply:
    """Delete threads, or all but their latest checkpoints; threads with an unfinished run are left alone."""
    services, thread_ids = call.services, list(dict.fromkeys(call.body.thread_ids))
    if call.body.strategy == "delete":
        pruned = await thread_deletion.delete(services.db, services.thread_objects, thread_ids, call.access)
    elif len(thread_ids) > thread_pruning.MAX_PRUNED:
        raise Unprocessable(f"thread_ids: 'keep_latest' takes at most {thread_pruning.MAX_PRUNED} threads at once")
    else:
        pruned = await thread_pruning.keep_latest(services.db, thread_ids, call.access)
    return json_response(compact_json({"pruned_count": len(pruned)}))


async def _copy(call: Call[None, None]) -> Created:
    """Create a thread with the state and all checkpoints of another."""
    db, source, target = call.services.db, call.path["thread_id"], ids.time_ordered()
    [found] = await db.batch([threads.select_head(source, call.access)])
    if not found:
        raise Conflict(f"Conflict: thread {source} cannot be copied, it does not exist.")
    value: JsonObject = {"thread_id": target, "metadata": json.loads(found[0]["metadata"])}
    await call.authorize("threads.create", value)
    statements = thread_copy.statements(source, target, metadata=compact_json(value["metadata"]), now=clock.now_iso())
    remembered = idempotency_keys.remember_made(call.key, [target, None], ("threads", {"thread_id": target}))
    *_, stored = await db.batch([*statements, *remembered, threads.select(target, EVERYTHING)])
    copied = await threads.first_from_rows(db, stored)
    if copied is None:
        raise Conflict(f"Conflict: thread {source} was deleted while it was copied.")
    return Created(thread=copied)


copy: Final = Create(_copy, _find, _answer)


async def storage(call: Call[None, None]) -> Reply:
    """How much space a thread takes in the database."""
    thread_id = call.path["thread_id"]
    head, *measured = await call.services.db.batch(
        [threads.select_head(thread_id, call.access), *thread_storage.statements(thread_id)]
    )
    if not head:
        raise thread_not_found(thread_id)
    return json_response(compact_json({"thread_id": thread_id, **thread_storage.read(measured)}))


async def search(call: Call[ThreadSearch, None]) -> Reply:
    """A page of threads."""
    body, db = call.body, call.services.db
    paths = {alias: ExtractPath.parse(path) for alias, path in (body.extract or {}).items()}
    limit, offset = body.limit or paging.DEFAULT_LIMIT, body.offset or 0
    found = await thread_search.search(
        db,
        _wanted(call),
        sort_by=body.sort_by or "updated_at",
        sort_order=body.sort_order or "desc",
        limit=limit + 1,
        offset=offset,
    )
    shown = found[:limit]
    if not body.select or "values" in body.select or any(path.root == "values" for path in paths.values()):
        shown = await threads.whole(db, shown)
    texts = [thread_text(thread, body.select, **_extracted(thread, paths)) for thread in shown]
    return json_response(join_array(texts), headers=paging.headers(found, limit=limit, offset=offset))


def _extracted(thread: Thread, paths: Mapping[str, ExtractPath]) -> JsonObject:
    if not paths:
        return {}
    texts = {
        "config": thread.config,
        "interrupts": thread.interrupts,
        "metadata": thread.metadata,
        "values": thread.values_json or "null",
    }
    roots = {root: json.loads(texts[root]) for root in {path.root for path in paths.values()}}
    return {"extracted": {alias: path.follow(roots[path.root]) for alias, path in paths.items()}}


async def count(call: Call[ThreadCount, None]) -> Reply:
    """How many threads match."""
    return json_response(str(await thread_search.count(call.services.db, _wanted(call))))


def _wanted(call: Call[ThreadCount, None]) -> thread_search.Search:
    body = call.body
    return thread_search.Search(
        metadata=body.metadata or {},
        values=body.values or {},
        ids=body.ids or (),
        status=body.status,
        access=call.access,
    )
