"""The V8 inspector of a local server: how large the Worker's JavaScript heap is.

`wrangler dev` passes it on, to clients that name no user agent, and numbers messages of its own from zero.
"""

import asyncio
import itertools
import json
from typing import Any, Final, Self

import httpx
from websockets.asyncio.client import ClientConnection, connect

FIRST_ID: Final = 1_000_000


class Inspector:
    """One conversation with it; closed by `async with`."""

    def __init__(self, http: httpx.AsyncClient, port: int) -> None:
        self._http = http
        self._port = port
        self._ids = itertools.count(FIRST_ID)

    async def __aenter__(self) -> Self:
        targets = (await self._http.get(f"http://127.0.0.1:{self._port}/json")).json()
        self._socket: ClientConnection = await connect(targets[0]["webSocketDebuggerUrl"], user_agent_header=None)
        return self

    async def __aexit__(self, *_reason: object) -> None:
        await self._socket.close()

    async def collect_garbage(self) -> None:
        """A full collection. It begins when the isolate runs the next time, so give it something to do until then."""
        collection = asyncio.create_task(self._answer(await self._send("HeapProfiler.collectGarbage")))
        while not collection.done():
            (await self._http.get("/ok")).raise_for_status()
            await asyncio.wait([collection], timeout=1)
        await collection

    async def js_heap_bytes(self) -> int:
        """Objects, the platform's objects behind them, and buffers; not the wasm heap."""
        usage = await self._answer(await self._send("Runtime.getHeapUsage"))
        return int(usage["usedSize"] + usage["embedderHeapUsedSize"] + usage["backingStorageSize"])

    async def _send(self, method: str) -> int:
        number = next(self._ids)
        await self._socket.send(json.dumps({"id": number, "method": method}))
        return number

    async def _answer(self, number: int) -> Any:
        async for message in self._socket:
            if (answer := json.loads(message)).get("id") == number:
                return answer["result"]
        raise ConnectionError("the inspector closed the connection")
