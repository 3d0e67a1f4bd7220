"""Generative UI: what `LoadExternalComponent` of the React SDK loads."""

import json
from html import escape
from typing import Any, Final
from urllib.parse import quote

from api.context import Call
from errors import NotFound
from http_messages import HttpResponse, Reply
from wire.ui import ComponentRequest

_MEDIA_TYPES: Final = {"js": "text/javascript", "css": "text/css"}

#: The SDK replaces this by the id of the element's shadow root.
_SHADOW_ROOT: Final = "{{shadowRootId}}"


async def component(call: Call[ComponentRequest, None]) -> Reply:
    """The HTML that loads a graph's components and renders the one asked for."""
    graph_id = call.path["graph_id"]
    files = call.services.ui.names(graph_id)
    if not files:
        return HttpResponse(404, {"content-type": "text/plain; charset=utf-8"}, f"UI not found for graph '{graph_id}'")
    base = f"{call.request.origin}{call.services.mount_prefix}/ui/{quote(graph_id, safe='')}"
    elements = [_element(f"{base}/{quote(file)}", graph_id, call.body.name) for file in files]
    return HttpResponse(200, {"content-type": "text/html; charset=utf-8"}, "".join(elements))


def _element(url: str, graph_id: str, name: str) -> str:
    """A style, or the script that registers the components and renders one once it is loaded."""
    if url.endswith(".css"):
        return f'<link rel="stylesheet" href="{escape(url)}" />'
    variable = "__LGUI_" + "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in graph_id)
    render = f'{variable}.render({json.dumps(name)}, "{_SHADOW_ROOT}")'
    return f'<script src="{escape(url)}" onload="{escape(render)}"></script>'


async def file(call: Call[Any, None]) -> Reply:
    """A script or style of a graph's components."""
    name = call.path["file"]
    content = call.services.ui.read(call.path["graph_id"], name)
    if content is None:
        raise NotFound("Not Found")
    media_type = _MEDIA_TYPES.get(name.rpartition(".")[2], "text/plain")
    return HttpResponse(200, {"content-type": f"{media_type}; charset=utf-8"}, content)
