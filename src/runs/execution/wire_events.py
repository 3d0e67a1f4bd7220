"""What items of a graph become on the wire: the name of an event, its JSON, and the super-step that it belongs to."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from runs.execution import streamed_items
from runs.execution.protocol_items import Elsewhere
from runs.execution.streamed_items import Item
from streaming.events import BEFORE_ALL, Delivery, Event, Superstep
from streaming.json_text import RunEncoder, dumps, told_message_fields
from streaming.message_events import MessageEvents


class WireEvents:
    """Those of one slice of a run; `gated` as in `GraphEvents`."""

    def __init__(self, requested: Collection[str], *, gated: bool) -> None:
        self._gated = gated
        self._as_tuples = "messages-tuple" in requested
        self._encoder = RunEncoder()
        self._shown_encoder = RunEncoder(told_message_fields) if "lifecycle" in requested else self._encoder
        self._messages = MessageEvents()
        self._metadata: Mapping[str, Any] | None = None
        self._metadata_text = ""
        #: The super-step at work in each graph that has had a checkpoint.
        self.running: Final[dict[str, int]] = {}

    def text(self, value: Any) -> str:
        """JSON that is stored as well as shown."""
        return self._encoder.dumps(value)

    def of_item(self, item: Item, delivery: Delivery) -> Event:
        """The event of an item."""
        step = None
        payload = item.payload
        if item.is_debug_checkpoint:
            # Comes after the `checkpoints` item of the same checkpoint, so the next super-step seems to run already.
            ended = payload["payload"]["metadata"]["step"]
            step = ended if self.running.get(item.namespace) == ended + 1 else None
            payload = {**payload, "payload": streamed_items.debug_checkpoint(payload["payload"])}
        name = streamed_items.name(item.mode, item.namespace)
        if isinstance(payload, Elsewhere):
            name, payload = streamed_items.name(item.mode, "|".join(payload.namespace)), payload.payload
        data = dumps(payload) if item.mode in ("custom", "tools") else self._shown_encoder.dumps(payload)
        return self._placed(item.namespace, name, data, delivery, step, item.task)

    def of_message(self, namespace: str, message: Any, metadata: Mapping[str, Any]) -> Iterator[Event]:
        """The events of a message, or of a part of one."""
        if self._as_tuples:
            # All tokens of one answer come with the same metadata object.
            if self._metadata is not metadata:
                self._metadata, self._metadata_text = metadata, dumps(metadata)
            data = f"[{dumps(message)},{self._metadata_text}]"
            yield self.live(namespace, streamed_items.name("messages", namespace), data)
            return
        for name, data in self._messages.events(message, metadata):
            yield self.live(namespace, name, data)

    def live(self, namespace: str, name: str, data: str) -> Event:
        """An event that no item has made; `data` is JSON text."""
        return self._placed(namespace, name, data, Delivery.LIVE)

    def _placed(
        self, namespace: str, name: str, data: str, delivery: Delivery, step: int | None = None, task: str = ""
    ) -> Event:
        if step is None:
            step = self.running.get(namespace)
        if step is None and not namespace and self._gated:
            # Before the run's first super-step it can only show what is committed already.
            return Event(name, data, BEFORE_ALL, delivery)
        if step is None or not self._gated:
            # A subgraph may have no checkpoints, and before its first one it is not known.
            delivery = Delivery.LIVE
        return Event(name, data, Superstep(namespace, step or 0, self.running.get("", -2), task), delivery)
