"""The thread's log as protocol events: the event for each entry, its number, and what a filter lets through."""

import json
from typing import Any

import pytest

from streaming.events import START, Delivery, Event, Superstep
from streaming.fanout import RunStreams
from streaming.protocol_view import ProtocolView, Wanted
from streaming.run_stream import RunStream, StreamEnd
from tests.support.object_storage import SqliteObjectStorage

RUN = "00000000-0000-7000-8000-000000000001"
EVERYTHING = Wanted(channels=("values", "updates", "messages", "tools", "custom", "lifecycle", "input"))


@pytest.fixture
def storage() -> SqliteObjectStorage:
    return SqliteObjectStorage()


@pytest.fixture
def streams(storage: SqliteObjectStorage) -> RunStreams:
    return RunStreams(storage, lambda: 1000)


def emit(stream: RunStream, name: str, data: Any) -> None:
    stream.emit(Event(name, json.dumps(data, separators=(",", ":")), Superstep("", 1, 1), Delivery.LIVE))


def run(streams: RunStreams, *entries: tuple[str, Any], end: StreamEnd = "completed", result: str = "{}") -> None:
    stream = streams.open(RUN)
    stream.begin(1, "seq")
    for name, data in entries:
        emit(stream, name, data)
    stream.finish(result, end)
    streams.close(RUN)


def events(streams: RunStreams, wanted: Wanted = EVERYTHING) -> list[Any]:
    """Everything stored that a subscription asks for."""
    view = ProtocolView(streams.log)
    found: list[Any] = []
    position = streams.log.place(wanted.since)
    while frames := streams.log.read(position):
        found += (json.loads(event.text()) for frame in frames for event in view.wanted(frame, wanted))
        position = frames[-1].id
    return found


def told(streams: RunStreams, wanted: Wanted = EVERYTHING) -> list[tuple[int, str, list[str]]]:
    return [(event["seq"], event["method"], event["params"]["namespace"]) for event in events(streams, wanted)]


def test_a_run_is_framed_by_its_lifecycle_and_numbered_from_one(streams: RunStreams) -> None:
    run(streams, ("values", {"a": 1}))
    assert events(streams) == [
        {
            "type": "event",
            "event_id": f"synth:{RUN}:lc||running",
            "seq": 1,
            "method": "lifecycle",
            "params": {"namespace": [], "timestamp": 1000, "data": {"event": "running", "graph_name": "seq"}},
        },
        {
            "type": "event",
            "event_id": "1000-2",
            "seq": 2,
            "method": "values",
            "params": {"namespace": [], "timestamp": 1000, "data": {"a": 1}},
        },
        {
            "type": "event",
            "event_id": f"synth:{RUN}:lc||completed",
            "seq": 3,
            "method": "lifecycle",
            "params": {"namespace": [], "timestamp": 1000, "data": {"event": "completed", "graph_name": "seq"}},
        },
    ]


def test_a_failure_says_why(streams: RunStreams) -> None:
    run(streams, end="failed", result='{"__error__":{"error":"ValueError","message":"boom"}}')
    assert events(streams)[-1]["params"]["data"] == {"event": "failed", "graph_name": "seq", "error": "boom"}


def test_it_is_the_same_for_every_reader_and_every_incarnation(
    storage: SqliteObjectStorage, streams: RunStreams
) -> None:
    run(streams, ("values", 1), ("updates", 2), ("values|child:1", 3), ("custom", 4))
    whole = events(streams)
    again = RunStreams(storage, lambda: 9999)
    assert events(again) == whole
    for event in whole:
        rest = Wanted(channels=EVERYTHING.channels, since=event["seq"])
        assert events(again, rest) == [later for later in whole if later["seq"] > event["seq"]]


def test_seq_has_gaps_where_something_is_left_out(streams: RunStreams) -> None:
    run(streams, ("values", 1), ("updates", 2), ("values", 3))
    assert told(streams, Wanted(channels=("values",))) == [(2, "values", []), (4, "values", [])]


@pytest.mark.parametrize(
    ("namespaces", "depth", "shown"),
    [
        (None, None, ["", "child:1", "child:1|grand:2", "other:3"]),
        (((),), 0, [""]),
        (((),), 1, ["", "child:1", "other:3"]),
        (None, 1, ["", "child:1", "other:3"]),
        ((("child",),), None, ["child:1", "child:1|grand:2"]),
        ((("child:1",),), 0, ["child:1"]),
        ((("child:9",),), None, []),
        ((("child", "grand"), ("other",)), None, ["child:1|grand:2", "other:3"]),
    ],
)
def test_a_namespace_is_chosen_by_its_beginning(
    streams: RunStreams, namespaces: Any, depth: int | None, shown: list[str]
) -> None:
    run(streams, ("values", 0), ("values|child:1", 1), ("values|child:1|grand:2", 2), ("values|other:3", 3))
    wanted = Wanted(channels=("values",), namespaces=namespaces, depth=depth)
    assert ["|".join(namespace) for _, _, namespace in told(streams, wanted)] == shown


def test_a_custom_event_can_be_asked_for_by_name(streams: RunStreams) -> None:
    run(streams, ("custom", {"stage": 1}), ("custom", {"name": "progress", "payload": 50}), ("custom", "text"))
    assert [seq for seq, *_ in told(streams, Wanted(channels=("custom:progress",)))] == [3]
    assert [seq for seq, *_ in told(streams, Wanted(channels=("custom",)))] == [2, 3, 4]


def test_what_a_resumed_run_tells_again_has_the_same_id(streams: RunStreams) -> None:
    started = {"event": "started", "namespace": ["child:1"], "graph_name": "child", "trigger_call_id": "1"}
    asked = {"interrupt_id": "i", "payload": "?", "value": "?"}
    run(streams, ("lifecycle|child:1", started), ("input.requested|child:1", asked), end="interrupted")
    ids = [event["event_id"] for event in events(streams)]
    assert ids[1:3] == [f"synth:{RUN}:lc|child:1|started", f"synth:{RUN}:input|child:1|i"]


def test_interrupts_of_another_run_are_told_before_its_values_and_again_to_who_was_cut_off_between(
    streams: RunStreams,
) -> None:
    interrupts = [{"id": "i", "value": "?"}, {"id": "j", "value": "!"}]
    run(streams, ("values", {"a": 1}), ("values", {"a": 1, "__interrupt__": interrupts}), end="interrupted")
    asked, asked_too, values = events(streams, Wanted(channels=("values", "input")))[1:]
    assert asked["params"]["data"] == {"interrupt_id": "i", "payload": "?", "value": "?"}
    assert asked_too["event_id"] == f"synth:{RUN}:input||j"
    assert values["params"]["data"] == {"a": 1}
    assert (asked["seq"], asked_too["seq"], values["seq"]) == (2, 2, 3)
    assert events(streams, Wanted(channels=("values", "input"), since=2)) == [values]


def test_messages_of_another_run_are_no_protocol_messages(streams: RunStreams) -> None:
    run(streams, ("messages", [{"type": "AIMessageChunk"}, {}]), ("messages", {"event": "message-start"}))
    assert [event["params"]["data"] for event in events(streams, Wanted(channels=("messages",)))] == [
        {"event": "message-start"}
    ]


def test_a_state_made_by_hand_and_what_other_modes_stream_are_no_events(streams: RunStreams) -> None:
    run(streams, ("debug", {}), ("checkpoints", {}), ("messages/partial", []), ("error", {}))
    streams.state_updated("t", "{}")
    assert [seq for seq, *_ in told(streams)] == [1, 6]


def test_a_seq_that_was_told_is_never_told_again(storage: SqliteObjectStorage, streams: RunStreams) -> None:
    stream = streams.open(RUN)
    stream.begin(1, "seq")
    emit(stream, "values", 1)
    [*_, (last, *_)] = told(streams)
    crashed = RunStreams(storage, lambda: 1000)
    run(crashed, ("values", 2))
    assert [seq > last for seq, *_ in told(crashed, Wanted(channels=("values",)))] == [True]


def test_nothing_is_written_for_who_does_not_subscribe(storage: SqliteObjectStorage, streams: RunStreams) -> None:
    run(streams, ("values", 1))
    notes = storage.execute("SELECT kind FROM stream_notes")
    assert notes == []
    assert events(streams) != []
    assert storage.execute("SELECT kind FROM stream_notes") == [{"kind": "promised"}]


def test_reading_from_the_beginning_is_reading_after_nothing(streams: RunStreams) -> None:
    assert streams.log.place(0) == START
