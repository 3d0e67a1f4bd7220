"""The stream of a thread: its events, run by run, without an end."""

import re
from itertools import chain
from typing import Any, Final, Literal, TypeAlias

from pydantic import Field

from api.context import Call
from api.thread_runs import error_stream
from errors import Unprocessable
from http_messages import Passthrough, Reply
from runs.thread_object import following, object_paths
from runs.thread_object.object_paths import FollowRequest
from streaming.events import START, EventId
from tables import threads
from tables.access import EVERYTHING
from wire.queries import Query

MODES: Final = ("run_modes", "lifecycle", "state_update")

Standing: TypeAlias = Literal["theirs", "somebody's", "nobody's"]

_POSITION: Final = re.compile(r"(\d{1,15})(?:-(\d{1,9}))?", re.ASCII)


class ThreadStreamQuery(Query):
    """The query of GET /threads/{thread_id}/stream: two names for one list; each may be repeated or have commas."""

    stream_modes: list[str] = Field(default_factory=list[str])
    stream_mode: list[str] = Field(default_factory=list[str])


async def stream(call: Call[None, ThreadStreamQuery]) -> Reply:
    """Stream the events of a thread.

    One out of reach is treated as if it did not exist, and its object is not woken.
    """
    given = chain.from_iterable(text.split(",") for text in (*call.query.stream_modes, *call.query.stream_mode))
    modes = [mode.strip() for mode in given if mode.strip()] or ["run_modes"]
    for mode in modes:
        if mode not in MODES:
            raise Unprocessable(f"Invalid stream mode: {mode[:100]!a} is none of {', '.join(MODES)}")
    after = _position(call.request.headers.get("last-event-id"))
    if await standing(call) != "theirs":
        return error_stream("404: Thread not found")
    return await follow(call, FollowRequest(kind="stream", options=following.thread_stream_options(modes, after)))


def _position(header: str | None) -> EventId | None:
    if header is None:
        return None
    if header.strip() == "-":
        return START
    found = _POSITION.fullmatch(header.strip())
    if found is None:
        raise Unprocessable("Invalid last-event-id: must be an id that a stream has sent, or '-' for all there is")
    return EventId(int(found[1]), int(found[2] or 0))


async def follow(call: Call[Any, Any], request: FollowRequest) -> Reply:
    """Hand a follower of the thread, whose `standing` is known, over to the thread's object."""
    thread_id = call.path["thread_id"]
    return Passthrough(await call.services.thread_objects.open(thread_id, object_paths.build(request)))


async def standing(call: Call[Any, Any]) -> Standing:
    """The caller's relation to the thread. A caller who may do everything has all threads, future ones included."""
    if call.services.gatekeeper.is_open:
        return "theirs"
    thread_id = call.path["thread_id"]
    own, any_head = await call.services.db.batch(
        [threads.select_head(thread_id, call.access), threads.select_head(thread_id, EVERYTHING)]
    )
    return "theirs" if own else "somebody's" if any_head else "nobody's"
