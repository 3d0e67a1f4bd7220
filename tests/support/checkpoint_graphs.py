"""Graphs and databases that the checkpointer's tests share."""

import operator
from collections.abc import Sequence
from typing import Annotated, Any, TypedDict

from langgraph.channels import DeltaChannel
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages

from errors import DatabaseError
from ports import Database, Row, Statement


class FailingDatabase:
    """Loses the batches whose numbers, counted from 1, are in `failing`."""

    def __init__(self, database: Database, failing: Sequence[int]) -> None:
        self._database = database
        self._failing = failing
        self.batches = 0

    async def batch(self, statements: Sequence[Statement]) -> list[list[Row]]:
        self.batches += 1
        if self.batches in self._failing:
            raise DatabaseError(f"batch {self.batches} was lost")
        return await self._database.batch(statements)


class Conversation(TypedDict):
    messages: Annotated[list[Any], add_messages]
    document: dict[str, str]


def conversation(*speakers: str) -> StateGraph:
    """Each speaker in turn adds a message; `document` is only ever what the input says."""

    def speaks(name: str) -> Any:
        return lambda state: {"messages": [("ai", f"{name} answers {len(state['messages'])}")]}

    return chain(StateGraph(Conversation), {name: speaks(name) for name in speakers})


def chain(builder: StateGraph, nodes: dict[str, Any]) -> StateGraph:
    previous = START
    for name, node in nodes.items():
        builder.add_node(name, node)
        builder.add_edge(previous, name)
        previous = name
    builder.add_edge(previous, END)
    return builder


def extend(state: list[str], writes: Sequence[list[str]]) -> list[str]:
    return [*state, *(item for write in writes for item in write)]


def deltas(snapshot_frequency: int) -> StateGraph:
    """Two delta channels written by two parallel nodes and one after them, beside a channel of the common kind."""

    class Deltas(TypedDict):
        log: Annotated[list[str], DeltaChannel(extend, snapshot_frequency=snapshot_frequency)]
        rare: Annotated[list[str], DeltaChannel(extend, snapshot_frequency=snapshot_frequency * 3)]
        count: Annotated[int, operator.add]

    def node(name: str, *, rare: bool = False) -> Any:
        def write(state: Deltas) -> dict[str, Any]:
            own = {"log": [f"{name}{state['count']}"], "count": 1}
            return {**own, "rare": [name]} if rare else own

        return write

    builder = StateGraph(Deltas)
    builder.add_node("left", node("left"))
    builder.add_node("right", node("right"))
    builder.add_node("last", node("last", rare=True))
    builder.add_edge(START, "left")
    builder.add_edge(START, "right")
    builder.add_edge(["left", "right"], "last")
    builder.add_edge("last", END)
    return builder
