"""What LangGraph streams for the thread streaming protocol (`astream_events`, version "v3"), as items like `astream`'s.

LangGraph's transformers do the work: messages arrive as content blocks, subgraphs begin and end, and a graph that was
compiled with further transformers streams what those ask for.
"""

from collections.abc import AsyncGenerator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, cast

from langchain_core._api.beta_decorator import (
    suppress_langchain_beta_warning,  # once in a log is once too often for every user of the protocol
)
from langchain_core.language_models._compat_bridge import (
    message_to_events,  # the one that langgraph itself calls; langchain-core has no public name for it
)
from langchain_core.messages import ToolMessage
from langchain_core.runnables import RunnableConfig
from langgraph.stream import ProtocolEvent, StreamTransformer

from langgraph_terms import Graph
from streaming.protocol_view import INPUT_REQUESTED, input_requested

#: The stream modes of a run that the protocol started; no other run may have `lifecycle`.
PROTOCOL_MODES: Final = ("values", "updates", "messages", "tools", "lifecycle", "custom", "tasks", "checkpoints")

#: What of these modes is shown; `tasks` and `checkpoints` are for the server itself.
SHOWN_MODES: Final = frozenset({"values", "updates", "messages", "tools", "lifecycle", "custom", INPUT_REQUESTED})

#: See `slice.Item`.
Item: TypeAlias = tuple[tuple[str, ...], str, Any]


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """A payload that is shown in another namespace than that of the super-step it belongs to."""

    namespace: tuple[str, ...]
    payload: Mapping[str, Any]


class _Checkpoints(StreamTransformer):
    """Makes the graph tell of its checkpoints, which say where super-steps end."""

    required_stream_modes = ("checkpoints",)

    def init(self) -> dict[str, Any]:
        return {}

    def process(self, event: ProtocolEvent) -> bool:  # noqa: ARG002 - LangGraph gives it by name
        return True


async def protocol_items(
    graph: Graph, graph_in: Any, config: RunnableConfig, options: Mapping[str, Any]
) -> AsyncGenerator[Item, None]:
    """Run the graph; the items of it and of all its subgraphs. Raises what the graph raises."""
    with suppress_langchain_beta_warning():
        started = await cast(Any, graph).astream_events(
            graph_in, config, version="v3", transformers=[_Checkpoints], **options
        )
    told: set[str] = set()
    async with started as run:
        async for event in run:
            for item in _items(event, told):
                yield item


def _items(event: ProtocolEvent, told: set[str]) -> Iterator[Item]:
    """The items of one event; `told` are the interrupts that the graph around them is not to tell again."""
    method, params = event["method"], event["params"]
    path, data = tuple(params["namespace"]), params["data"]
    match method:
        case "values":
            for interrupt in params.get("interrupts", ()):
                if interrupt.id not in told:
                    told.add(interrupt.id)
                    yield path, INPUT_REQUESTED, input_requested(interrupt.id, interrupt.value)
            yield path, method, data
        case "messages":
            # Parts of messages as models stream them; a message that a node returns whole is in its `values`.
            if isinstance(data[0], dict):
                yield path, method, data[0]
        case "lifecycle":
            yield from _lifecycle_items(data)
        case "tools":
            yield path, method, data
            yield from _tool_message_items(path, data)
        case _ if method.startswith("custom:"):
            # A channel of a transformer of the graph's own.
            yield path, "custom", {"name": method.removeprefix("custom:"), "payload": data}
        case _:
            yield path, method, data


def _lifecycle_items(data: Mapping[str, Any]) -> Iterator[Item]:
    """The beginning or end of a subgraph, which is part of the super-step around it."""
    path = tuple(data["namespace"])
    if data["event"] == "started":
        yield path[:-1], "lifecycle", Elsewhere(path, data)
    elif data["event"] != "drained":
        shown = {name: data[name] for name in ("event", "error") if name in data}
        yield path[:-1], "lifecycle", Elsewhere(path, {**shown, "graph_name": path[-1].partition(":")[0]})


def _tool_message_items(path: tuple[str, ...], data: Mapping[str, Any]) -> Iterator[Item]:
    """What a tool answered, as a message in a namespace of its own."""
    message = data.get("output")
    if not isinstance(message, ToolMessage):
        return
    namespace = (*path, f"tools:{message.tool_call_id}")
    for part in message_to_events(message):
        shown: dict[str, Any] = {**part}
        if part["event"] == "message-start":
            shown |= {"role": "tool", "tool_call_id": message.tool_call_id}
        elif part["event"] == "content-block-delta":
            # Some clients read tools' messages out of `content`, others out of `delta`.
            shown["content"] = {"type": "text", "text": cast(Any, part["delta"]).get("text", "")}
        yield path, "messages", Elsewhere(namespace, shown)
