"""JSON schemas of every kind of graph, including graphs whose types have none."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import pytest
from langgraph.func import entrypoint
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.graph.message import add_messages
from langgraph.managed import RemainingSteps
from langgraph.pregel import Pregel
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from graphs.schemas import input_schema, schemas, takes_messages


class Opaque:
    """A type that pydantic knows nothing about."""


class Hostile:
    """A type that fails in its own way."""

    @classmethod
    def __get_pydantic_core_schema__(cls, *_: object) -> object:
        raise ZeroDivisionError("a bug of somebody else's")


class Item(BaseModel):
    price: float


class ModelState(BaseModel):
    items: list[Item] = Field(default_factory=list)


@dataclass
class DataState:
    topic: str
    tries: int = 0


class OpaqueState(TypedDict):
    topic: str
    items: list[Item]
    opaque: Opaque
    hostile: Hostile
    call: Callable[[], None]
    left: RemainingSteps


class Context(TypedDict):
    user: str


def graph(state: Any, **options: Any) -> Pregel[Any, Any, Any, Any]:
    builder = StateGraph(state, **options)
    builder.add_node("node", lambda state: {})
    builder.add_edge(START, "node")
    return builder.compile(name="named")


def test_a_pydantic_state() -> None:
    described = schemas(graph(ModelState))
    assert described["input_schema"] == ModelState.model_json_schema()
    assert described["state_schema"] is not None
    assert described["state_schema"]["title"] == "named_state"
    assert "Item" in described["state_schema"]["$defs"]


def test_a_dataclass_state() -> None:
    described = schemas(graph(DataState))
    assert described["input_schema"] is not None
    assert described["input_schema"]["properties"]["topic"] == {"title": "Topic", "type": "string"}
    assert described["input_schema"]["title"] == "named_input"


def test_messages_are_told_from_a_list_of_that_name() -> None:
    class Plain(TypedDict):
        messages: list[str]

    class Own(TypedDict):
        messages: Annotated[list[Any], add_messages]

    assert takes_messages(input_schema(graph(MessagesState)))
    assert not takes_messages(input_schema(graph(Plain)))
    assert not takes_messages(input_schema(graph(Own)))


def test_a_context_schema_is_the_config_schema_as_well() -> None:
    described = schemas(graph(ModelState, context_schema=Context))
    assert described["context_schema"] == described["config_schema"]
    assert described["context_schema"] is not None
    assert described["context_schema"]["properties"] == {"user": {"title": "User", "type": "string"}}


def test_an_entrypoint() -> None:
    @entrypoint()
    async def workflow(wanted: dict[str, Any]) -> dict[str, Any]:
        return wanted

    described = schemas(workflow.copy({"name": "func"}))
    assert described["input_schema"] == {"additionalProperties": True, "title": "func_input", "type": "object"}
    assert described["output_schema"] == {"additionalProperties": True, "title": "func_output", "type": "object"}
    assert described["state_schema"] is not None
    assert described["state_schema"]["title"] == "func_state"


@pytest.mark.parametrize("name", ["input_schema", "output_schema", "state_schema"])
def test_what_has_no_schema_is_anything_and_the_rest_is_still_described(name: str) -> None:
    described = schemas(graph(OpaqueState))[name]
    assert described is not None
    properties = described["properties"]
    assert properties["topic"] == {"type": "string"}
    assert properties["items"] == {"items": {"$ref": "#/$defs/Item"}, "type": "array"}
    assert described["$defs"]["Item"]["properties"]["price"] == {"title": "Price", "type": "number"}
    assert properties["opaque"] == properties["hostile"] == {}
    assert "left" not in properties
    assert json.dumps(described)


def test_a_context_that_has_no_schema_is_anything() -> None:
    assert schemas(graph(ModelState, context_schema=Opaque))["context_schema"] == {}
