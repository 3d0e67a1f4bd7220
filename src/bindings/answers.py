"""Waiting for the platform, which answers, refuses, or never says anything."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

from pyodide.ffi import JsException

from errors import Unavailable

#: For a call that only says "look at this row": somebody says it again later.
HINT_SECONDS: Final = 20.0


async def answer(call: Callable[[], Awaitable[Any]], seconds: float | None, failed: str) -> Any:
    """What the platform answers.

    Raises `Unavailable`, which says what `failed` and why, when it refuses or is silent for so many seconds. Then the
    call may have had its effect, and may still have it.
    """
    try:
        async with asyncio.timeout(seconds):
            return await call()
    except TimeoutError as error:
        raise Unavailable(f"{failed}: no answer within {seconds:g} s") from error
    except JsException as error:
        raise Unavailable(f"{failed}: {error.message}") from error
