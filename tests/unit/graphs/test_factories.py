"""The arguments of factories, and how the graphs that they make are opened and closed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.store.memory import InMemoryStore
from langgraph_sdk.runtime import ServerRuntime

from graphs.factories import Purpose, made

STORE = InMemoryStore()
CONFIG: RunnableConfig = {"configurable": {"word": "w"}}


@dataclass
class Settings:
    model: str = "small"
    limits: list[int] = field(default_factory=list)


def purpose(access: Any = "threads.create_run", context: Any = None) -> Purpose:
    return Purpose(access=access, config=CONFIG, store=STORE, user="Ada", context=context)


def nothing() -> Any:
    return ()


def config(config: RunnableConfig) -> Any:
    return (config,)


def untyped(anything) -> Any:  # type: ignore[no-untyped-def]
    return (anything,)


def positional(config: RunnableConfig, /) -> Any:
    return (config,)


def with_defaults(config: RunnableConfig, model: str = "m", *args: Any, **kwargs: Any) -> Any:
    return (config, model, args, kwargs)


async def runtime(runtime: ServerRuntime) -> Any:
    return (runtime.access_context, runtime.store, runtime.user)


async def both(runtime: ServerRuntime[Settings], config: RunnableConfig) -> Any:
    return (runtime.execution_runtime and runtime.execution_runtime.context, config)


async def any_context(runtime: ServerRuntime[Any]) -> Any:
    return runtime.execution_runtime and runtime.execution_runtime.context


async def keyword_only(*, runtime: ServerRuntime) -> Any:
    return runtime.access_context


@pytest.mark.parametrize(
    ("factory", "expected"),
    [
        (nothing, ()),
        (config, (CONFIG,)),
        (untyped, (CONFIG,)),
        (positional, (CONFIG,)),
        (with_defaults, (CONFIG, "m", (), {})),
        (runtime, ("threads.create_run", STORE, "Ada")),
        (both, (Settings(model="big"), CONFIG)),
        (any_context, {"model": "big", "unknown": 1}),
        (keyword_only, "threads.create_run"),
    ],
)
async def test_a_factory_gets_what_it_declares(factory: Any, expected: Any) -> None:
    async with made(factory, purpose(context={"model": "big", "unknown": 1})) as found:
        assert found == expected


async def test_only_a_run_has_an_execution_runtime() -> None:
    async with made(both, purpose("threads.read")) as (context, _):
        assert context is None
    async with made(both, purpose()) as (context, _):
        assert context == Settings()


@pytest.mark.parametrize("kind", [asynccontextmanager, contextmanager])
async def test_a_context_manager_is_open_until_the_end_even_of_a_block_that_fails(kind: Any) -> None:
    told: list[str] = []

    def sync_factory() -> Iterator[str]:
        told.append("opened")
        yield "graph"
        told.append("closed")

    async def async_factory() -> AsyncIterator[str]:
        for graph in sync_factory():
            yield graph

    factory = kind(async_factory if kind is asynccontextmanager else sync_factory)
    with pytest.raises(ZeroDivisionError):  # noqa: PT012 - what is tested is what a failing block leaves behind
        async with made(factory, purpose()) as graph:
            assert (graph, told) == ("graph", ["opened"])
            raise ZeroDivisionError
    assert told == ["opened", "closed"]


async def test_a_factory_that_fails_on_closing_does_not_undo_what_was_done(caplog: pytest.LogCaptureFixture) -> None:
    @asynccontextmanager
    async def factory() -> AsyncIterator[str]:
        yield "graph"
        raise ConnectionError("gone")

    async with made(factory, purpose()) as graph:
        assert graph == "graph"
    assert "ConnectionError: gone" in caplog.text
