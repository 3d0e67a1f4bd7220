"""The legacy `messages` stream mode: LangGraph's message chunks as messages that grow.

`messages/metadata` comes once for each message, `messages/partial` carries a streamed message as far as it has come,
and `messages/complete` one that a node returned whole. None of them carries a namespace, also with subgraphs.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from langchain_core.messages import BaseMessage, BaseMessageChunk, message_chunk_to_message

from streaming.json_text import dumps


class MessageEvents:
    """Turns the `(message, metadata)` pairs of one run into (name, data) events."""

    def __init__(self) -> None:
        self._growing: dict[str, BaseMessageChunk] = {}
        self._seen: set[str] = set()

    def events(self, message: BaseMessage, metadata: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """The events for one pair that LangGraph streamed."""
        key = message.id or ""
        if key not in self._seen:
            self._seen.add(key)
            yield "messages/metadata", dumps({key: {"metadata": metadata}})
        if isinstance(message, BaseMessageChunk):
            yield ("messages/partial", dumps([message_chunk_to_message(self._grown(key, message))]))
        else:
            yield "messages/complete", dumps([message])

    def _grown(self, key: str, chunk: BaseMessageChunk) -> BaseMessageChunk:
        known = self._growing.get(key)
        # Without an id, chunks cannot be told to belong together.
        self._growing[key] = chunk if known is None or not key else known + chunk  # type: ignore[assignment]
        return self._growing[key]
