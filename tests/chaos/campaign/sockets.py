"""What users do by WebSocket: they send a command, and send it again over another one when they got no answer."""

import asyncio
import json
from typing import Any, Final

import httpx
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

#: For a connection, and for an answer.
ANSWER_SECONDS: Final = 180


def url(http: httpx.AsyncClient, thread_id: str) -> str:
    """Where a thread's WebSockets are opened."""
    return str(http.base_url.join(f"/threads/{thread_id}/stream/events").copy_with(scheme="ws"))


async def command(http: httpx.AsyncClient, thread_id: str, method: str, *, leaves: bool, **more: Any) -> dict[str, Any]:
    """The result of a command that is sent by a WebSocket of its own; a user who `leaves` does not wait for it.

    Raises httpx.TransportError when there is no answer, or when the server says that it is away.
    """
    try:
        async with connect(url(http, thread_id), open_timeout=ANSWER_SECONDS) as socket:
            await socket.send(json.dumps({"id": 1, "method": method, **more}))
            if leaves:
                raise httpx.ReadError("the user left")
            answer = json.loads(await asyncio.wait_for(socket.recv(), ANSWER_SECONDS))
    except (WebSocketException, OSError) as error:
        raise httpx.ReadError(repr(error)) from error
    if answer["type"] == "error" and answer["message"].startswith("503: "):
        raise httpx.ReadError(answer["message"])
    assert answer["type"] == "success", answer
    return answer["result"]
