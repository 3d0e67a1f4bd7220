"""The thread's log as the events of the thread streaming protocol.

It is a pure function of the log: an event's `seq` is the number of its entry, and its `event_id` is derived from it, so
both are the same after each reconnect. Runs that the protocol did not start look the same, as far as their stream modes
go.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from streaming import sse
from streaming.events import Frame
from streaming.json_text import dumps
from streaming.run_stream import ENDED, STARTED
from streaming.thread_log import ThreadLog

INPUT_REQUESTED: Final = "input.requested"

#: Entries that are events as they are. `messages` of other runs is something else: a pair, not an object.
_AS_THEY_ARE: Final = frozenset({"values", "updates", "messages", "tools", "custom"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a subscription asks for."""

    #: Methods, `input` for `input.requested`, and `custom:<name>`.
    channels: tuple[str, ...]
    #: Beginnings of namespaces; a segment without `:` stands for all with that name. None: everywhere.
    namespaces: tuple[tuple[str, ...], ...] | None = None
    #: How many segments more than a beginning of `namespaces` has; None: any number.
    depth: int | None = None
    #: Only events with a greater `seq`.
    since: int = 0

    @classmethod
    def of(cls, asked: Mapping[str, Any]) -> "Wanted":
        """The fields, as JSON has them."""
        namespaces = asked["namespaces"]
        return cls(
            channels=tuple(asked["channels"]),
            namespaces=None if namespaces is None else tuple(map(tuple, namespaces)),
            depth=asked["depth"],
            since=asked["since"],
        )

    def has(self, event: "ProtocolEvent") -> bool:
        """Whether an event was asked for."""
        return event.seq > self.since and self._has_channel(event) and self._has_namespace(event.namespace)

    def _has_channel(self, event: "ProtocolEvent") -> bool:
        if event.method == INPUT_REQUESTED:
            return "input" in self.channels
        if event.method in self.channels:
            return True
        return event.method == "custom" and f"custom:{_custom_name(event.data)}" in self.channels

    def _has_namespace(self, namespace: tuple[str, ...]) -> bool:
        return any(
            len(namespace) - len(beginning) in range(self.depth + 1 if self.depth is not None else len(namespace) + 1)
            and all(map(_matches, beginning, namespace))
            for beginning in self.namespaces or ((),)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtocolEvent:
    """One event; `data` is JSON text."""

    event_id: str
    seq: int
    method: str
    namespace: tuple[str, ...]
    timestamp: int
    data: str

    def text(self) -> str:
        """The event as a JSON object."""
        return (
            f'{{"type":"event","event_id":{dumps(self.event_id)},"seq":{self.seq},"method":"{self.method}",'
            f'"params":{{"namespace":{dumps(self.namespace)},"timestamp":{self.timestamp},"data":{self.data}}}}}'
        )


class ProtocolView:
    """Makes the events of one subscription, or of all subscriptions of one connection, out of the log's entries."""

    def __init__(self, log: ThreadLog) -> None:
        self._log = log
        self._graph_ids: dict[str, str] = {}

    def events(self, frame: Frame) -> Iterator[ProtocolEvent]:
        """The events that an entry stands for: none, one, or several for a `values` that tells of interrupts."""
        method, _, path = frame.name.partition("|")
        namespace = tuple(path.split("|")) if path else ()
        if frame.name == STARTED:
            self._graph_ids[frame.run_id] = json.loads(sse.data_of(frame))["graph_id"]
            yield self._root_lifecycle(frame, "running")
        elif frame.name.startswith(ENDED):
            yield self._root_lifecycle(frame, frame.name.removeprefix(ENDED))
        elif method == "lifecycle":
            event_id = _synthetic(frame, "lc", path, json.loads(sse.data_of(frame))["event"])
            yield _event(frame, method, namespace, sse.data_of(frame), event_id)
        elif method == INPUT_REQUESTED:
            event_id = _synthetic(frame, "input", path, json.loads(sse.data_of(frame))["interrupt_id"])
            yield _event(frame, method, namespace, sse.data_of(frame), event_id)
        elif method == "values" and '"__interrupt__"' in frame.text:
            yield from _values_with_interrupts(frame, namespace)
        elif method in _AS_THEY_ARE and not (method == "messages" and sse.data_of(frame).startswith("[")):
            yield _event(frame, method, namespace, sse.data_of(frame))

    def wanted(self, frame: Frame, *subscriptions: Wanted) -> list[ProtocolEvent]:
        """The events of an entry that any of these subscriptions asks for; their `seq` is promised from now on."""
        events = [event for event in self.events(frame) if any(wanted.has(event) for wanted in subscriptions)]
        if events:
            self._log.promise(frame.id.n)
        return events

    def sse(self, wanted: Wanted) -> Callable[[Frame], str]:
        """This view as server-sent events."""

        def text(frame: Frame) -> str:
            return "".join(sse.encode(event.method, event.text(), event.seq) for event in self.wanted(frame, wanted))

        return text

    def tree(self, frame: Frame) -> dict[str, Any] | None:
        """What an entry that begins or ends a run makes of the thread's agent; None for any other."""
        if frame.name != STARTED and not frame.name.startswith(ENDED):
            return None
        status = "running" if frame.name == STARTED else frame.name.removeprefix(ENDED)
        return {"namespace": (), "status": status, "graph_name": self._graph_id(frame.run_id)}

    def _root_lifecycle(self, frame: Frame, event: str) -> ProtocolEvent:
        data: dict[str, Any] = {"event": event, "graph_name": self._graph_id(frame.run_id)}
        if event == "failed":
            data["error"] = _error_message(sse.data_of(frame))
        return _event(frame, "lifecycle", (), dumps(data), _synthetic(frame, "lc", "", event))

    def _graph_id(self, run_id: str) -> str | None:
        if run_id not in self._graph_ids:
            started = self._log.stored.last_data(run_id, STARTED)
            return json.loads(started)["graph_id"] if started else None
        return self._graph_ids[run_id]


def _event(
    frame: Frame, method: str, namespace: tuple[str, ...], data: str, event_id: str | None = None
) -> ProtocolEvent:
    return ProtocolEvent(
        event_id=event_id or str(frame.id),
        seq=frame.id.n,
        method=method,
        namespace=namespace,
        timestamp=frame.id.ms,
        data=data,
    )


def _synthetic(frame: Frame, kind: str, path: str, what: str) -> str:
    """An id for an event that a resumed run may emit again: the same each time, so that clients recognise it."""
    return f"synth:{frame.run_id}:{kind}|{path}|{what}"


def _values_with_interrupts(frame: Frame, namespace: tuple[str, ...]) -> Iterator[ProtocolEvent]:
    """What other runs than the protocol's say in one event.

    All but the last have the `seq` before, so that who is cut off between them and comes back gets all of them again.
    """
    values = json.loads(sse.data_of(frame))
    if not isinstance(values, dict) or "__interrupt__" not in values:
        yield _event(frame, "values", namespace, sse.data_of(frame))
        return
    shown = cast(dict[str, Any], values)
    for interrupt in shown.pop("__interrupt__"):
        event_id = _synthetic(frame, "input", "|".join(namespace), interrupt["id"])
        data = dumps(input_requested(interrupt["id"], interrupt["value"]))
        yield ProtocolEvent(
            event_id=event_id,
            seq=frame.id.n - 1,
            method=INPUT_REQUESTED,
            namespace=namespace,
            timestamp=frame.id.ms,
            data=data,
        )
    yield _event(frame, "values", namespace, dumps(shown))


def input_requested(interrupt_id: str, value: object) -> Mapping[str, object]:
    """The data of an `input.requested`; some clients read `payload`, others `value`."""
    return {"interrupt_id": interrupt_id, "payload": value, "value": value}


def _matches(wanted: str, segment: str) -> bool:
    return segment == wanted or (":" not in wanted and segment.partition(":")[0] == wanted)


def _custom_name(data: str) -> object:
    value = json.loads(data)
    return cast(dict[str, object], value).get("name") if isinstance(value, dict) else None


def _error_message(result: str) -> str:
    error = json.loads(result)
    return error.get("__error__", {}).get("message", "") if isinstance(error, dict) else ""
