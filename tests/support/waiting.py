"""Waiting for a condition with a deadline: the only way a test may pass time."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

POLL_SECONDS = 0.02


async def until(what: str, probe: Callable[[], Awaitable[T | None]], *, seconds: float = 20) -> T:
    """The first truthy result of `probe`; fails after `seconds`, naming what never came and the last result."""
    deadline = time.monotonic() + seconds
    while True:
        if result := await probe():
            return result
        assert time.monotonic() < deadline, f"{what}: not within {seconds} s, last seen {result!r}"
        await asyncio.sleep(POLL_SECONDS)
