"""Runs on a thread: created here, executed by the thread's object, read and joined here."""

import json
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Final, Literal, TypeVar
from urllib.parse import urlencode
from uuid import UUID

from pydantic import Field

from api.accepted import accepted_status
from api.context import Call, Services
from api.creates import Create
from api.threads import thread_not_found
from compact_json import compact_json
from errors import NotFound, Unavailable
from http_messages import EVENT_STREAM_HEADERS, HttpResponse, Passthrough, Reply, json_response
from runs import creation
from runs.run_object import run_text
from runs.thread_object import object_paths
from runs.thread_object.object_paths import Kind, RunRequest
from tables import runs, threads
from tables.access import EVERYTHING
from tables.runs import Run
from wire.bodies import MAX_LIMIT, MAX_OFFSET
from wire.json_objects import join_array
from wire.queries import Query
from wire.runs import RunColumn, RunCreate

logger = logging.getLogger(__name__)

AnswerT = TypeVar("AnswerT")

#: When a thread's object is reset, as by a deploy, the calls under way fail, and later ones reach a new object.
OPEN_TRIES: Final = 3


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
    last_event_id: str | None = Field(
        None,
        pattern=r"^(-1|\d{1,15}-\d{1,9})$",
        description="Where to go on without a `Last-Event-ID` header: after this event, or from the start (`-1`).",
    )


async def make(call: Call[RunCreate, None]) -> Run:
    """Create a run on the thread of the path or, without one, on a thread of its own."""
    services = call.services
    return await creation.create_run(
        services.db,
        services.graphs(),
        call.body,
        thread_id=call.path.get("thread_id"),
        by=await call.creator(),
        webhook_urls=services.config.webhooks.url,
    )


async def find(call: Call[Any, None], made: Sequence[tuple[str, str]]) -> Run | None:
    """The run that an earlier request has created."""
    db, [(thread_id, run_id)] = call.services.db, made
    access = call.access if "thread_id" in call.path else EVERYTHING
    head, rows = await db.batch([threads.select_head(thread_id, access), runs.select(thread_id, run_id)])
    return await runs.first_from_rows(db, rows) if head else None


async def accepted(call: Call[RunCreate, None], run: Run) -> Reply:
    """Announce a background run to the queue and answer that it was accepted."""
    await announce(call.services, [run])
    status = accepted_status(call.request.headers, call.services.settings.accepted_status)
    path = run_path(run.thread_id, run.run_id)
    locations = {"location": path, "content-location": path if "thread_id" in call.path else f"/runs/{run.run_id}"}
    return json_response(run_text(run), status, locations)


async def streamed(call: Call[RunCreate, None], run: Run) -> Reply:
    """The events of a run, from the first on; for a client that is cut off before it has an id, they begin again."""
    path = run_path(run.thread_id, run.run_id)
    content_location = path if "thread_id" in call.path else f"/runs/{run.run_id}"
    location = f"{path}/stream?last_event_id=-1"
    return await open_created(call, run, "stream", location=location, content_location=content_location)


async def awaited(call: Call[RunCreate, None], run: Run) -> Reply:
    """The final values of a run, once it has them."""
    path = run_path(run.thread_id, run.run_id)
    return await open_created(call, run, "wait", location=f"{path}/join", content_location=path)


create: Final = Create(make, find, accepted)
create_and_stream: Final = Create(make, find, streamed)
create_and_wait: Final = Create(make, find, awaited)


async def announce(services: Services, created: Sequence[Run]) -> None:
    """Tell the queue of new runs."""
    try:
        await services.queue.send_batch([(run.thread_id, run.run_id) for run in created])
    except Unavailable:
        # The rows are stored and the sweeper will find them; an error would make the caller create other runs.
        said = "%d runs were stored but not announced, the first is %s; the sweeper finds them"
        logger.warning(said, len(created), created[0].run_id, exc_info=True, extra={"event": "run_not_announced"})


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
    )
    return await open_run(call, run.thread_id, request)


async def open_run(call: Call[Any, Any], thread_id: str, request: RunRequest) -> Reply:
    """Ask the thread's object about a run; returns its response."""
    path = object_paths.build(request)

    async def answer() -> Passthrough:
        return Passthrough(await call.services.thread_objects.open(thread_id, path))

    return await patiently(answer, thread_id, request.run_id)


async def patiently(ask: Callable[[], Awaitable[AnswerT]], thread_id: str, run_id: str) -> AnswerT:
    """The answer of a thread's object about a run, after several tries if need be.

    An error would make the creator of the run create a second one, whereas asking again has no effect.
    """
    for _ in range(OPEN_TRIES - 1):
        try:
            return await ask()
        except Unavailable:
            about = {"event": "run_reopened", "thread_id": thread_id, "run_id": run_id}
            logger.warning("the thread's object did not answer; asking again", exc_info=True, extra=about)
    return await ask()


async def list_runs(call: Call[None, ListQuery]) -> Reply:
    """A page of a thread's runs, newest first."""
    db, thread_id, query = call.services.db, call.path["thread_id"], call.query
    page = runs.list_of_thread(thread_id, status=query.status, limit=min(query.limit, MAX_LIMIT), offset=query.offset)
    # Handlers are asked about both: reading the thread, and searching.
    also = await call.authorize("threads.search", {"thread_id": UUID(thread_id), "metadata": {}})
    head, found, rows = await db.batch(
        [threads.select_head(thread_id, call.access), threads.select_head(thread_id, also), page]
    )
    if not head or not found:
        raise thread_not_found(thread_id)
    return json_response(join_array(run_text(run, query.select) for run in await runs.from_rows(db, rows)))


async def get(call: Call[None, None]) -> Reply:
    """One run."""
    db, thread_id = call.services.db, call.path["thread_id"]
    head, rows = await db.batch(
        [threads.select_head(thread_id, call.access), runs.select(thread_id, call.path["run_id"])]
    )
    if not head:
        raise thread_not_found(thread_id)
    run = await runs.first_from_rows(db, rows)
    if run is None:
        raise NotFound("Not Found")
    return json_response(run_text(run))


async def join(call: Call[None, JoinQuery]) -> Reply:
    """Wait for the final values of an existing run. Callers take errors in a 200 for those of the run itself."""
    match await _missing(call):
        case "thread":
            raise NotFound("Thread not found")
        case "run":
            return json_response(compact_json({"__error__": _http_exception("404: Run not found")}))
        case None:
            return await _open_joined(call, "wait", "join")


async def join_stream(call: Call[None, StreamQuery]) -> Reply:
    """Stream the events of an existing run. Callers take errors in the stream for those of the run itself."""
    missing = await _missing(call)
    if missing:
        return error_stream(f"404: {missing.capitalize()} not found")
    modes = tuple(_stream_modes(call.query.stream_mode))
    return await _open_joined(call, "stream", "stream", modes, after=call.query.last_event_id)


async def _missing(call: Call[None, JoinQuery]) -> Literal["thread", "run"] | None:
    """Which part of the path does not exist; an object is only woken for a run that exists."""
    thread_id = call.path["thread_id"]
    head, run = await call.services.db.batch(
        [threads.select_head(thread_id, call.access), runs.exists(thread_id, call.path["run_id"])]
    )
    if not head:
        return "thread"
    return None if run else "run"


async def _open_joined(
    call: Call[None, JoinQuery],
    kind: Kind,
    location: str,
    stream_modes: tuple[str, ...] = (),
    after: str | None = None,
) -> Reply:
    """Hand a caller over to the object of a run's thread. Where to come back to is told with what was asked for."""
    path = run_path(call.path["thread_id"], call.path["run_id"])
    asked = urlencode(call.query.model_dump(exclude_defaults=True), doseq=True, errors="replace")
    request = RunRequest(
        run_id=call.path["run_id"],
        kind=kind,
        joins=True,
        stream_modes=stream_modes,
        last_event_id=call.request.headers.get("last-event-id") or after,
        cancel_on_disconnect=call.query.cancel_on_disconnect,
        location=f"{path}/{location}?{asked}" if asked else f"{path}/{location}",
        content_location=path,
    )
    return await open_run(call, call.path["thread_id"], request)


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


def error_stream(message: str) -> Reply:
    """A stream that consists of an error, because callers look for errors there."""
    error = compact_json(_http_exception(message))
    return HttpResponse(200, EVENT_STREAM_HEADERS, f"event: error\r\ndata: {error}\r\n\r\n")


def _http_exception(message: str) -> dict[str, str]:
    return {"error": "HTTPException", "message": message}


def run_path(thread_id: str, run_id: str) -> str:
    """The path of a run."""
    return f"/threads/{thread_id}/runs/{run_id}"
