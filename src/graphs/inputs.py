"""The input of a graph, for callers that know only its schema: MCP tools and A2A agents.

To them, a conversation is one text, which keeps the schema short. Inputs are cached, because describing LangChain's
messages takes a Worker a tenth of a second.
"""

from dataclasses import dataclass
from typing import Any, Final
from weakref import WeakKeyDictionary

from graphs.schemas import Graph, JsonSchema, input_schema, takes_messages

_MESSAGE: Final = {
    "type": "string",
    "title": "Messages",
    "description": "The user message to send to the agent.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """The input of a graph, always in the form of an object, and how a run's input is made from one."""

    schema: JsonSchema
    #: `messages` is a conversation, which the schema describes as a text.
    has_conversation: bool = False
    #: The graph's input is not an object; it is the member `input` of this one.
    is_wrapped: bool = False

    @property
    def fields(self) -> tuple[str, ...]:
        """The names of the object's members."""
        return tuple(self.schema.get("properties", {}))

    def run_input(self, arguments: JsonSchema) -> Any:
        """The input of a run."""
        if self.is_wrapped:
            return arguments.get("input")
        if self.has_conversation and isinstance(text := arguments.get("messages"), str):
            return {**arguments, "messages": [{"role": "user", "content": text}]}
        return arguments


#: An input about which nothing is known.
ANYTHING: Final = Input(schema={"type": "object"})

#: A graph that a factory made for this call is not in here.
_known: Final[WeakKeyDictionary[Graph, Input]] = WeakKeyDictionary()


def input_of(graph: Graph, graph_id: str) -> Input:
    """The input of a graph; `graph_id` is its name in langgraph.json."""
    if graph not in _known:
        _known[graph] = _described(input_schema(graph.copy({"name": graph_id})))
    return _known[graph]


def _described(schema: JsonSchema) -> Input:
    if schema.get("type") != "object":
        wrapped: JsonSchema = {"type": "object", "properties": {"input": schema}, "required": ["input"]}
        return Input(schema=wrapped, is_wrapped=True)
    if takes_messages(schema):
        return Input(schema=_with_text(schema), has_conversation=True)
    return Input(schema=schema)


def _with_text(schema: JsonSchema) -> JsonSchema:
    """The schema with a text in place of a conversation, and without the definitions that only that needed."""
    properties = {**schema["properties"], "messages": _MESSAGE}
    required = [*(name for name in schema.get("required", []) if name != "messages"), "messages"]
    changed = {**schema, "properties": properties, "required": required}
    if "$ref" not in str(properties):
        changed.pop("$defs", None)
    return changed
