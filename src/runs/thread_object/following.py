"""Subscriptions to a whole thread, as the Worker requests them from the thread's object."""

import json
from dataclasses import asdict

from runs.thread_object.object_paths import FollowRequest
from streaming import views
from streaming.events import EventId
from streaming.fanout import From, RunStreams, Subscription
from streaming.protocol_view import ProtocolView, Wanted
from wire.protocol import Subscribing


def thread_stream_options(modes: list[str], after: EventId | None) -> str:
    """The options of kind `stream`, which begins after an event or, with `after` None, with the next one."""
    return json.dumps({"modes": modes, "after": after})


def protocol_options(asked: Subscribing) -> str:
    """The options of kind `events`."""
    return json.dumps(asdict(asked))


def subscription(streams: RunStreams, request: FollowRequest) -> Subscription:
    """The subscription that a request asks for."""
    options = json.loads(request.options)
    if request.is_hidden:
        return streams.follow(lambda _: "")
    if request.kind == "stream":
        after = options["after"]
        return streams.follow(views.thread_view(options["modes"]), EventId(*after) if after else From.NOW)
    wanted = Wanted.of(options)
    return streams.follow(ProtocolView(streams.log).sse(wanted), streams.log.place(wanted.since))
