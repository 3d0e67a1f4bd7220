"""The exporter: spans are sent in batches, at most twice; what cannot be sent is dropped with one log line."""

from typing import Any

import pytest

from errors import Unavailable
from tests.support.otlp import ReceivedSpan
from tests.support.span_receiver import COLLECTOR, LANGSMITH, Receiver, Way
from tests.support.written_lines import WrittenLines
from trace_context import TraceContext
from tracing import exporter
from tracing.destinations import Destination
from tracing.spans import Span

TRACE = TraceContext(trace_id="4bf92f3577b34da6a3ce929d0e0e4736", parent_id="00f067aa0ba902b7", state="a=1")


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporter, "RETRY_SECONDS", 0)


def span(name: str = "n", **fields: Any) -> Span:
    defaults: dict[str, Any] = {
        "trace": TRACE,
        "span_id": "1" * 16,
        "parent_id": "2" * 16,
        "start_ns": 10,
        "end_ns": 30,
        "attributes": {"gen_ai.conversation.id": "t"},
    }
    return Span(name=name, **defaults | fields)


async def test_a_span_reaches_each_receiver_with_what_that_one_may_know() -> None:
    receiver = Receiver()
    way = Way(receiver, COLLECTOR, LANGSMITH)
    attributes = {"gen_ai.conversation.id": "t", "s": "é", "i": 2**60, "f": 0.5, "b": True, "l": ["x", "y"]}
    way.exporter.take(
        span(attributes=attributes, inputs='{"a":1}', outputs='{"b":2}', error=("E", "boom"), kind="server")
    )
    way.exporter.flush()
    await way.done()
    [(url, headers, [plain]), (_, _, [smith])] = receiver.requests
    assert (url, headers) == ("http://c/v1/traces", {"k": "v", "content-type": "application/json"})
    assert plain == ReceivedSpan(
        trace_id=TRACE.trace_id,
        span_id="1" * 16,
        parent_id="2" * 16,
        name="n",
        kind=2,
        start_ns=10,
        end_ns=30,
        status=2,
        message="E: boom",
        attributes={**attributes, "superstep.inputs": '{"a":1}'},
        resource={"service.name": "s"},
        trace_state="a=1",
    )
    assert smith.attributes == {
        **attributes,
        "gen_ai.completion": '{"b":2}',
        "langsmith.span.kind": "chain",
        "langsmith.trace.name": "n",
        "langsmith.metadata.thread_id": "t",
    }


async def test_spans_leave_when_there_are_many_or_one_has_waited() -> None:
    receiver = Receiver()
    way = Way(receiver)
    for _ in range(exporter.BATCH_SPANS):
        way.exporter.take(span())
    await way.done()
    assert [len(spans) for _, _, spans in receiver.requests] == [exporter.BATCH_SPANS]


async def test_who_waits_too_long_leaves_with_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0]
    monkeypatch.setattr(exporter.clock, "now_ms", lambda: now[0])
    receiver = Receiver()
    way = Way(receiver)
    way.exporter.take(span("first"))
    now[0] = 5000
    way.exporter.take(span("second"))
    await way.done()
    assert [[each.name for each in spans] for _, _, spans in receiver.requests] == [["first", "second"]]


@pytest.mark.parametrize("answer", [503, 429, Unavailable("no connection")])
async def test_a_passing_failure_is_tried_once_more(answer: int | Exception) -> None:
    receiver = Receiver(answer)
    way = Way(receiver)
    way.exporter.take(span())
    with WrittenLines() as log:
        way.exporter.flush()
        await way.done()
    assert len(receiver.requests) == 2
    assert log.lines == []


@pytest.mark.parametrize(("answers", "requests"), [([503, 503], 2), ([401], 1), ([400], 1)])
async def test_what_does_not_pass_is_one_warning_and_the_next_spans_are_sent(answers: list[int], requests: int) -> None:
    receiver = Receiver(*answers)
    way = Way(receiver)
    way.exporter.take(span())
    with WrittenLines() as log:
        way.exporter.flush()
        await way.done()
    assert len(receiver.requests) == requests
    assert log.events("level", "destination") == [("spans_lost", "warning", "c")]
    assert f"1 spans were lost: the receiver answered {answers[-1]}" in log.lines[0]["message"]
    way.exporter.take(span())
    way.exporter.flush()
    await way.done()
    assert len(receiver.requests) == requests + 1


async def test_a_receiver_that_cannot_be_told_keeps_no_other_from_it() -> None:
    receiver = Receiver(RuntimeError("what?"))
    way = Way(receiver, COLLECTOR, LANGSMITH)
    with WrittenLines() as log:
        for _ in range(exporter.BATCH_SPANS + 1):
            way.exporter.take(span())
        await way.done()
    assert [(url, len(spans)) for url, _, spans in receiver.requests] == [
        (COLLECTOR.url, exporter.BATCH_SPANS),
        (LANGSMITH.url, exporter.BATCH_SPANS),
        (COLLECTOR.url, 1),
        (LANGSMITH.url, 1),
    ]
    assert log.events("level", "destination") == [("spans_lost", "warning", "c")]


async def test_the_log_says_who_did_not_take_spans_and_not_by_which_secret() -> None:
    secret = Destination(url="https://user:password@c.example:4318/v1/traces?token=t0k3n", headers={"k": "v"})
    way = Way(Receiver(401), secret)
    way.exporter.take(span())
    with WrittenLines() as log:
        way.exporter.flush()
        await way.done()
    assert log.events("destination") == [("spans_lost", "c.example")]
    assert not any(word in str((log.lines, secret)) for word in ("password", "t0k3n"))


async def test_of_an_endless_complaint_the_beginning_is_told() -> None:
    receiver = Receiver()
    way = Way(receiver)
    way.exporter.take(span(error=("E", "x" * 1_000_000)))
    way.exporter.flush()
    await way.done()
    [(_, _, [sent])] = receiver.requests
    assert len(sent.message) == len("E: ") + exporter.MAX_MESSAGE_CHARACTERS


async def test_more_than_may_wait_is_dropped_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporter, "MAX_WAITING_SPANS", 3)
    way = Way(Receiver())
    for _ in range(5):
        way.exporter.take(span())
    with WrittenLines() as log:
        way.exporter.flush()
        await way.done()
    assert [line["message"] for line in log.lines] == ["2 spans were lost: their receivers take them too slowly"]


async def test_contents_that_wait_are_bounded_too_and_leave_room_when_they_are_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(exporter, "MAX_WAITING_CHARACTERS", 3)
    receiver = Receiver()
    way = Way(receiver)
    for _ in range(2):
        for _ in range(3):
            way.exporter.take(span(inputs="12"))
        way.exporter.flush()
        await way.done()
    assert [len(spans) for _, _, spans in receiver.requests] == [2, 2]


async def test_a_content_that_is_too_long_is_left_out() -> None:
    receiver = Receiver()
    way = Way(receiver)
    way.exporter.take(span(inputs="x" * exporter.MAX_CONTENT_CHARACTERS, outputs="y"))
    way.exporter.flush()
    await way.done()
    [(_, _, [sent])] = receiver.requests
    assert sent.attributes == {"gen_ai.conversation.id": "t", "superstep.omitted_characters": 200_001}


async def test_a_trace_that_its_caller_does_not_record_is_not_sent() -> None:
    receiver = Receiver()
    way = Way(receiver)
    way.exporter.take(span(trace=TraceContext(trace_id=TRACE.trace_id, flags=0)))
    way.exporter.flush()
    await way.done()
    assert receiver.requests == []
