"""Lets synchronous code of a graph wait, in an interpreter that has no threads.

JavaScript Promise Integration puts the stack of whoever waits aside, and other tasks go on meanwhile. What Python's
libraries do with threads for the same end is led there: `loop.run_in_executor` (how LangGraph runs a synchronous node),
`ThreadPoolExecutor.submit` (how it runs a graph that is called with `invoke`), `Future.result` (how a synchronous
`@entrypoint` waits for its tasks), and the event loop beside the loop in which a synchronous call of LangChain runs
asynchronous callbacks (how `events` streams hear of it). What LangSmith's client sends from a thread, `tracing/` does
without. Synchronous nodes take turns where they wait, and only there.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import langsmith
from langchain_core.callbacks import manager
from pyodide.ffi import run_sync

logger = logging.getLogger(__name__)

_result = Future[Any].result
_exception = Future[Any].exception


def install() -> None:
    """Replace all of these; once, before the event loop runs anything of a graph."""
    assert hasattr(manager, "_run_coros"), "langchain-core runs the callbacks of synchronous calls in another way now"
    langsmith.configure(enabled=False)
    manager._run_coros = _run_callbacks  # pyright: ignore[reportPrivateUsage]
    type(asyncio.get_event_loop()).run_in_executor = _run_in_executor  # type: ignore[method-assign]
    ThreadPoolExecutor.submit = _submit  # type: ignore[method-assign]
    Future.result = lambda future, timeout=None: _result(_waited_for(future, timeout), 0)  # type: ignore[method-assign]
    Future.exception = lambda future, timeout=None: _exception(_waited_for(future, timeout), 0)  # type: ignore[method-assign]


def _run_callbacks(coroutines: list[Coroutine[Any, Any, Any]]) -> None:
    for coroutine in coroutines:
        try:
            run_sync(coroutine)
        except Exception:
            logger.warning("a callback failed", exc_info=True)


def _run_in_executor(
    loop: asyncio.AbstractEventLoop, _executor: object, call: Callable[..., Any], *args: Any
) -> "asyncio.Future[Any]":
    """Not in the task of the caller: code that looks for a current task finds none, as in a thread."""
    future = loop.create_future()

    def run() -> None:
        try:
            result = call(*args)
        except BaseException as error:  # noqa: BLE001 - it is the result, and raised where that is awaited
            if not future.done():
                future.set_exception(error)
        else:
            if not future.done():
                future.set_result(result)

    loop.call_soon(run)
    return future


def _submit(_executor: ThreadPoolExecutor, call: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
    future = Future[Any]()
    try:
        future.set_result(call(*args, **kwargs))
    except BaseException as error:  # noqa: BLE001 - it is the result, and raised where that is asked for
        future.set_exception(error)
    return future


def _waited_for(future: Future[Any], seconds: float | None) -> Future[Any]:
    if not future.done():
        run_sync(_done_within(seconds, future))
    return future


async def _done_within(seconds: float | None, future: Future[Any]) -> None:
    done = asyncio.Event()
    future.add_done_callback(lambda _: done.set())
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await done.wait()
