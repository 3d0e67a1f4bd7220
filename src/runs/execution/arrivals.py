"""Items of a graph that are still on their way here when the graph has gone on.

LangGraph passes its items on through queues and the event loop, and says nowhere how many are under way.
"""

import asyncio
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Final

#: Turns of the event loop that the next item of a subgraph needs to get here; counted, and doubled.
QUIET_TURNS: Final = 12

#: The same with the protocol, whose items pass through LangGraph's transformers first.
PROTOCOL_QUIET_TURNS: Final = 40


def _never() -> bool:
    return False


class Arrivals:
    """Those of one slice. When nothing has arrived for `quiet_turns` of the event loop, nothing is under way."""

    def __init__(self, quiet_turns: int) -> None:
        self._quiet_turns = quiet_turns
        self._count = 0
        self._open = asyncio.Event()
        self._open.set()

    def note(self) -> None:
        """An item has arrived."""
        self._count += 1

    @contextmanager
    def paused(self) -> Generator[None]:
        """Nobody takes an item in the block, and whoever waits for one goes on waiting."""
        self._open.clear()
        try:
            yield
        finally:
            self._open.set()

    async def wait(self, has_arrived: Callable[[], bool] = _never) -> bool:
        """Return when something `has_arrived`, or false when nothing is under way any more and it has not."""
        quiet_turns = 0
        while not has_arrived():
            if quiet_turns == self._quiet_turns:
                return False
            count = self._count
            await asyncio.sleep(0)
            await self._open.wait()
            quiet_turns = 0 if count != self._count else quiet_turns + 1
        return True
