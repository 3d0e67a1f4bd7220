"""Threads: the conversations that runs belong to."""

import json
import logging
from typing import Final

import clock
import ids
from api import paging
from api.context import Call, Services
from api.representations import thread_text
from compact_json import compact_json
from errors import Conflict, NotFound, Unavailable, Unprocessable
from http_messages import HttpResponse, Reply, json_response
from ports import Statement
from tables import checkpoints, large_text, runs, threads
from wire.json_objects import join_array
from wire.threads import ThreadCount, ThreadCreate, ThreadPatch, ThreadSearch

logger = logging.getLogger(__name__)

#: How often a change of metadata is tried again when others change them at the same moment.
_MERGE_TRIES: Final = 5


def thread_not_found(thread_id: str) -> NotFound:
    """The error of every route whose thread does not exist."""
    return NotFound(f"Thread with ID {thread_id} not found")


async def create(call: Call[ThreadCreate, None]) -> Reply:
    """Create a thread, or with `if_exists: do_nothing` return the one that has the id."""
    body = call.body
    _refuse_ttl(given=body.ttl is not None)
    if body.supersteps:
        raise Unprocessable("Creating a thread with 'supersteps' is not served yet by Superstep; run a graph on it.")
    thread = threads.new(
        body.thread_id or ids.time_ordered(),
        metadata=compact_json(body.metadata or {}),
        config="{}",
        now=clock.now_iso(),
    )
    inserted, stored = await call.services.db.batch(
        [threads.insert(thread), threads.select(thread.thread_id, call.access)]
    )
    if not inserted and body.if_exists != "do_nothing":
        raise Conflict(f"Thread with ID {thread.thread_id} already exists")
    existing = await threads.first_from_rows(call.services.db, stored)
    if existing is None and not inserted:
        raise Conflict(f"Thread with ID {thread.thread_id} already exists")  # somebody else's
    return json_response(thread_text(existing or thread))


async def get(call: Call[None, None]) -> Reply:
    """One thread."""
    thread = await threads.get(call.services.db, call.path["thread_id"], call.access)
    if thread is None:
        raise thread_not_found(call.path["thread_id"])
    return json_response(thread_text(thread))


async def update(call: Call[ThreadPatch, None]) -> Reply:
    """Set keys of a thread's metadata; the others stay."""
    _refuse_ttl(given=call.body.ttl is not None)
    db, now = call.services.db, clock.now_iso()
    for _ in range(_MERGE_TRIES):
        thread = await threads.get(db, call.path["thread_id"], call.access)
        if thread is None:
            raise NotFound("Not Found")
        metadata = compact_json({**json.loads(thread.metadata), **(call.body.metadata or {})})
        updated = await threads.replace_metadata(db, thread, metadata, now=now)
        if updated is not None:
            minimal = call.request.headers.get("prefer") == "return=minimal"
            return HttpResponse(204) if minimal else json_response(thread_text(updated))
    raise Conflict(f"The metadata of thread {call.path['thread_id']} are being changed by others; try again.")


async def delete(call: Call[None, None]) -> Reply:
    """Delete a thread with its runs and checkpoints: all of it, or nothing when a run was created meanwhile."""
    db, thread_id = call.services.db, call.path["thread_id"]
    head, unfinished = await db.batch(
        [threads.select_head(thread_id, call.access), runs.unfinished_of_thread(thread_id)]
    )
    if not head:
        raise thread_not_found(thread_id)
    if unfinished:
        raise _unfinished(thread_id, unfinished[0]["run_id"])
    deleted, *_ = await db.batch(
        [
            threads.delete_resting(thread_id),
            *(Statement(sql, (thread_id,)) for sql in checkpoints.DELETE_ORPHANS),
            large_text.delete_of_thread(thread_id),
            runs.delete_of_thread(thread_id),
        ]
    )
    if not deleted:
        raise Conflict(f"Thread {thread_id} was changed by others while it was deleted; try again.")
    await _let_object_forget(call.services, thread_id)
    return HttpResponse(204)


async def _let_object_forget(services: Services, thread_id: str) -> None:
    """The thread's object still has the events of its runs; it forgets them when it sees that the thread is gone."""
    try:
        await services.thread_objects.wake(thread_id)
    except Unavailable:
        # The thread is gone: an error would make the caller try again, and read 404.
        logger.exception("the object of deleted thread %s was not told; it keeps the events of its runs", thread_id)


async def search(call: Call[ThreadSearch, None]) -> Reply:
    """A page of threads."""
    body = call.body
    if body.extract:
        raise Unprocessable("Searching threads with 'extract' is not served yet by Superstep; use 'select'.")
    limit, offset = body.limit or paging.DEFAULT_LIMIT, body.offset or 0
    found = await threads.search(
        call.services.db,
        _wanted(call),
        sort_by=body.sort_by or "updated_at",
        sort_order=body.sort_order or "desc",
        limit=limit + 1,
        offset=offset,
    )
    texts = [thread_text(thread, body.select) for thread in found[:limit]]
    return json_response(join_array(texts), headers=paging.headers(found, limit=limit, offset=offset))


async def count(call: Call[ThreadCount, None]) -> Reply:
    """How many threads match."""
    return json_response(str(await threads.count(call.services.db, _wanted(call))))


def _wanted(call: Call[ThreadCount, None]) -> threads.Search:
    body = call.body
    return threads.Search(
        metadata=body.metadata or {},
        values=body.values or {},
        ids=body.ids or (),
        status=body.status,
        access=call.access,
    )


def _refuse_ttl(*, given: bool) -> None:
    if given:
        raise Unprocessable("A thread's 'ttl' is not served yet by Superstep; delete the thread when it is done.")


def _unfinished(thread_id: str, run_id: str) -> Conflict:
    return Conflict(f"Thread {thread_id} still has run {run_id} to finish; join it before deleting the thread.")
