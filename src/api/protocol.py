"""The thread streaming protocol over HTTP: commands that start and answer runs, and the events of a thread."""

import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from itertools import chain
from typing import Any, Final, TypeAlias

from api.authorization import authorized
from api.context import Call
from api.thread_stream import follow, standing
from compact_json import compact_json
from errors import AccessRefused, BadRequest, Conflict, MethodNotAllowed, NotFound, SuperstepError, Unavailable
from http_messages import Passthrough, Reply, json_response
from ids import random_id
from runs import creation
from runs.execution.protocol_items import PROTOCOL_MODES
from runs.thread_object import following, object_paths
from runs.thread_object.object_paths import FollowRequest
from tables import threads
from tables.runs import Run
from wire import bodies, protocol
from wire.bodies import JsonObject
from wire.protocol import Command, CommandRefused, Subscribing
from wire.runs import RunCreate

logger = logging.getLogger(__name__)

ProtocolCall: TypeAlias = Call[None, None]

#: A socket keeps what its commands are authenticated by, and can keep a little only.
MAX_HANDSHAKE_CHARACTERS: Final = 8_000

_INVALID_JSON: Final = "Invalid JSON body"


async def events(call: ProtocolCall) -> Reply:
    """Stream the events of a thread, first those that are stored, then what happens; never ends."""
    try:
        given = protocol.read_json(call.request.body)
    except ValueError as error:
        raise BadRequest(_INVALID_JSON) from error
    asked = Subscribing.of(given if isinstance(given, dict) else {})
    options = following.protocol_options(asked)
    return await follow(call, FollowRequest(kind="events", options=options, is_hidden=await _is_new(call)))


async def open_socket(call: ProtocolCall) -> Reply:
    """Open a WebSocket, over which commands and events go."""
    if call.request.headers.get("upgrade", "").lower() != "websocket":
        raise MethodNotAllowed(("POST",))
    options = compact_json({"query": call.request.query})
    if len(options) + sum(map(len, chain(*call.request.headers.items()))) > MAX_HANDSHAKE_CHARACTERS:
        raise BadRequest("The headers and the query of a request for a WebSocket are too long to be kept with it.")
    path = object_paths.build(FollowRequest(kind="socket", options=options, is_hidden=await _is_new(call)))
    return Passthrough(await call.services.thread_objects.connect(call.path["thread_id"], path, call.request.headers))


async def _is_new(call: ProtocolCall) -> bool:
    """Whether there is no such thread yet: nobody may see what another caller will make of it."""
    match await standing(call):
        case "somebody's":
            raise NotFound("Thread not found")
        case "nobody's":
            return True
        case "theirs":
            return False


async def carry_out(call: ProtocolCall) -> Reply:
    """Carry out a command. What is wrong with it is told in the answer; only a broken envelope changes the status."""
    try:
        given = protocol.parse_command(call.request.body)
    except ValueError as error:
        raise BadRequest(_INVALID_JSON) from error
    except CommandRefused as refused:
        return json_response(protocol.failure(refused.command_id, refused.code, str(refused)), 400)
    try:
        result = await _result(call, given)
    except CommandRefused as refused:
        return json_response(protocol.failure(given.id, refused.code, str(refused)))
    except SuperstepError as error:
        if error.retryable or error.status >= 500:
            raise
        status = error.code if isinstance(error, AccessRefused) else error.status
        return json_response(protocol.failure(given.id, "unknown_error", f"{status}: {error}"))
    return json_response(protocol.success(given.id, result))


async def _result(call: ProtocolCall, command: Command) -> JsonObject:
    method = _COMMANDS.get(command.method)
    if method is None:
        raise CommandRefused("unknown_command", f"Unknown protocol command: {command.method[:200]}")
    return await method(call, command)


async def _start(call: ProtocolCall, command: Command) -> JsonObject:
    """`run.start`: create a run, and the thread if there is none."""
    params = command.params
    assistant_id = params.get("assistant_id")
    if not isinstance(assistant_id, str) or not assistant_id:
        raise CommandRefused("invalid_argument", "run.start requires an assistant_id.")
    given = {name: params[name] for name in ("input", "config", "metadata") if params.get(name) is not None}
    strategy = params.get("multitask_strategy") or params.get("multitaskStrategy")
    if strategy is not None:
        given["multitask_strategy"] = strategy
    run = await _create_run(call, {**given, "assistant_id": assistant_id, "if_not_exists": "create"})
    return {"run_id": run.run_id}


async def _respond(call: ProtocolCall, command: Command) -> JsonObject:
    """`input.respond`: answer interrupts that wait. Refused while a run is unfinished: it may be answering already."""
    params = command.params
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
        about = {"event": "run_not_announced", "thread_id": thread_id, "run_id": run.run_id}
        logger.warning("the run was stored but not announced; the sweeper finds it", exc_info=True, extra=about)
    return run


async def _subscribe(_call: ProtocolCall, command: Command) -> JsonObject:
    """`subscription.subscribe`: over HTTP the event stream itself is the subscription."""
    Subscribing.of_command(command)
    return {"subscription_id": random_id(), "replayed_events": 0}


async def _unsubscribe(_call: ProtocolCall, command: Command) -> JsonObject:
    subscription_id = str(command.params.get("subscription_id"))
    raise CommandRefused("no_such_subscription", f"Unknown subscription: {subscription_id[:200]}")


async def _refuse_run(_call: ProtocolCall, _command: Command) -> JsonObject:
    raise CommandRefused("no_such_run", "No active run is bound to this thread.")


_COMMANDS: Final[Mapping[str, Callable[[ProtocolCall, Command], Awaitable[JsonObject]]]] = {
    "run.start": _start,
    "input.respond": _respond,
    "subscription.subscribe": _subscribe,
    "subscription.unsubscribe": _unsubscribe,
    "subscription.reconnect": _refuse_run,
    "agent.getTree": _refuse_run,
}
