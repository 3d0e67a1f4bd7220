"""Nodes with a retry policy, and nodes with a cache policy."""

import operator
from collections import Counter
from typing import Annotated, Any, TypedDict

from langgraph.cache.memory import InMemoryCache
from langgraph.config import get_stream_writer
from langgraph.graph import START, StateGraph
from langgraph.types import CachePolicy, RetryPolicy

#: How often a node ran in this process, by what it was given.
ran: Counter[str] = Counter()


class Work(TypedDict, total=False):
    key: str
    failures: int
    log: Annotated[list[str], operator.add]


class Flaky(Exception):
    pass


async def flaky(state: Work) -> Work:
    ran[state["key"]] += 1
    get_stream_writer()(f"attempt {ran[state['key']]}")
    if ran[state["key"]] <= state["failures"]:
        raise Flaky(f"failure {ran[state['key']]}")
    return {"log": [f"worked at attempt {ran[state['key']]}"]}


three_times = RetryPolicy(initial_interval=0.01, max_attempts=3, retry_on=Flaky)
retried = StateGraph(Work).add_node(flaky, retry_policy=three_times).add_edge(START, "flaky").compile()


async def expensive(state: Work) -> Work:
    ran[state["key"]] += 1
    return {"log": [f"run {ran[state['key']]}"]}


def cached(cache: Any, ttl: int | None = None) -> Any:
    builder = StateGraph(Work).add_node(expensive, cache_policy=CachePolicy(ttl=ttl)).add_edge(START, "expensive")
    return builder.compile(cache=cache)


cached_by_server = cached(None)
cached_briefly = cached(None, ttl=1)
cached_by_itself = cached(InMemoryCache())
