"""The HTTP side of A2A: JSON-RPC requests to an assistant, and its card."""

from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

import ids
from api import assistants
from api.a2a import CardQuery
from api.a2a.cards import card
from api.a2a.methods import Agent
from api.a2a.speech import Speech, Version
from api.assistant_graphs import opened
from api.context import Call
from compact_json import compact_json
from errors import BadRequest, NotFound, Unprocessable
from graphs.inputs import Input, input_of
from http_messages import EVENT_STREAM_HEADERS, Reply, Streamed, json_response
from streaming.sse import HEARTBEAT
from tables.assistants import Assistant
from wire.a2a import ListParams, SendParams, TaskParams
from wire.bodies import JsonObject, explain, parse_json
from wire.json_rpc import (
    INVALID_PARAMS,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    PARSE_ERROR,
    RequestId,
    RpcRefusal,
    error_text,
    is_object,
    is_request_id,
    result_text,
)

AnyCall = Call[Any, Any]
ParamsT = TypeVar("ParamsT", bound=BaseModel)

#: The methods of both versions, with the operation and the version of each.
_METHODS: Final[dict[str, tuple[str, Version]]] = {
    "message/send": ("send", "0.3"),
    "message/stream": ("stream", "0.3"),
    "tasks/get": ("get", "0.3"),
    "tasks/cancel": ("cancel", "0.3"),
    "SendMessage": ("send", "1.0"),
    "SendStreamingMessage": ("stream", "1.0"),
    "GetTask": ("get", "1.0"),
    "CancelTask": ("cancel", "1.0"),
    "ListTasks": ("list", "1.0"),
    "GetExtendedAgentCard": ("card", "1.0"),
}


async def post(call: AnyCall) -> Reply:
    """Carry out one request."""
    try:
        message = parse_json(call.request.body)
    except Unprocessable:
        return json_response(error_text(None, PARSE_ERROR, "Invalid JSON payload"))
    if not is_object(message) or not is_request_id(message.get("id")) or message.get("jsonrpc") != "2.0":
        return json_response(error_text(None, INVALID_REQUEST, "Not a JSON-RPC 2.0 request"))
    request_id: RequestId = message.get("id")
    method, params = message.get("method"), message.get("params") or {}
    call = replace(call, says={"method": method, "params": params})
    try:
        return await _carried_out(call, request_id, method, params)
    except RpcRefusal as refusal:
        return json_response(error_text(request_id, refusal.code, str(refusal)))


async def get_card(call: AnyCall) -> Reply:
    """The card of the assistant in the path."""
    return await _card(call, call.path["assistant_id"])


async def get_card_by_query(call: Call[None, CardQuery]) -> Reply:
    """The card of the assistant in the query."""
    if call.query.assistant_id is None:
        return _no_card("Missing required query parameter: assistant_id")
    return await _card(call, call.query.assistant_id)


async def _card(call: AnyCall, assistant_id: str) -> Reply:
    try:
        assistant, takes = await _assistant(call, assistant_id)
    except RpcRefusal as refusal:
        return _no_card(str(refusal))
    return json_response(compact_json(card(call, assistant, takes)))


def _no_card(reason: str) -> Reply:
    return json_response(compact_json({"error": {"code": INVALID_PARAMS, "message": reason}, "detail": reason}), 400)


async def _carried_out(call: AnyCall, request_id: RequestId, method: Any, params: Any) -> Reply:
    if not isinstance(method, str) or method not in _METHODS:
        raise RpcRefusal(METHOD_NOT_FOUND, f"Method not found: {method}")
    action, version = _METHODS[method]
    assistant, takes = await _assistant(call, call.path["assistant_id"])
    agent = Agent(call=call, assistant_id=assistant.assistant_id, fields=takes.fields, speech=Speech(version))
    match action:
        case "stream":
            updates = await agent.stream(_checked(SendParams, params))
            headers = {**EVENT_STREAM_HEADERS, "content-type": "text/event-stream"}
            return Streamed(headers, _frames(request_id, updates))
        case "send":
            result = await agent.send(_checked(SendParams, params))
        case "get":
            result = await agent.get(_checked(TaskParams, params))
        case "cancel":
            result = await agent.cancel(_checked(TaskParams, params))
        case "list":
            result = await agent.list_tasks(_checked(ListParams, params))
        case _:
            result = card(call, assistant, takes)
    return json_response(result_text(request_id, result))


async def _assistant(call: AnyCall, assistant_id: str) -> tuple[Assistant, Input]:
    """The assistant, and the input of its graph."""
    canonical = ids.canonical(assistant_id)
    if canonical is None:
        raise RpcRefusal(INVALID_PARAMS, "Invalid assistant ID: must be a UUID")
    access = await call.runnable_assistants(canonical)
    try:
        assistant, _ = await assistants.read(replace(call, access=access, path={"assistant_id": canonical}))
    except NotFound as error:
        raise RpcRefusal(INVALID_PARAMS, f"Assistant '{canonical}' not found") from error
    try:
        async with opened(call, assistant) as graph:
            return assistant, input_of(graph, assistant.graph_id)
    except BadRequest as error:
        raise RpcRefusal(INVALID_PARAMS, str(error)) from error


def _checked(model: type[ParamsT], params: Any) -> ParamsT:
    try:
        return model.model_validate(params)
    except ValidationError as error:
        raise RpcRefusal(INVALID_PARAMS, explain(error)) from error


async def _frames(request_id: RequestId, updates: AsyncGenerator[JsonObject | None]) -> AsyncGenerator[str]:
    async for update in updates:
        yield HEARTBEAT if update is None else f"event: message\r\ndata: {result_text(request_id, update)}\r\n\r\n"
