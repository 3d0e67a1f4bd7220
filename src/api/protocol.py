"""The thread streaming protocol over HTTP: commands that start and answer runs, and the events of a thread."""

import json
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any, Final, TypeAlias

from api import thread_runs
from api.authorization import authorized
from api.context import Call
from api.creates import HEADER, Create
from api.thread_stream import follow, standing
from compact_json import compact_json
from errors import BadRequest, Conflict, MethodNotAllowed, NotFound, SuperstepError, Unavailable
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
CommandCall: TypeAlias = Call[Command, None]

#: A socket keeps what its commands are authenticated by, and can keep only little.
MAX_HANDSHAKE_CHARACTERS: Final = 8_000

_INVALID_JSON: Final = "Invalid JSON body"

#: The only command whose answer names its run.
_START: Final = "run.start"


async def events(call: ProtocolCall) -> Reply:
    """Stream the events of a thread: first those that are stored, then live; never ends."""
    try:
        given = protocol.read_json(call.request.body)
    except ValueError as error:
        raise BadRequest(_INVALID_JSON) from error
    asked = Subscribing.of(given if isinstance(given, dict) else {})
    options = following.protocol_options(asked)
    return await follow(call, FollowRequest(kind="events", options=options, is_hidden=await _is_new(call)))


async def open_socket(call: ProtocolCall) -> Reply:
    """Open a WebSocket for commands and events."""
    if call.request.headers.get("upgrade", "").lower() != "websocket":
        raise MethodNotAllowed(("POST",))
    options = compact_json({"query": call.request.query})
    if len(options) + sum(map(len, chain(*call.request.headers.items()))) > MAX_HANDSHAKE_CHARACTERS:
        raise BadRequest("The headers and the query of a request for a WebSocket are too long to be kept with it.")
    path = object_paths.build(FollowRequest(kind="socket", options=options, is_hidden=await _is_new(call)))
    return Passthrough(await call.services.thread_objects.connect(call.path["thread_id"], path, call.request.headers))


async def _is_new(call: ProtocolCall) -> bool:
    """Whether there is no such thread yet: then nobody may see what another caller will make of it."""
    match await standing(call):
        case "somebody's":
            raise NotFound("Thread not found")
        case "nobody's":
            return True
        case "theirs":
            return False


class Commands(Create[Run | JsonObject]):
    """Carries out commands. The answer says what is wrong with one, with status 200.

    Only a broken envelope and a caller who may not do this are answered with another status.
    """

    async def __call__(self, call: Call[Any, Any]) -> Reply:
        """See `Create`: those that create a run take an `Idempotency-Key`."""
        try:
            given = protocol.parse_command(call.request.body)
            call = _of_command(call, given)
        except ValueError as error:
            raise BadRequest(_INVALID_JSON) from error
        except CommandRefused as refused:
            return json_response(protocol.failure(refused.command_id, refused.code, str(refused)), 400)
        try:
            return await super().__call__(call)
        except CommandRefused as refused:
            return json_response(protocol.failure(given.id, refused.code, str(refused)))
        except SuperstepError as error:
            if error.retryable or error.status >= 500:
                raise
            return json_response(protocol.failure(given.id, "unknown_error", f"{error.status}: {error}"))


def _of_command(call: Call[Any, Any], command: Command) -> CommandCall:
    """The call of a command, with the key of its envelope as the header. Retries may have another id."""
    headers, key = call.request.headers, command.idempotency_key
    if key is not None:
        if headers.get(HEADER, key).strip() != key:
            message = "idempotency_key: differs from the header Idempotency-Key; send only one of them."
            raise CommandRefused("invalid_argument", message, command.id)
        headers = {**headers, HEADER: key}
    says = {"method": command.method, "params": command.params}
    return replace(call, request=replace(call.request, headers=headers), body=command, says=says)


async def _carry_out(call: CommandCall) -> Run | JsonObject:
    method = _COMMANDS.get(call.body.method)
    if method is None:
        raise CommandRefused("unknown_command", f"Unknown protocol command: {call.body.method[:200]}")
    return await method(call)


async def _find(call: CommandCall, made: Sequence[tuple[str, str]]) -> Run | None:
    access = await call.authorize("threads.read", dict(call.path))
    return await thread_runs.find(replace(call, access=access), made)


async def _answer(call: CommandCall, made: Run | JsonObject) -> Reply:
    if isinstance(made, Run):
        await _wake(call, made)
        made = {"run_id": made.run_id} if call.body.method == _START else {}
    return json_response(protocol.success(call.body.id, made))


async def _wake(call: CommandCall, run: Run) -> None:
    try:
        await call.services.thread_objects.wake(run.thread_id)
    except Unavailable:
        # The row is there and the sweeper will find it; an error would make the caller start a second run.
        about = {"event": "run_not_announced", "thread_id": run.thread_id, "run_id": run.run_id}
        logger.warning("the run was stored but not announced; the sweeper finds it", exc_info=True, extra=about)


carry_out: Final = Commands(_carry_out, _find, _answer)


async def _start(call: CommandCall) -> Run:
    """`run.start`: create a run, and the thread if there is none."""
    params = call.body.params
    assistant_id = params.get("assistant_id")
    if not isinstance(assistant_id, str) or not assistant_id:
        raise CommandRefused("invalid_argument", "run.start requires an assistant_id.")
    given = {name: params[name] for name in ("input", "config", "metadata") if params.get(name) is not None}
    strategy = params.get("multitask_strategy") or params.get("multitaskStrategy")
    if strategy is not None:
        given["multitask_strategy"] = strategy
    return await _create_run(call, {**given, "assistant_id": assistant_id, "if_not_exists": "create"})


async def _respond(call: CommandCall) -> Run:
    """`input.respond`: answer interrupts. Refused while a run is unfinished, which may be answering them already."""
    params = call.body.params
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
        return await _create_run(
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


async def _create_run(call: CommandCall, given: Mapping[str, Any]) -> Run:
    """Create a run that streams what the protocol needs."""
    body = bodies.parse(RunCreate, compact_json(given))
    creating = await authorized("threads.create_run", replace(call, body=body))
    request = creating.body.model_copy(
        update={"stream_mode": PROTOCOL_MODES, "stream_subgraphs": True, "stream_resumable": True}
    )
    services = call.services
    by = await creating.creator()
    return await creation.create_run(services.db, services.graphs(), request, thread_id=call.path["thread_id"], by=by)


async def _subscribe(call: CommandCall) -> JsonObject:
    """`subscription.subscribe`: over HTTP the event stream itself is the subscription."""
    Subscribing.of_command(call.body)
    return {"subscription_id": random_id(), "replayed_events": 0}


async def _unsubscribe(call: CommandCall) -> JsonObject:
    subscription_id = str(call.body.params.get("subscription_id"))
    raise CommandRefused("no_such_subscription", f"Unknown subscription: {subscription_id[:200]}")


async def _refuse_run(_call: CommandCall) -> JsonObject:
    raise CommandRefused("no_such_run", "No active run is bound to this thread.")


_COMMANDS: Final[Mapping[str, Callable[[CommandCall], Awaitable[Run | JsonObject]]]] = {
    _START: _start,
    "input.respond": _respond,
    "subscription.subscribe": _subscribe,
    "subscription.unsubscribe": _unsubscribe,
    "subscription.reconnect": _refuse_run,
    "agent.getTree": _refuse_run,
}
