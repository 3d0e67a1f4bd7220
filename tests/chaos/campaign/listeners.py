"""Users who follow a thread over a WebSocket, and open another one whenever it is cut off."""

import asyncio
import json
from contextlib import suppress
from random import Random
from typing import Any, Final

from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from tests.chaos.campaign import sockets
from tests.chaos.campaign.clients import LOOK_SECONDS, PATIENCE_SECONDS, Stuck, World, log_of
from tests.chaos.campaign.history import Asked, Heard

SUBSCRIBE: Final = {"id": 1, "method": "subscription.subscribe", "params": {"channels": ["values", "lifecycle"]}}


async def listen(world: World, random: Random, work: Asked) -> None:
    """Record all that a thread's events say of its only run, until they say that it is over."""
    listener = _Listener(world, work)
    until = world.recorder.now + PATIENCE_SECONDS
    while world.recorder.now < until:
        with suppress(WebSocketException, OSError):  # which is how a server says that it is away
            if await listener.hears_the_end(patience=random.choice([2, 5, 1000])):
                return
        await asyncio.sleep(LOOK_SECONDS / 2)
    raise Stuck(f"the events of {work.name} have not ended within {PATIENCE_SECONDS} s")


class _Listener:
    def __init__(self, world: World, work: Asked) -> None:
        self._world = world
        self._work = work
        self._known: set[str] = set()

    async def hears_the_end(self, patience: int) -> bool:
        """Listen by one socket, for so many events."""
        async with connect(sockets.url(self._world.http, self._work.thread_id)) as socket:
            await socket.send(json.dumps(SUBSCRIBE))
            async for text in socket:
                message = json.loads(text)
                # The replay of a new socket begins with the first event; clients know by their ids what they have.
                if message["type"] == "event" and message["event_id"] not in self._known:
                    self._known.add(message["event_id"])
                    patience -= 1
                    if self._is_end(message):
                        return True
                if patience == 0:
                    break
        return False

    def _is_end(self, event: dict[str, Any]) -> bool:
        data, recorder = event["params"]["data"], self._world.recorder
        is_end = data.get("event") in ("completed", "failed", "interrupted")
        log = log_of(data) if event["method"] == "values" else None
        recorder.take(Heard(at=recorder.now, name=self._work.name, seq=event["seq"], log=log, is_end=is_end))
        return is_end
