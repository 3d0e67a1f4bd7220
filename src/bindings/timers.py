"""Timers that end when they are cancelled.

Pyodide's event loop forgets a cancelled timer, but leaves JavaScript's timer running until its time has come. That
keeps a Durable Object, and everything that it holds, in memory and on the bill: for another minute after a `/wait`.
"""

import asyncio
import math
from collections.abc import Callable
from contextvars import Context
from typing import Any, Final

from js import clearTimeout, setTimeout
from pyodide.ffi import create_once_callable

#: Shorter delays are left to the loop, which has faster ways for them than a timer.
SHORT_SECONDS: Final = 0.5


def install() -> None:
    """Replace the event loop's timers, once."""
    loop_class: Any = type(asyncio.get_event_loop())
    call_later = loop_class.call_later

    def call_later_or_never(
        loop: asyncio.AbstractEventLoop,
        delay: float,
        callback: Callable[..., Any],
        *args: Any,
        context: Context | None = None,
    ) -> asyncio.Handle:
        if SHORT_SECONDS <= delay < math.inf:
            return _Timer(loop, delay, callback, args, context)
        return call_later(loop, delay, callback, *args, context=context)

    loop_class.call_later = call_later_or_never


class _Timer(asyncio.Handle):
    """A callback on a JavaScript timer of its own."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        delay: float,
        callback: Callable[..., Any],
        args: tuple[Any, ...],
        context: Context | None,
    ) -> None:
        super().__init__(callback, args, loop, context=context)
        self._loop = loop
        self._ring: Any = create_once_callable(self._rang)
        self._number = setTimeout(self._ring, delay * 1000)

    def cancel(self) -> None:
        """See `asyncio.Handle.cancel`."""
        super().cancel()
        if self._ring:
            clearTimeout(self._number)
            self._ring.destroy()
            self._ring = None

    def _rang(self) -> None:
        self._ring = None
        self._loop.call_soon(self._call)

    def _call(self) -> None:
        if not self.cancelled():
            self._run()
