"""The Model Context Protocol: every assistant is a tool, every call a run without a thread.

Over stateless Streamable HTTP: there are no sessions, the server sends no messages of its own, and responses are plain
JSON.
"""

from typing import Any, Final, cast

from api import mcp_tools
from api.context import Call
from compact_json import compact_json
from errors import Unprocessable
from http_messages import HttpResponse, Reply, json_response
from settings import VERSION
from wire.bodies import JsonObject, parse_json
from wire.json_rpc import METHOD_NOT_FOUND, RequestId, RpcRefusal, error_text, is_object, is_request_id, result_text

AnyCall = Call[Any, Any]

#: The versions with an `initialize` handshake, oldest first.
PROTOCOL_VERSIONS: Final = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")


async def post(call: AnyCall) -> Reply:
    """Answer one message. Notifications and responses of the client are only accepted."""
    accepted = call.request.headers.get("accept", "")
    if not any(kind in accepted for kind in ("application/json", "text/event-stream", "application/*", "*/*")):
        return _malformed("Accept header must include application/json or text/event-stream")
    try:
        message = parse_json(call.request.body)
    except Unprocessable:
        return _malformed("Invalid JSON")
    if not isinstance(message, dict):
        return _malformed("Invalid message format: one JSON-RPC message is expected, not a batch.")
    message = cast(JsonObject, message)
    if message.get("jsonrpc") != "2.0":
        return _malformed("Invalid JSON-RPC message. Missing or invalid jsonrpc version.")
    if not is_request_id(message.get("id")):
        return _malformed("Invalid JSON-RPC message: id must be a string or an integer.")
    if "method" not in message or "id" not in message:
        is_expected = "method" in message or "result" in message or "error" in message
        return HttpResponse(202) if is_expected else _malformed("Invalid message format: there is no method.")
    return json_response(await _answer(call, message))


async def open_stream(_call: AnyCall) -> Reply:
    """Refuse, because the server sends no messages of its own."""
    return HttpResponse(405, {"allow": "POST"})


async def end_session(_call: AnyCall) -> Reply:
    """Refuse, because there are no sessions."""
    return HttpResponse(404)


async def _answer(call: AnyCall, message: JsonObject) -> str:
    request_id: RequestId = message["id"]
    params = message.get("params")
    try:
        return result_text(request_id, await _result(call, message["method"], params if is_object(params) else {}))
    except RpcRefusal as refusal:
        return error_text(request_id, refusal.code, str(refusal))


async def _result(call: AnyCall, method: Any, params: JsonObject) -> JsonObject:
    match method:
        case "initialize":
            return _welcome(params)
        case "ping":
            return {}
        case "tools/list":
            return await mcp_tools.list_tools(call, params)
        case "tools/call":
            return await mcp_tools.call_tool(call, params)
        case _:
            raise RpcRefusal(METHOD_NOT_FOUND, f"Method not found: {method}")


def _welcome(params: JsonObject) -> JsonObject:
    wanted = params.get("protocolVersion")
    return {
        "protocolVersion": wanted if wanted in PROTOCOL_VERSIONS else PROTOCOL_VERSIONS[-1],
        "capabilities": {"tools": {"listChanged": False}},
        "serverInfo": {"name": "LangGraph", "version": VERSION},
    }


def _malformed(reason: str) -> Reply:
    return json_response(compact_json({"error": reason}), 400)
