"""Clients that follow a thread over the streaming protocol, and come back when they are cut off."""

import json
from typing import Any

import httpx
from websockets.asyncio.client import connect

from tests.support import sse_frames
from tools.local_server import Server

CHANNELS = ["values", "lifecycle"]


def is_end(event: dict[str, Any]) -> bool:
    return event["params"]["data"].get("event") in ("completed", "failed", "interrupted")


def socket_url(server: Server, thread_id: str) -> str:
    """Where a thread's WebSockets are opened."""
    return f"{server.url.replace('http', 'ws', 1)}/threads/{thread_id}/stream/events"


async def follow(http: httpx.AsyncClient, thread_id: str, seen: list[dict[str, Any]]) -> None:
    """Add to what a client has seen until the run has ended, or the server is gone."""
    body = {"channels": CHANNELS, "since": seen[-1]["seq"] if seen else 0}
    async with http.stream("POST", f"/threads/{thread_id}/stream/events", json=body) as response:
        async for frame in sse_frames.frames(response):
            seen.append(frame.data)
            if is_end(frame.data):
                return


async def listen(server: Server, thread_id: str, seen: list[dict[str, Any]]) -> None:
    """The same by WebSocket, whose replay begins anew; a client knows by their ids what it has seen."""
    known = {event["event_id"] for event in seen}
    async with connect(socket_url(server, thread_id)) as socket:
        await socket.send(json.dumps({"id": 1, "method": "subscription.subscribe", "params": {"channels": CHANNELS}}))
        async for text in socket:
            message = json.loads(text)
            if message["type"] == "event" and message["event_id"] not in known:
                seen.append(message)
            if message["type"] == "event" and is_end(message):
                return
