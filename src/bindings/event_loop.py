"""The event loop of the Worker: what is ready runs in one call from JavaScript, in the order in which it was scheduled.

Pyodide's own loop has JavaScript call it for each callback, which costs two turns of JavaScript's loop and a stack of
its own, and a token of a streaming model takes ten callbacks. Here a callback that is scheduled by another one runs in
the same call. Where one waits (`run_sync`), the stack of its call is put aside, and what is ready gets another call
(docs/decisions/0029).

Importing this module installs it, before anything takes `run_sync` from Pyodide.
"""

import asyncio
import math
from collections import deque
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from contextvars import Context, ContextVar
from typing import Any, ClassVar, Final, TypeAlias, TypeVar

from js import clearTimeout, setTimeout
from pyodide import ffi, webloop
from pyodide.ffi import create_once_callable

T = TypeVar("T")

#: What was scheduled and has not run.
Callbacks: TypeAlias = deque[asyncio.Handle]

#: After so many callbacks what never waits pauses, so that others have their turn and what is to be sent leaves. A
#: pause has to take time: workerd sends nothing while calls follow each other.
CALLBACKS_PER_TURN: Final = 512
PAUSE_MS: Final = 1

#: JavaScript counts a timer's milliseconds with 31 bits.
MAX_TIMEOUT_MS: Final = 2**31 - 1

_in_order: Final[ContextVar[Callbacks | None]] = ContextVar("callbacks", default=None)

_waits_for = ffi.run_sync


@contextmanager
def in_order(callbacks: Callbacks) -> Generator[None]:
    """Whatever the block begins runs in one order with all else that is begun with these callbacks.

    For one object only: requests and other objects may not run each other's callbacks. Without it, order holds among
    what one call from JavaScript has led to.
    """
    token = _in_order.set(callbacks)
    try:
        yield
    finally:
        _in_order.reset(token)


class _Turn:
    """One call from JavaScript, which runs what is ready."""

    #: The turn whose callback is running; None while that callback waits.
    current: "ClassVar[_Turn | None]" = None

    def __init__(self, loop: webloop.WebLoop, ready: Callbacks) -> None:
        self.loop = loop
        self.ready = ready

    def begin(self) -> None:
        """Have JavaScript call as soon as it can."""
        webloop.scheduleCallback(create_once_callable(self.run, _may_syncify=True), 0)

    def run(self) -> None:
        """Be called. Another turn may have run everything already."""
        self.loop._install_running_loop()
        self.loop._install_asyncgen_hooks()
        _Turn.current = self
        try:
            for _ in range(CALLBACKS_PER_TURN):
                if not self.ready:
                    return
                handle = self.ready.popleft()
                try:
                    if not handle.cancelled():
                        handle._run()
                except SystemExit:
                    # `sys.exit()` in a node ends its task, not the Worker.
                    continue
        finally:
            _Turn.current = None
            if self.ready:
                setTimeout(create_once_callable(self.run, _may_syncify=True), PAUSE_MS)


class _Timer(asyncio.TimerHandle):
    """Takes back what it asked of JavaScript when it is cancelled.

    Pyodide leaves it until its time has come. That keeps a Durable Object in memory, and on the bill, and with it all
    that the object holds: for another minute after a `/wait`.
    """

    __slots__ = ("_call", "_js_timer")

    def start(self, seconds: float) -> None:
        """Run so many seconds from now; infinitely many never pass."""
        self._call: Any = None
        if seconds != math.inf:
            self._call = create_once_callable(self._run_turn, _may_syncify=True)
            self._js_timer: Any = setTimeout(self._call, min(math.ceil(seconds * 1000), MAX_TIMEOUT_MS))

    def _run_turn(self) -> None:
        self._call = None
        _turn_for(self._loop, self).run()

    def cancel(self) -> None:
        """See asyncio."""
        super().cancel()
        if self._call is not None:
            clearTimeout(self._js_timer)
            self._call.destroy()
            self._call = None


def run_sync(awaitable: Awaitable[T]) -> T:
    """Wait without `await`, as Pyodide's function of this name does."""
    turn = _Turn.current
    if turn is None:
        return _waits_for(awaitable)
    if turn.ready:
        _Turn(turn.loop, turn.ready).begin()
    _Turn.current = None
    try:
        return _waits_for(awaitable)
    finally:
        _Turn.current = turn


def _call_soon(
    loop: webloop.WebLoop, callback: Callable[..., object], *args: Any, context: Context | None = None
) -> asyncio.Handle:
    handle = asyncio.Handle(callback, args, loop, context)
    turn = _Turn.current
    own = handle._context.get(_in_order)
    if turn is not None and turn.loop is loop and (own is None or own is turn.ready):
        turn.ready.append(handle)
    else:
        _turn_for(loop, handle).begin()
    return handle


def _turn_for(loop: webloop.WebLoop, handle: asyncio.Handle) -> _Turn:
    """A turn of its own, behind what has to run before."""
    ready = handle._context.get(_in_order)
    turn = _Turn(loop, deque() if ready is None else ready)
    turn.ready.append(handle)
    return turn


def _call_later(
    loop: webloop.WebLoop, delay: float, callback: Callable[..., object], *args: Any, context: Context | None = None
) -> asyncio.Handle:
    if delay <= 0:
        return _call_soon(loop, callback, *args, context=context)
    timer = _Timer(loop.time() + delay, callback, args, loop, context)
    timer.start(delay)
    return timer


def _create_future(loop: webloop.WebLoop) -> "asyncio.Future[Any]":
    """Without Pyodide's callback on each of them, which counts what is in progress for nobody here."""
    return webloop.PyodideFuture(loop=loop)


ffi.run_sync = webloop.run_sync = run_sync
webloop.WebLoop.call_soon = webloop.WebLoop.call_soon_threadsafe = _call_soon
webloop.WebLoop.call_later = _call_later
webloop.WebLoop.create_future = _create_future
