"""Sends messages to a queue, which needs the queue's binding."""

import json
from typing import Any, TypedDict

from langgraph.graph import START, StateGraph


class Messages(TypedDict):
    binding: str
    messages: list[Any]


async def post(state: Messages) -> None:
    """Send all of them as one batch, and one that contains itself."""
    # ruff: noqa: PLC0415 - this graph can be imported, but not run, where there is no such platform
    from js import JSON, Array, Object
    from pyodide.ffi import to_js
    from workers import env

    batch = JSON.parse(json.dumps([{"body": message, "contentType": "json"} for message in state["messages"]]))
    endless = Array.new()
    endless.push(endless)
    batch.push(to_js({"body": endless, "contentType": "v8"}, dict_converter=Object.fromEntries))
    queue = getattr(env, state["binding"])
    await getattr(queue, "_binding", queue).sendBatch(batch)


graph = StateGraph(Messages).add_node(post).add_edge(START, "post").compile()
