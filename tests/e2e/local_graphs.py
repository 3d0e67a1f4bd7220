"""The served graphs run in this process too: what LangGraph itself streams is what the server has to send."""

import importlib.util
import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from langchain_core.messages import BaseMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.pregel import Pregel
from langgraph.types import Interrupt

PROJECT = Path(__file__).parent / "graphs"


def load(graph_id: str) -> Pregel[Any, Any, Any, Any]:
    """The graph that langgraph.json calls `graph_id`, with a checkpointer in memory."""
    entry: str = json.loads((PROJECT / "langgraph.json").read_text())["graphs"][graph_id]
    file, _, variable = entry.partition(":")
    path = (PROJECT / file).resolve()
    spec = importlib.util.spec_from_file_location(f"e2e_{path.stem}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    graph: Pregel[Any, Any, Any, Any] = getattr(module, variable)
    return graph.copy(update={"checkpointer": InMemorySaver()})


async def events(
    graph_id: str, graph_input: Any, modes: Sequence[str], *, subgraphs: bool = False
) -> AsyncIterator[tuple[str, Any]]:
    """(event name, data) as the server should name and order them; data still holds message objects."""
    config = {"configurable": {"thread_id": "local"}}
    native = ["messages" if mode == "messages-tuple" else mode for mode in modes]
    stream = load(graph_id).astream(graph_input, config, stream_mode=native, subgraphs=True)  # type: ignore[arg-type]
    async for namespace, mode, chunk in stream:
        if subgraphs or not namespace:
            yield "|".join([mode, *namespace]), chunk


def comparable(event: str, data: Any) -> Any:
    """An event without what differs between two executions (ids, times, metadata, configuration), as JSON."""
    mode, *namespace = event.split("|")
    name = "|".join([mode, *(segment.partition(":")[0] for segment in namespace)])
    match mode:
        case "messages":
            chunk, metadata = data
            told: Any = chunk, metadata["langgraph_node"], metadata["langgraph_step"]
        case "checkpoints":
            told = _checkpoint(data)
        case "debug":
            payload = data["payload"]
            told = data["step"], data["type"], _checkpoint(payload) if data["type"] == "checkpoint" else payload["name"]
        case "tasks":
            told = {key: data.get(key) for key in ("name", "input", "triggers", "result", "interrupts")}
        case _:
            told = data
    return _as_json([name, told])


def _checkpoint(payload: Any) -> Any:
    """What a checkpoint event says about the graph."""
    metadata = {key: payload["metadata"][key] for key in ("source", "step")}
    return payload["values"], metadata, payload["next"], [task["name"] for task in payload["tasks"]]


def _as_json(value: Any) -> Any:
    """State as JSON has it, messages reduced to who says what, interrupts to what they ask."""
    match value:
        case BaseMessage():
            return [value.type, value.content]
        case {"type": str(kind), "content": content}:
            return [kind, content]
        case Interrupt(value=asked) | {"value": asked, "id": str()}:
            return {"asked": _as_json(asked)}
        case dict():
            return {key: _as_json(item) for key, item in value.items()}
        case list() | tuple():
            return [_as_json(item) for item in value]
        case _:
            return value
