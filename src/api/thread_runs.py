"""Runs on a thread: created here, executed by the thread's object, read and joined here."""

import json
import logging
from collections.abc import Iterable

from pydantic import Field

from api.accepted import accepted_status
from api.context import Call, Services
from api.representations import run_text
from api.threads import thread_not_found
from compact_json import compact_json
from errors import NotFound, Unavailable
from http_messages import EVENT_STREAM_HEADERS, HttpResponse, Passthrough, Reply, json_response
from runs import creation, thread_object_paths
from runs.thread_object_paths import Kind, RunRequest
from tables import runs, threads
from tables.runs import Run
from wire.bodies import MAX_LIMIT, MAX_OFFSET
from wire.json_objects import join_array
from wire.queries import Query
from wire.runs import RunColumn, RunCreate

logger = logging.getLogger(__name__)


class ListQuery(Query):
    """The query of GET /threads/{thread_id}/runs."""

    limit: int = Field(10, ge=0, description=f"At most {MAX_LIMIT} are returned.")
    offset: int = Field(0, ge=0, le=MAX_OFFSET)
    status: str | None = None
    select: list[RunColumn] = Field(default_factory=list[RunColumn])


class JoinQuery(Query):
    """The query of GET …/join."""

    cancel_on_disconnect: bool = False


class StreamQuery(JoinQuery):
    """The query of GET …/stream. A `stream_mode` may also be a JSON array; none, or an empty one, means all."""

    stream_mode: list[str] = Field(default_factory=list[str])


async def create(call: Call[RunCreate, None]) -> Reply:
    """Create a background run."""
    run = await creation.create_run(
        call.services.db, call.services.graphs(), call.body, thread_id=call.path["thread_id"]
    )
    return await accepted(call, run, content_location=_path(run))


async def accepted(call: Call[RunCreate, None], run: Run, *, content_location: str) -> Reply:
    """Announce a background run to the queue and answer that it was accepted."""
    try:
        await call.services.queue.send(run.thread_id, run.run_id)
    except (
        Unavailable
    ):  # the row is there and the sweeper will find it; an error would make the caller start a second run
        logger.exception("run %s of thread %s was stored but not announced", run.run_id, run.thread_id)
    status = accepted_status(call.request.headers, call.services.settings.accepted_status)
    return json_response(run_text(run), status, {"content-location": content_location})


async def create_and_stream(call: Call[RunCreate, None]) -> Reply:
    """Create a run and stream its events."""
    run = await creation.create_run(
        call.services.db, call.services.graphs(), call.body, thread_id=call.path["thread_id"]
    )
    return await open_created(call, run, "stream", location=f"{_path(run)}/stream", content_location=_path(run))


async def create_and_wait(call: Call[RunCreate, None]) -> Reply:
    """Create a run and wait for its final values."""
    run = await creation.create_run(
        call.services.db, call.services.graphs(), call.body, thread_id=call.path["thread_id"]
    )
    return await open_created(call, run, "wait", location=f"{_path(run)}/join", content_location=_path(run))


async def open_created(
    call: Call[RunCreate, None], run: Run, kind: Kind, *, location: str, content_location: str
) -> Reply:
    """Hand the creator of a run over to the thread's object."""
    request = RunRequest(
        run_id=run.run_id,
        kind=kind,
        cancel_on_disconnect=call.body.on_disconnect == "cancel",
        location=location,
        content_location=content_location,
        origin=call.request.headers.get("origin"),
        allowed_origins=call.services.settings.cors_allow_origins,
    )
    return Passthrough(await call.services.thread_objects.open(run.thread_id, thread_object_paths.build(request)))


async def list_runs(call: Call[None, ListQuery]) -> Reply:
    """A page of a thread's runs, newest first."""
    db, thread_id, query = call.services.db, call.path["thread_id"], call.query
    page = runs.list_of_thread(thread_id, status=query.status, limit=min(query.limit, MAX_LIMIT), offset=query.offset)
    head, rows = await db.batch([threads.select_head(thread_id), page])
    if not head:
        raise thread_not_found(thread_id)
    return json_response(join_array(run_text(run, query.select) for run in await runs.from_rows(db, rows)))


async def get(call: Call[None, None]) -> Reply:
    """One run."""
    thread_exists, run = await _find(call.services, call)
    if not thread_exists:
        raise thread_not_found(call.path["thread_id"])
    if run is None:
        raise NotFound("Not Found")
    return json_response(run_text(run))


async def join(call: Call[None, JoinQuery]) -> Reply:
    """Wait for the final values of a run that exists. Callers read errors out of a 200, as those of the run itself."""
    thread_exists, run = await _find(call.services, call)
    if not thread_exists:
        raise NotFound("Thread not found")
    if run is None:
        return json_response(compact_json({"__error__": _http_exception("404: Run not found")}))
    return await _open_joined(call, run, "wait", location=f"{_path(run)}/join")


async def join_stream(call: Call[None, StreamQuery]) -> Reply:
    """Stream the events of a run that exists. Callers read errors out of the stream, as those of the run itself."""
    thread_exists, run = await _find(call.services, call)
    if run is None:
        message = "404: Run not found" if thread_exists else "404: Thread not found"
        frame = f"event: error\r\ndata: {compact_json(_http_exception(message))}\r\n\r\n"
        return HttpResponse(200, EVENT_STREAM_HEADERS, frame)
    modes = tuple(_stream_modes(call.query.stream_mode))
    return await _open_joined(call, run, "stream", location=f"{_path(run)}/stream", stream_modes=modes)


async def _open_joined(
    call: Call[None, JoinQuery], run: Run, kind: Kind, *, location: str, stream_modes: tuple[str, ...] = ()
) -> Reply:
    request = RunRequest(
        run_id=run.run_id,
        kind=kind,
        joins=True,
        stream_modes=stream_modes,
        last_event_id=call.request.headers.get("last-event-id"),
        cancel_on_disconnect=call.query.cancel_on_disconnect,
        location=location,
        content_location=_path(run),
        origin=call.request.headers.get("origin"),
        allowed_origins=call.services.settings.cors_allow_origins,
    )
    return Passthrough(await call.services.thread_objects.open(run.thread_id, thread_object_paths.build(request)))


async def _find(services: Services, call: Call[None, object]) -> tuple[bool, Run | None]:
    thread_id = call.path["thread_id"]
    head, rows = await services.db.batch([threads.select_head(thread_id), runs.select(thread_id, call.path["run_id"])])
    return bool(head), await runs.first_from_rows(services.db, rows) if head else None


def _stream_modes(given: Iterable[str]) -> Iterable[str]:
    """The union of repeated parameters, each a mode or a JSON array of modes."""
    for text in given:
        if text.startswith("["):
            yield from _array(text)
        elif text:
            yield text


def _array(text: str) -> Iterable[str]:
    try:
        modes = json.loads(text)
    except (ValueError, RecursionError):
        return (text,)  # no mode has such a name, so nothing is streamed
    return (str(mode) for mode in modes)


def _http_exception(message: str) -> dict[str, str]:
    return {"error": "HTTPException", "message": message}


def _path(run: Run) -> str:
    return f"/threads/{run.thread_id}/runs/{run.run_id}"
