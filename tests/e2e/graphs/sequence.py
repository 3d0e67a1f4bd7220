"""Four nodes in sequence, sync and async; each reports where it is and appends one line."""

import operator
from typing import Annotated

from langgraph.config import get_stream_writer
from langgraph.graph import START, StateGraph
from typing_extensions import TypedDict  # pydantic describes no other before Python 3.12


class Article(TypedDict):
    topic: str
    messages: Annotated[list[str], operator.add]


def work(node: str, state: Article) -> dict[str, list[str]]:
    get_stream_writer()({"stage": node})
    return {"messages": [f"{node}:{state['topic']}"]}


def planner(state: Article) -> dict[str, list[str]]:
    return work("planner", state)


async def researcher(state: Article) -> dict[str, list[str]]:
    return work("researcher", state)


def writer(state: Article) -> dict[str, list[str]]:
    return work("writer", state)


async def editor(state: Article) -> dict[str, list[str]]:
    return work("editor", state)


builder = StateGraph(Article).add_sequence([planner, researcher, writer, editor])
graph = builder.add_edge(START, "planner").compile()
