"""Spans as a collector reads them: OTLP JSON, parsed strictly with OpenTelemetry's own messages."""

import base64
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from google.protobuf.json_format import ParseDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.support.local_http import Answer, LocalHttp, Request

#: Ids, which OTLP has in hexadecimal where the JSON of protocol buffers has base64.
_IDS = ("traceId", "spanId", "parentSpanId")


@dataclass(frozen=True)
class ReceivedSpan:
    """One span, with the attributes of its resource."""

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    kind: int
    start_ns: int
    end_ns: int
    status: int
    message: str
    attributes: Mapping[str, Any]
    resource: Mapping[str, Any]
    #: (trace, span) of each span that it is linked to.
    links: Sequence[tuple[str, str]] = ()
    flags: int = 0x101
    trace_state: str = ""


def spans_of(body: str) -> list[ReceivedSpan]:
    """The spans of an `ExportTraceServiceRequest`; an unknown field, or a value of another type, is an error."""
    decoded = json.loads(body)
    spans = [span for each in decoded["resourceSpans"] for scope in each["scopeSpans"] for span in scope["spans"]]
    for place in [*spans, *(link for span in spans for link in span.get("links", ()))]:
        for name in _IDS:
            if name in place:
                assert place[name] == place[name].lower()
                place[name] = base64.b64encode(bytes.fromhex(place[name])).decode()
    request = ParseDict(decoded, ExportTraceServiceRequest())
    return [
        ReceivedSpan(
            trace_id=_id(span.trace_id, 16),
            span_id=_id(span.span_id, 8),
            parent_id=_id(span.parent_span_id, 8) if span.parent_span_id else "",
            name=span.name,
            kind=span.kind,
            start_ns=span.start_time_unix_nano,
            end_ns=span.end_time_unix_nano,
            status=span.status.code,
            message=span.status.message,
            attributes=_attributes(span.attributes),
            resource=_attributes(resource.resource.attributes),
            links=tuple((_id(link.trace_id, 16), _id(link.span_id, 8)) for link in span.links),
            flags=span.flags,
            trace_state=span.trace_state,
        )
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def _id(given: bytes, length: int) -> str:
    assert len(given) == length
    assert any(given)
    return given.hex()


def _attributes(given: Any) -> dict[str, Any]:
    return {each.key: _value(each.value) for each in given}


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    return [_value(each) for each in value.array_value.values] if kind == "array_value" else getattr(value, kind)


class Collector(LocalHttp):
    """An OTLP collector on this machine, and a LangSmith. Answers with `status`, after `delay_seconds`."""

    def __init__(self) -> None:
        super().__init__()
        self.status = 200
        self.delay_seconds = 0.0
        #: By path, what the last request there said.
        self.headers: dict[str, dict[str, str]] = {}
        self._spans: list[tuple[str, ReceivedSpan]] = []

    def wait_for(
        self, trace_id: str, name: str, *, path: str = "/v1/traces", seconds: float = 40
    ) -> list[ReceivedSpan]:
        """The spans of a trace once one of this name is among them; blocks, so async tests use `to_thread`."""
        deadline = time.monotonic() + seconds
        with self._changed:
            while True:
                found = [span for at, span in self._spans if at == path and span.trace_id == trace_id]
                if name in {span.name for span in found}:
                    return found
                left = deadline - time.monotonic()
                assert left > 0, f"no span {name} within {seconds} s, but {[span.name for span in found]}"
                self._changed.wait(left)

    def answer(self, request: Request) -> Answer:
        """See `LocalHttp`."""
        with self._changed:
            self.headers[request.path] = request.headers
            if self.status == 200:
                self._spans += [(request.path, span) for span in spans_of(request.body)]
            self._changed.notify_all()
        time.sleep(self.delay_seconds)
        return Answer(self.status, "{}", {"content-type": "application/json"})
