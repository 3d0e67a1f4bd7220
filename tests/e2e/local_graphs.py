"""Runs the served graphs in this process: what LangGraph itself streams is what the server must send."""

import dataclasses
import importlib.util
import json
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Any

from langchain_core.messages import BaseMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.pregel import Pregel
from langgraph.types import Command, Interrupt, Send
from pydantic import BaseModel

_CONFIG = {"configurable": {"thread_id": "local"}}

PROJECT = Path(__file__).parent / "graphs"


def load(graph_id: str) -> Pregel[Any, Any, Any, Any]:
    """The graph that langgraph.json calls `graph_id`, with a checkpointer in memory."""
    entry: str = json.loads((PROJECT / "langgraph.json").read_text())["graphs"][graph_id]
    file, _, variable = entry.partition(":")
    path = (PROJECT / file).resolve()
    spec = importlib.util.spec_from_file_location(f"e2e_{path.stem}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where checkpoints look for the classes of a state
    spec.loader.exec_module(module)
    graph: Pregel[Any, Any, Any, Any] = getattr(module, variable)
    graph.checkpointer = InMemorySaver()  # not by `copy`, which forgets the classes of the state
    return graph


async def events(
    graph_id: str, graph_input: Any, modes: Sequence[str], *, subgraphs: bool = False
) -> AsyncIterator[tuple[str, Any]]:
    """(event name, data) as the server should name and order them; data still holds message objects."""
    native = ["messages" if mode == "messages-tuple" else mode for mode in modes]
    stream = load(graph_id).astream(graph_input, _CONFIG, stream_mode=native, subgraphs=True)  # type: ignore[arg-type]
    async for namespace, mode, chunk in stream:
        if subgraphs or not namespace:
            yield "|".join([mode, *namespace]), chunk


async def callbacks(graph_id: str, graph_input: Any) -> AsyncIterator[tuple[str, str]]:
    """(event, name) of `astream_events`, without what the graph itself streams."""
    graph = load(graph_id)
    graph.name = graph_id
    async for told in graph.astream_events(graph_input, _CONFIG, version="v2", stream_mode=["values"]):
        if (told["event"], told["name"]) != ("on_chain_stream", graph_id):
            yield told["event"], told["name"]


class LocalThread:
    """A thread in this process, which takes what the server takes as the body of a run."""

    def __init__(self, graph_id: str) -> None:
        self._graph = load(graph_id)

    async def run(self, body: Mapping[str, Any]) -> AsyncIterator[tuple[str, Any]]:
        """What `events` yields for any run; an exception is its last event."""
        options = {name: body.get(name) for name in ("interrupt_before", "interrupt_after", "durability")}
        stream = self._graph.astream(
            _command(body["command"]) if "command" in body else body["input"],
            {**body.get("config", {}), **_CONFIG},
            context=body.get("context"),
            stream_mode=body.get("stream_mode", ["values"]),
            subgraphs=True,
            **options,
        )
        try:
            async for namespace, mode, chunk in stream:
                if body.get("stream_subgraphs") or not namespace:
                    yield "|".join([mode, *namespace]), chunk
        except Exception as error:  # noqa: BLE001 - whatever a graph raises is to be compared
            yield "error", {"error": type(error).__name__, "message": _text(error)}

    async def questions(self) -> list[str]:
        """The ids of the questions that wait."""
        state = await self._graph.aget_state(_CONFIG)
        return [question.id for task in state.tasks for question in task.interrupts]

    async def comparable_state(self) -> Any:
        """What `comparable_state` makes of the server's; None where the graph cannot show it."""
        try:
            state = await self._graph.aget_state(_CONFIG)
        except Exception:  # noqa: BLE001 - user code, see `run`
            return None
        tasks = [[task.name, _repr(task.error), task.interrupts, task.result] for task in state.tasks]
        return _as_json([state.values, state.next, tasks])


def comparable_state(shown: Mapping[str, Any]) -> Any:
    """A thread's state as the server shows it, without what differs between two executions; None for a refusal."""
    if "detail" in shown:
        return None
    tasks = [[task[key] for key in ("name", "error", "interrupts", "result")] for task in shown["tasks"]]
    return _as_json([shown["values"], shown["next"], tasks])


def _command(body: Mapping[str, Any]) -> Command[Any]:
    goto = body.get("goto", ())
    update = body.get("update")
    return Command(
        resume=body.get("resume"),
        update=[tuple(pair) for pair in update] if isinstance(update, list) else update,
        goto=[_destination(place) for place in goto] if isinstance(goto, list | tuple) else _destination(goto),
    )


def _destination(place: str | Mapping[str, Any]) -> str | Send:
    return place if isinstance(place, str) else Send(place["node"], place["input"])


def _repr(error: object) -> str | None:
    return error if error is None or isinstance(error, str) else repr(error)


def _text(error: Exception) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - one of the mistakes is an error without a text
        return f"<{type(error).__name__}>"


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
            told = {key: data.get(key) for key in ("name", "input", "triggers", "error", "result", "interrupts")}
        case _:
            told = data
    return _as_json([name, told])


def _checkpoint(payload: Any) -> Any:
    """What a checkpoint event says about the graph."""
    metadata = {key: payload["metadata"][key] for key in ("source", "step")}
    return payload["values"], metadata, payload["next"], [task["name"] for task in payload["tasks"]]


def _as_json(value: Any) -> Any:
    """State as JSON has it, messages reduced to who says what, interrupts to what they ask."""
    value = _plain(value)
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


def _plain(value: Any) -> Any:
    """What JSON has no word for, in terms of what it has."""
    match value:
        case BaseMessage() | Interrupt():
            return value
        case Enum():
            return value.value
        case datetime():
            return value.isoformat()
        case BaseModel():
            return value.model_dump()
        case Exception():
            return {"error": type(value).__name__, "message": _text(value)}
        case _:
            return dataclasses.asdict(value) if dataclasses.is_dataclass(value) else value
