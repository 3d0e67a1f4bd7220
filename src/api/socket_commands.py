"""Commands over a WebSocket: each is treated as a separate request of the client that opened the socket."""

import json
from collections.abc import Mapping
from typing import Any, Final

from api import app
from api.context import Services
from api.creates import HEADER, REPLAYED
from http_messages import HttpRequest, HttpResponse
from wire import protocol

#: Headers that concern only the opening request, and do not identify its sender.
_OF_THE_HANDSHAKE: Final = frozenset(
    {
        *("connection", "upgrade", "host", "content-length", "content-type"),
        *("accept", "accept-encoding", "accept-language", HEADER),
    }
)


def handshake_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers of a handshake that may identify its sender."""
    return {
        name: value
        for name, value in headers.items()
        if name not in _OF_THE_HANDSHAKE and not name.startswith("sec-websocket-")
    }


async def carry_out(
    services: Services, thread_id: str, handshake: Mapping[str, Any], command: str
) -> tuple[bool, dict[str, Any]]:
    """The response to a command, and whether its sender may see the thread now."""

    async def ask(method: str, path: str, body: str = "") -> HttpResponse:
        request = HttpRequest(method, path, [*map(tuple, handshake["query"])], handshake["headers"], body)
        reply = await app.handle(request, services)
        assert isinstance(reply, HttpResponse), f"{method} {path} answers with a body of its own"
        return reply

    path = f"{services.mount_prefix}/threads/{thread_id}"
    answered = await ask("POST", f"{path}/commands", command)
    answer = json.loads(answered.body)
    if "type" not in answer:
        detail = f"{answered.status}: {answer.get('detail', '')}"
        answer = json.loads(protocol.failure(json.loads(command)["id"], "unknown_error", detail))
    if answer["type"] == "success" and REPLAYED in answered.headers:
        answer["meta"]["idempotent_replayed"] = True
    is_visible = answer["type"] == "success" and (await ask("GET", path)).status == 200
    return is_visible, answer
