"""A node that leaves time to store what came before it, then one that retries for ever, whatever happens to it."""

import asyncio
import operator
from concurrent.futures import Future
from typing import Annotated, Any, NoReturn, TypedDict

from langgraph.graph import START, StateGraph


class Attempts(TypedDict):
    log: Annotated[list[str], operator.add]


async def before(_: Attempts) -> dict[str, list[str]]:
    await asyncio.sleep(0.5)
    return {"log": ["before"]}


async def insist(_: Attempts) -> NoReturn:
    while True:
        try:
            await asyncio.sleep(0.1)
            raise ConnectionError
        except:  # noqa: E722 - also its cancellation, as in much that people write
            continue


def insist_blocking(_: Attempts) -> NoReturn:
    while True:
        try:
            Future[None]().result(timeout=0.1)
        except:  # noqa: E722
            continue


def compiled(stubborn: Any) -> Any:
    return StateGraph(Attempts).add_sequence([before, stubborn]).add_edge(START, "before").compile()


graph = compiled(insist)
blocking = compiled(insist_blocking)
