"""Lets synchronous code of a graph wait, in an interpreter that has no threads.

JavaScript Promise Integration suspends the stack of the waiting code, and other tasks go on meanwhile. Libraries use
threads for this; these calls are redirected here instead:

- `loop.run_in_executor`, by which LangGraph runs a synchronous node;
- `ThreadPoolExecutor.submit`, by which it runs a graph that is called with `invoke`;
- `Future.result`, by which a synchronous `@entrypoint` waits for its tasks;
- the second event loop in which a synchronous call of LangChain runs asynchronous callbacks, from which `events`
  streams are fed.

LangSmith's client sends from a thread and is switched off; `tracing/` replaces it. Synchronous nodes take turns only
where they wait.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any

import langsmith
import pyodide.ffi
from langchain_core.callbacks import manager

logger = logging.getLogger(__name__)

_run_sync = pyodide.ffi.run_sync
_result = Future[Any].result
_exception = Future[Any].exception


def install() -> None:
    """Replace all of these, once, before the event loop runs any code of a graph."""
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
    """Run `call` outside the caller's task, so that code which looks for a current task finds none, as in a thread."""
    future = _Call(loop=loop)
    loop.call_soon(future.run, call, args)
    return future


class _Call(asyncio.Future[Any]):
    """The future result of synchronous code.

    Cancelling it raises `CancelledError`, once, where the code waits. Like a task, it is not done before the code is
    over, whatever the code does with the cancellation. So no node outlives its run.
    """

    #: The call whose code has the interpreter; None while that code waits.
    current: "_Call | None" = None

    def __init__(self, *, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop=loop)
        self._has_begun = False
        self._is_cancelled = False
        #: The code has been cancelled but has not received its `CancelledError` yet.
        self._owes_cancellation = False
        self._waits_for: asyncio.Future[Any] | None = None

    def run(self, call: Callable[..., Any], args: tuple[Any, ...]) -> None:
        """Execute the code, unless it was cancelled before it began."""
        if self.done():
            return
        self._has_begun = True
        _Call.current = self
        try:
            result = call(*args)
        except BaseException as error:  # noqa: BLE001 - it is the result, and raised where that is awaited
            self._end(partial(self.set_exception, error))
        else:
            self._end(partial(self.set_result, result))
        finally:
            _Call.current = None

    def _end(self, tell: Callable[[], None]) -> None:
        if self._is_cancelled:
            super().cancel()
        else:
            tell()

    def cancel(self, msg: Any = None) -> bool:
        """See `asyncio.Task.cancel`."""
        if self.done() or not self._has_begun:
            return super().cancel(msg)
        self._is_cancelled = self._owes_cancellation = True
        if self._waits_for is not None:
            self._waits_for.cancel()
        return True

    def wait_for(self, awaitable: Awaitable[Any]) -> Any:
        """Suspend the code until `awaitable` is done, and return its result."""
        self._waits_for = asyncio.ensure_future(awaitable)
        try:
            _run_sync(asyncio.wait({self._waits_for}))
            if self._owes_cancellation:
                self._owes_cancellation = False
                raise asyncio.CancelledError
            return self._waits_for.result()
        finally:
            self._waits_for = None


def run_sync(awaitable: Awaitable[Any]) -> Any:
    """See `pyodide.ffi.run_sync`."""
    call, _Call.current = _Call.current, None
    try:
        return _run_sync(awaitable) if call is None else call.wait_for(awaitable)
    finally:
        _Call.current = call


# Libraries import it by name, so it is replaced before any of them is imported.
pyodide.ffi.run_sync = run_sync


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
