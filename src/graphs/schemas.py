"""A graph's input, output and state as JSON schemas.

A graph's types are user code, and not every Python type has a JSON schema. A type without one is described as any
value, so that the rest of a state can still be described.
"""

import logging
from collections.abc import Callable, Iterable
from typing import Any, Final, TypeAlias

from langchain_core.utils.pydantic import create_model_v2
from langgraph.channels.base import BaseChannel
from langgraph.graph.state import CompiledStateGraph
from langgraph.pregel import Pregel
from pydantic import TypeAdapter

logger = logging.getLogger(__name__)

Graph: TypeAlias = Pregel[Any, Any, Any, Any]
JsonSchema: TypeAlias = dict[str, Any]

_DEFINITIONS: Final = "$defs"


def schemas(graph: Graph) -> dict[str, JsonSchema | None]:
    """All five schemas. A graph without a context schema accepts any configuration."""
    context = _context(graph)
    return {
        "input_schema": input_schema(graph),
        "output_schema": _schema(graph.get_output_jsonschema, graph, "Output", _listed(graph.output_channels)),
        "state_schema": _schema(lambda: _state(graph), graph, "State", graph.stream_channels_list),
        "config_schema": context or {},
        "context_schema": context,
    }


def input_schema(graph: Graph) -> JsonSchema:
    """The schema of the input of a run."""
    return _schema(graph.get_input_jsonschema, graph, "Input", _input_channels(graph))


def takes_messages(schema: JsonSchema) -> bool:
    """Whether an input schema has a conversation at `messages`: LangChain's messages, not just a list of that name."""
    return "messages" in schema.get("properties", {}) and "HumanMessage" in schema.get(_DEFINITIONS, {})


def _context(graph: Graph) -> JsonSchema | None:
    try:
        return graph.get_context_jsonschema()
    except Exception as error:  # noqa: BLE001 - see the module's docstring
        _tell(graph, "context", error)
        return {}


def _state(graph: Graph) -> JsonSchema:
    fields = {name: (_type(graph, name), None) for name in graph.stream_channels_list}
    return create_model_v2(graph.get_name("State"), field_definitions=fields).model_json_schema()


def _schema(make: Callable[[], JsonSchema], graph: Graph, kind: str, channels: Iterable[str]) -> JsonSchema:
    try:
        return make()
    except Exception as error:  # noqa: BLE001 - see the module's docstring
        _tell(graph, kind.lower(), error)
    definitions: dict[str, JsonSchema] = {}
    names = [name for name in channels if not name.startswith("__") and isinstance(graph.channels[name], BaseChannel)]
    properties = {name: _field(_type(graph, name), definitions) for name in names}
    schema = {"properties": properties, "title": graph.get_name(kind), "type": "object"}
    return {_DEFINITIONS: definitions, **schema} if definitions else schema


def _field(kind: Any, definitions: dict[str, JsonSchema]) -> JsonSchema:
    try:
        schema = TypeAdapter(kind).json_schema()
    except Exception:  # noqa: BLE001 - see the module's docstring
        return {}
    definitions.update(schema.pop(_DEFINITIONS, {}))
    return schema


def _type(graph: Graph, name: str) -> Any:
    """The type of values that may be written to a channel."""
    channel = graph.channels[name]
    assert isinstance(channel, BaseChannel), "managed values are in no list of channels"
    return channel.UpdateType


def _input_channels(graph: Graph) -> Iterable[str]:
    """A state graph has one input channel, from which its first super-step fills the channels of its input schema."""
    if isinstance(graph, CompiledStateGraph):
        return graph.builder.schemas[graph.builder.input_schema]
    return _listed(graph.input_channels)


def _listed(channels: str | Iterable[str]) -> Iterable[str]:
    return [channels] if isinstance(channels, str) else channels


def _tell(graph: Graph, what: str, error: Exception) -> None:
    reason = f"{type(error).__name__}: {error}".partition("\n")[0]
    logger.warning("graph %s: a part of its %s has no JSON schema: %s", graph.name, what, reason)
