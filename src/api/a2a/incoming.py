"""Turns a caller's message into a graph's input: texts and files become a message, data the rest of the input."""

from collections.abc import Sequence
from typing import Any

from wire.a2a import A2aFile, A2aMessage, A2aPart
from wire.bodies import JsonObject
from wire.json_rpc import INVALID_PARAMS, RpcRefusal, is_object


def run_input(message: A2aMessage, fields: Sequence[str]) -> JsonObject:
    """The input of a new run; `fields` are those of the graph's input."""
    found = _data(message.parts)
    if content := _content(message.parts):
        if "messages" not in fields:
            raise RpcRefusal(
                INVALID_PARAMS,
                "This assistant's graph takes no 'messages', so it cannot be sent texts or files. "
                f"Send a data part with: {', '.join(fields) or 'what its graph takes'}",
            )
        found["messages"] = [{"role": "user", "content": content, "id": message.message_id}]
    elif not any(part.data is not None for part in message.parts):
        raise RpcRefusal(INVALID_PARAMS, "message.parts: there is neither text, data nor a file in it")
    return found


def answer(message: A2aMessage) -> Any:
    """The answer to a graph's interrupt: the data, otherwise the text."""
    data = [part.data for part in message.parts if part.data is not None]
    return (data[0] if len(data) == 1 else data) if data else _content(message.parts)


def _data(parts: Sequence[A2aPart]) -> JsonObject:
    merged: JsonObject = {}
    for part in parts:
        if part.data is None:
            continue
        if not is_object(part.data):
            raise RpcRefusal(INVALID_PARAMS, "message.parts: data must be an object, with fields of the graph's input")
        merged |= part.data
    return merged


def _content(parts: Sequence[A2aPart]) -> str | list[JsonObject]:
    """A text as it is; with files, LangChain's content blocks."""
    blocks = [block for part in parts if (block := _block(part))]
    if all(block["type"] == "text" for block in blocks):
        return "\n".join(block["text"] for block in blocks)
    return blocks


def _block(part: A2aPart) -> JsonObject | None:
    if part.text is not None:
        return {"type": "text", "text": part.text}
    file = part.file or A2aFile(uri=part.url, bytes=part.raw, mime_type=part.media_type, name=part.filename)
    source = {"url": file.uri} if file.uri else {"base64": file.bytes} if file.bytes else None
    if source is None:
        return None
    kind = (file.mime_type or "").partition("/")[0]
    described = {"mime_type": file.mime_type, "filename": file.name}
    given = {name: value for name, value in described.items() if value}
    return {"type": kind if kind in ("image", "audio", "video") else "file", **source, **given}
