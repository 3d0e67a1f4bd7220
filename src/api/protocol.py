"""The thread streaming protocol over HTTP: commands that start and answer runs, and the events of a thread."""

import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any, Final, TypeAlias

from api.authorization import authorized
from api.context import Call
from api.thread_stream import follow, is_hidden
from compact_json import compact_json
from errors import AccessRefused, BadRequest, Conflict, SuperstepError, Unavailable
from http_messages import EVENT_STREAM_HEADERS, HttpResponse, Reply, json_response
from ids import random_id
from runs import creation, following
from runs.protocol_items import PROTOCOL_MODES
from runs.thread_object_paths import FollowRequest
from streaming.protocol_view import Wanted
from tables import threads
from tables.runs import Run
from wire import bodies, protocol
from wire.bodies import JsonObject
from wire.protocol import Command, CommandRefused, Subscribing
from wire.runs import RunCreate

logger = logging.getLogger(__name__)

ProtocolCall: TypeAlias = Call[None, None]

_INVALID_JSON: Final = "Invalid JSON body"


async def events(call: ProtocolCall) -> Reply:
    """Stream the events of a thread, first those that are stored, then what happens; never ends."""
    try:
        given = protocol.read_json(call.request.body)
    except ValueError as error:
        raise BadRequest(_INVALID_JSON) from error
    asked = Subscribing.of(given if isinstance(given, dict) else {})
    if await is_hidden(call):
        return HttpResponse(200, EVENT_STREAM_HEADERS)
    return await follow(call, FollowRequest(kind="events", options=following.protocol_options(wanted(asked))))


def wanted(asked: Subscribing) -> Wanted:
    """What a client asks for, as the thread's object reads it."""
    return Wanted(channels=asked.channels, namespaces=asked.namespaces, depth=asked.depth, since=asked.since)


async def command(call: ProtocolCall) -> Reply:
    """Carry out a command. What is wrong with it is told in the answer; only a broken envelope changes the status."""
    try:
        given = protocol.parse_command(call.request.body)
    except ValueError as error:
        raise BadRequest(_INVALID_JSON) from error
    except CommandRefused as refused:
        return json_response(protocol.failure(refused.command_id, refused.code, str(refused)), 400)
    try:
        result = await _carry_out(call, given)
    except CommandRefused as refused:
        return json_response(protocol.failure(given.id, refused.code, str(refused)))
    except SuperstepError as error:
        if error.retryable or error.status >= 500:
            raise
        status = error.code if isinstance(error, AccessRefused) else error.status
        return json_response(protocol.failure(given.id, "unknown_error", f"{status}: {error}"))
    return json_response(protocol.success(given.id, result))


async def _carry_out(call: ProtocolCall, given: Command) -> JsonObject:
    carry_out = _COMMANDS.get(given.method)
    if carry_out is None:
        raise CommandRefused("unknown_command", f"Unknown protocol command: {given.method[:200]}")
    return await carry_out(call, given.params)


async def _start(call: ProtocolCall, params: JsonObject) -> JsonObject:
    """`run.start`: create a run, and the thread if there is none."""
    assistant_id = params.get("assistant_id")
    if not isinstance(assistant_id, str) or not assistant_id:
        raise CommandRefused("invalid_argument", "run.start requires an assistant_id.")
    given = {name: params[name] for name in ("input", "config", "metadata") if params.get(name) is not None}
    strategy = params.get("multitask_strategy") or params.get("multitaskStrategy")
    if strategy is not None:
        given["multitask_strategy"] = strategy
    run = await _create_run(call, {**given, "assistant_id": assistant_id, "if_not_exists": "create"})
    return {"run_id": run.run_id}


async def _respond(call: ProtocolCall, params: JsonObject) -> JsonObject:
    """`input.respond`: answer interrupts that wait. Refused while a run is unfinished: it may be answering already."""
    answers = _answers(params)
    access = await call.authorize("threads.read", dict(call.path))
    [rows] = await call.services.db.batch([threads.select_interrupts(call.path["thread_id"], access)])
    waiting = _waiting(rows[0]["interrupts"]) if rows else set[str]()
    for interrupt_id in answers:
        if interrupt_id not in waiting:
            raise _no_such_interrupt(interrupt_id)
    more = {name: params[name] for name in ("update", "goto") if params.get(name) is not None}
    given = {name: params[name] for name in ("config", "metadata") if params.get(name) is not None}
    assistant_id = json.loads(rows[0]["metadata"]).get("assistant_id")
    try:
        await _create_run(
            call,
            {
                **given,
                "assistant_id": assistant_id,
                "command": {"resume": answers, **more},
                "multitask_strategy": "reject",
            },
        )
    except Conflict as error:
        raise _no_such_interrupt(next(iter(answers))) from error
    return {}


def _answers(params: JsonObject) -> dict[str, Any]:
    """Responses by the id of their interrupt."""
    entries = params.get("responses", [params])
    if not isinstance(entries, list) or not entries:
        raise CommandRefused("invalid_argument", "input.respond requires a non-empty responses array.")
    answers: dict[str, Any] = {}
    for entry in entries:
        interrupt_id = entry.get("interrupt_id") if isinstance(entry, dict) else None
        if not isinstance(interrupt_id, str) or not interrupt_id:
            raise CommandRefused("invalid_argument", "input.respond requires an interrupt_id.")
        answers[interrupt_id] = entry.get("response")
    return answers


def _waiting(interrupts: str) -> set[str]:
    return {interrupt["id"] for task in json.loads(interrupts).values() for interrupt in task}


def _no_such_interrupt(interrupt_id: str) -> CommandRefused:
    return CommandRefused("no_such_interrupt", f"Unknown or already-consumed interrupt: {interrupt_id[:200]}")


async def _create_run(call: ProtocolCall, given: Mapping[str, Any]) -> Run:
    """A run that streams what the protocol tells."""
    body = bodies.parse(RunCreate, compact_json(given))
    creating = await authorized("threads.create_run", replace(call, body=body))
    request = creating.body.model_copy(
        update={"stream_mode": PROTOCOL_MODES, "stream_subgraphs": True, "stream_resumable": True}
    )
    services, thread_id = call.services, call.path["thread_id"]
    run = await creation.create_run(
        services.db, services.graphs(), request, thread_id=thread_id, by=await creating.creator()
    )
    try:
        await services.thread_objects.wake(thread_id)
    except Unavailable:
        # The row is there and the sweeper will find it; an error would make the caller start a second run.
        logger.exception("run %s of thread %s was stored but not announced", run.run_id, thread_id)
    return run


async def _subscribe(_call: ProtocolCall, params: JsonObject) -> JsonObject:
    """`subscription.subscribe`: over HTTP the event stream itself is the subscription."""
    check_subscription(params)
    return {"subscription_id": random_id(), "replayed_events": 0}


def check_subscription(params: JsonObject) -> Subscribing:
    """The parameters of `subscription.subscribe`."""
    try:
        return Subscribing.of(params)
    except BadRequest as error:
        raise CommandRefused("invalid_argument", f"subscription.subscribe: {error}") from error


async def _unsubscribe(_call: ProtocolCall, params: JsonObject) -> JsonObject:
    raise CommandRefused("no_such_subscription", f"Unknown subscription: {str(params.get('subscription_id'))[:200]}")


async def _refuse_run(_call: ProtocolCall, _params: JsonObject) -> JsonObject:
    raise CommandRefused("no_such_run", "No active run is bound to this thread.")


_COMMANDS: Final[Mapping[str, Callable[[ProtocolCall, JsonObject], Awaitable[JsonObject]]]] = {
    "run.start": _start,
    "input.respond": _respond,
    "subscription.subscribe": _subscribe,
    "subscription.unsubscribe": _unsubscribe,
    "subscription.reconnect": _refuse_run,
    "agent.getTree": _refuse_run,
}
