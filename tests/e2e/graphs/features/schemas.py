"""States and contexts that are classes, and the values they refuse."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from typing import Annotated, Any, TypedDict

from langgraph.graph import START, StateGraph
from langgraph.runtime import Runtime, get_runtime
from langgraph.types import interrupt
from pydantic import BaseModel, Field


def joined(old: list[str], new: list[str]) -> list[str]:
    return old + new


class Address(BaseModel):
    street: str
    number: int


class Person(BaseModel):
    name: str
    age: int = Field(ge=0)
    address: Address | None = None
    log: Annotated[list[str], joined] = []


async def move(person: Person) -> dict[str, Any]:
    return {"address": Address(street="Elm", number=person.age), "log": [f"{person.name} moves"]}


def confirm(person: Person) -> dict[str, Any]:
    assert isinstance(person.address, Address)
    return {"log": [f"confirmed: {interrupt(person.address)}"]}


pydantic = StateGraph(Person).add_sequence([move, confirm]).add_edge(START, "move").compile()


@dataclass
class Point:
    x: int
    y: int = 0
    path: Annotated[list[tuple[int, int]], lambda old, new: old + new] = field(default_factory=list)


async def step(point: Point) -> dict[str, Any]:
    return {"x": point.x + 1, "path": [(point.x, point.y)]}


async def end(point: Point) -> Point:
    return Point(x=point.x, y=7, path=[])


dataclass_state = StateGraph(Point).add_sequence([step, end]).add_edge(START, "step").compile()


class Told(TypedDict, total=False):
    told: Any


class Color(Enum):
    RED = "red"


class Classes(TypedDict, total=False):
    address: Address
    point: Point
    color: Color
    moment: datetime
    told: list[str]


async def fill(_: Classes) -> Classes:
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    return {"address": Address(street="Elm", number=1), "point": Point(x=1), "color": Color.RED, "moment": moment}


async def tell_classes(state: Classes) -> Classes:
    """After a pause, so that they come from the checkpoint."""
    interrupt(Address(street="Oak", number=2))
    return {"told": [type(value).__name__ for value in state.values()]}


classes = StateGraph(Classes).add_sequence([fill, tell_classes]).add_edge(START, "fill").compile()


@dataclass
class Settings:
    model: str = "small"
    limits: dict[str, int] = field(default_factory=dict)


class StrictSettings(BaseModel):
    model: str
    temperature: float = 0.5


async def tell_dataclass(_: Told, runtime: Runtime[Settings]) -> Told:
    return {"told": [runtime.context.model, runtime.context.limits]}


def tell_pydantic(_: Told) -> Told:
    context = get_runtime(StrictSettings).context
    return {"told": [context.model, context.temperature]}


context_dataclass = (
    StateGraph(Told, context_schema=Settings).add_node(tell_dataclass).add_edge(START, "tell_dataclass").compile()
)
context_pydantic = (
    StateGraph(Told, context_schema=StrictSettings).add_node(tell_pydantic).add_edge(START, "tell_pydantic").compile()
)
