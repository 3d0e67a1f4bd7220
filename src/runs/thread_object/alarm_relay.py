"""Lets one alarm after the other wait for the same work: the platform gives each 15 minutes.

An alarm that takes longer is stopped, and the object with it. The sweeper says when it is time: it wakes the object of
a run that has been silent for a minute, again and again.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, Final

import clock

#: An alarm that is older is relieved; what is left of its 15 minutes is for the sweeper to come by.
SHIFT_SECONDS: Final = 600


class AlarmRelay:
    """The alarms of one object."""

    def __init__(self) -> None:
        self._began_ms = 0
        self._relief: asyncio.Future[None] | None = None
        #: What goes on without the alarm that began it.
        self._working = set[asyncio.Task[None]]()

    async def wait_for(self, work: Coroutine[Any, Any, None]) -> None:
        """Do the work; returns once it is done, or another alarm is set that waits while this work goes on."""
        working = asyncio.ensure_future(work)
        self._working.add(working)
        working.add_done_callback(self._working.discard)
        self._began_ms = clock.now_ms()
        self._relief = relief = asyncio.get_running_loop().create_future()
        await asyncio.wait({working, relief}, return_when=asyncio.FIRST_COMPLETED)
        relief.cancel()
        if working.done():
            await working

    def look(self) -> None:
        """Relieve an alarm that has waited for long; called when the next one is set."""
        is_late = clock.now_ms() >= self._began_ms + SHIFT_SECONDS * 1000
        if is_late and self._relief is not None and not self._relief.done():
            self._relief.set_result(None)
