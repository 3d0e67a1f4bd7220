"""Graph factories: their arguments, and how the graphs that they make are opened and closed."""

import asyncio
import inspect
import logging
import typing
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from langchain_core.runnables import RunnableConfig
from langgraph.store.base import BaseStore
from langgraph_sdk.runtime import (
    AccessContext,
    _ExecutionRuntime,  # pyright: ignore[reportPrivateUsage] - the two have no public constructors
    _ReadRuntime,  # pyright: ignore[reportPrivateUsage]
)

from graphs.contexts import context_object

logger = logging.getLogger(__name__)

#: How long a factory may take to make a graph that is only read with, and to close what it has opened.
READING_SECONDS: Final = 10
CLOSING_SECONDS: Final = 10

Factory: TypeAlias = Callable[..., Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Purpose:
    """The purpose for which a graph is made, which its factory may ask for."""

    access: AccessContext
    config: RunnableConfig
    store: BaseStore
    #: The authenticated user; None on a server without authentication.
    user: Any = None
    #: For a run: the context from its caller.
    context: Any = None


@asynccontextmanager
async def made(factory: Factory, purpose: Purpose) -> AsyncGenerator[Any]:
    """The graph that a factory makes: returned, awaited, or opened by a context manager, which the block's end closes.

    An error on closing is only logged, because the work with the graph is done. Raises `TimeoutError`.
    """
    async with AsyncExitStack() as stack:
        # A run that takes too long is stopped elsewhere.
        async with asyncio.timeout(None if purpose.access == "threads.create_run" else READING_SECONDS):
            found = _called(factory, purpose)
            if inspect.isawaitable(found):
                found = await found
            if hasattr(found, "__aenter__"):
                found = await stack.enter_async_context(found)
            elif hasattr(found, "__enter__"):
                found = stack.enter_context(found)
        leave = stack.pop_all()
    try:
        yield found
    finally:
        try:
            async with asyncio.timeout(CLOSING_SECONDS):
                await leave.aclose()
        except Exception:  # the factory is user code
            logger.warning(
                "the graph's factory failed while it closed what it had opened; what the graph did stays", exc_info=True
            )


def _called(factory: Factory, purpose: Purpose) -> Any:
    """Call a factory with the parameters that it declares: the run's config, a `ServerRuntime`, both or neither."""
    positional: list[Any] = []
    named: dict[str, Any] = {}
    hints = _hints(factory)
    for parameter in inspect.signature(factory).parameters.values():
        wanted = hints.get(parameter.name, parameter.annotation)
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        if "ServerRuntime" in str(wanted) or "ExecutionRuntime" in str(wanted):
            value = _runtime(purpose, wanted)
        elif parameter.name == "config" or "RunnableConfig" in str(wanted) or parameter.default is parameter.empty:
            value = purpose.config
        else:
            continue
        if parameter.kind is parameter.POSITIONAL_ONLY:
            positional.append(value)
        else:
            named[parameter.name] = value
    return factory(*positional, **named)


def _hints(factory: Factory) -> dict[str, Any]:
    """The annotations of a function; an annotation that cannot be resolved stays text."""
    try:
        return typing.get_type_hints(inspect.unwrap(factory))
    except Exception:  # noqa: BLE001 - annotations are arbitrary code, and only names are needed of them
        return {}


def _runtime(purpose: Purpose, annotation: Any) -> Any:
    if purpose.access != "threads.create_run":
        return _ReadRuntime(access_context=purpose.access, user=purpose.user, store=purpose.store)
    schema = next(iter(typing.get_args(annotation)), None)
    context = context_object(schema, purpose.context)
    return _ExecutionRuntime(access_context=purpose.access, user=purpose.user, store=purpose.store, context=context)
