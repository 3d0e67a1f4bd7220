# What `bindings/event_loop.py` uses and replaces of Pyodide 314's event loop.
import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

T = TypeVar("T")

class PyodideFuture(asyncio.Future[T]): ...

class WebLoop(asyncio.AbstractEventLoop):
    call_soon: Callable[..., asyncio.Handle]
    call_soon_threadsafe: Callable[..., asyncio.Handle]
    call_later: Callable[..., asyncio.Handle]
    create_future: Callable[..., asyncio.Future[Any]]
    def _install_running_loop(self) -> None: ...
    def _install_asyncgen_hooks(self) -> None: ...

run_sync: Callable[[Awaitable[Any]], Any]

def scheduleCallback(callback: Any, delay: float, /) -> object: ...  # noqa: N802 - Pyodide's name
