"""Interrupts: in several nodes at once, twice in one node, in a subgraph of a subgraph, in a tool."""

import operator
from typing import Annotated, Any, TypedDict

from langgraph.graph import START, StateGraph
from langgraph.types import interrupt
from pydantic import BaseModel


class Answers(TypedDict, total=False):
    answers: Annotated[list[Any], operator.add]


class Question(BaseModel):
    text: str
    choices: list[int]


async def first(_: Answers) -> Answers:
    return {"answers": [["first", interrupt("first?")]]}


def second(_: Answers) -> Answers:
    """A sync node, and a question that is no JSON value."""
    return {"answers": [["second", interrupt(Question(text="second?", choices=[1, 2]))]]}


async def join(state: Answers) -> Answers:
    return {"answers": ["joined"]}


at_once = (
    StateGraph(Answers)
    .add_node(first)
    .add_node(second)
    .add_node(join)
    .add_edge(START, "first")
    .add_edge(START, "second")
    .add_edge(["first", "second"], "join")
    .compile()
)


async def twice(_: Answers) -> Answers:
    one = interrupt({"number": 1})
    return {"answers": [one, interrupt({"number": 2, "after": one})]}


async def before(_: Answers) -> Answers:
    return {"answers": ["before"]}


inner = StateGraph(Answers).add_sequence([before, twice]).add_edge(START, "before").compile()
middle = StateGraph(Answers).add_node("inner", inner).add_edge(START, "inner").compile()
nested = StateGraph(Answers).add_node("middle", middle).add_node(join).add_edge(START, "middle")
nested = nested.add_edge("middle", "join").compile()
