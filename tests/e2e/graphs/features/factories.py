"""Factories: with a config, with a `ServerRuntime`, async, and as a context manager around a run."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypedDict

from langchain_core.runnables import RunnableConfig
from langgraph.graph import START, StateGraph
from langgraph_sdk.runtime import ServerRuntime

#: Graphs that are open now.
opened: Counter[str] = Counter()


class Told(TypedDict, total=False):
    told: Any


def telling(what: Any) -> Any:
    async def tell(_: Told) -> Told:
        return {"told": what() if callable(what) else what}

    return StateGraph(Told).add_node(tell).add_edge(START, "tell")


def of_config(config: RunnableConfig) -> Any:
    return telling(config["configurable"].get("word", "no word"))


async def of_runtime(runtime: ServerRuntime[Any]) -> Any:
    has_store = await runtime.store.aget(("nobody",), "nothing") is None
    return telling([runtime.access_context, has_store, runtime.execution_runtime is not None]).compile()


async def of_both(config: RunnableConfig, runtime: ServerRuntime[Any]) -> Any:
    return telling([config["configurable"].get("word", "no word"), runtime.access_context]).compile()


@asynccontextmanager
async def around(config: RunnableConfig) -> AsyncIterator[Any]:
    """Open as long as its run, even one that fails."""
    opened["around"] += 1
    try:
        yield telling(lambda: _open_count(config)).compile()
    finally:
        opened["around"] -= 1


def _open_count(config: RunnableConfig) -> int:
    if config["configurable"].get("word") == "fail":
        raise ValueError(f"{opened['around']} open")
    return opened["around"]


def failing() -> Any:
    raise LookupError("no such model")
