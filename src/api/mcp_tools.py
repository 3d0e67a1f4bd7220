"""The tools of MCP: assistants, the schemas of their arguments, and their runs."""

from dataclasses import replace
from functools import partial
from typing import Any, Final

from api import awaited_runs, thread_runs
from api.assistant_graphs import opened
from api.assistants import ensure_system
from api.context import Call
from compact_json import compact_json
from errors import BadRequest
from graphs.inputs import ANYTHING, Input, input_of
from tables import assistants
from tables.assistants import Assistant
from wire.bodies import JsonObject
from wire.json_rpc import INVALID_PARAMS, RpcRefusal, is_object
from wire.runs import RunCreate

AnyCall = Call[Any, Any]

PAGE_TOOLS: Final = 100

_ANNOTATIONS: Final = {
    "readOnlyHint": False,
    "destructiveHint": False,
    "idempotentHint": False,
    "openWorldHint": True,
}


async def list_tools(call: AnyCall, params: JsonObject) -> JsonObject:
    """A page of the caller's assistants, as tools."""
    offset = _offset(params.get("cursor"))
    access = await call.authorize("assistants.search", {"metadata": {}, "limit": PAGE_TOOLS, "offset": offset})
    page = assistants.select_tools(call.services.registry.graph_ids(), access, limit=PAGE_TOOLS + 1, offset=offset)
    _, rows = await call.services.db.batch([ensure_system(call.services), page])
    inputs: dict[str, Input] = {}
    tools: list[JsonObject] = []
    for row in rows[:PAGE_TOOLS]:
        assistant = Assistant.from_row(row)
        if assistant.graph_id not in inputs:
            inputs[assistant.graph_id] = await _input(call, assistant)
        name = assistant.assistant_id if row["is_shadowed"] else assistant.name
        tools.append(_tool(name, assistant, inputs[assistant.graph_id]))
    more = {"nextCursor": str(offset + PAGE_TOOLS)} if len(rows) > PAGE_TOOLS else {}
    return {"tools": tools, **more}


def _offset(cursor: Any) -> int:
    if cursor is None:
        return 0
    if not (isinstance(cursor, str) and cursor.isascii() and cursor.isdigit() and len(cursor) < 10):
        raise RpcRefusal(INVALID_PARAMS, "Invalid cursor: must be the nextCursor of an earlier answer")
    return int(cursor)


def _tool(name: str, assistant: Assistant, takes: Input) -> JsonObject:
    return {
        "name": name,
        "title": assistant.name,
        "description": assistant.description or f"Tool based on the {assistant.name} assistant",
        "inputSchema": takes.schema,
        "annotations": _ANNOTATIONS,
    }


async def call_tool(call: AnyCall, params: JsonObject) -> JsonObject:
    """Run an assistant and wait for it; a failed run is a result with `isError`."""
    name, arguments = params.get("name"), params.get("arguments", {})
    if not is_object(arguments):
        raise RpcRefusal(INVALID_PARAMS, "arguments must be an object")
    assistant = await _assistant(call, name) if isinstance(name, str) else None
    if assistant is None:
        raise RpcRefusal(INVALID_PARAMS, f"Unknown tool: {name}")
    asked = replace(call, says={"name": name, "arguments": arguments})
    run = await awaited_runs.create(asked, partial(_request, call, assistant, arguments), thread_runs.find)
    values = await awaited_runs.result(call, run)
    if is_object(values) and is_object(error := values.get("__error__")):
        return {"isError": True, "content": [_text(f"{error['error']}: {error['message']}")]}
    return {"content": [_text(values if isinstance(values, str) else compact_json(values))]}


async def _request(call: AnyCall, assistant: Assistant, arguments: JsonObject) -> tuple[RunCreate, None]:
    takes = await _input(call, assistant)
    return RunCreate(assistant_id=assistant.assistant_id, input=takes.run_input(arguments)), None


async def _assistant(call: AnyCall, name: str) -> Assistant | None:
    access = await call.runnable_assistants(name)
    select = assistants.select_tool(name, call.services.registry.graph_ids(), access)
    _, rows = await call.services.db.batch([ensure_system(call.services), select])
    return assistants.first_from_rows(rows)


def _text(text: str) -> JsonObject:
    return {"type": "text", "text": text}


async def _input(call: AnyCall, assistant: Assistant) -> Input:
    try:
        async with opened(call, assistant) as graph:
            return input_of(graph, assistant.graph_id)
    except BadRequest:
        return ANYTHING  # the error belongs to the runs of this one tool
