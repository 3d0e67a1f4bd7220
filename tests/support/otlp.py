"""Spans as a collector understands them: OTLP's JSON read strictly, by OpenTelemetry's own messages."""

import base64
import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from google.protobuf.json_format import ParseDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

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
    nanoseconds: int
    status: int
    message: str
    attributes: Mapping[str, Any]
    resource: Mapping[str, Any]


def spans_of(body: str) -> list[ReceivedSpan]:
    """The spans of an `ExportTraceServiceRequest`; an unknown field, or a value of another type, is an error."""
    decoded = json.loads(body)
    for span in (s for r in decoded["resourceSpans"] for scope in r["scopeSpans"] for s in scope["spans"]):
        for name in _IDS:
            if name in span:
                assert span[name] == span[name].lower()
                span[name] = base64.b64encode(bytes.fromhex(span[name])).decode()
    request = ParseDict(decoded, ExportTraceServiceRequest())
    return [
        ReceivedSpan(
            trace_id=_id(span.trace_id, 16),
            span_id=_id(span.span_id, 8),
            parent_id=_id(span.parent_span_id, 8) if span.parent_span_id else "",
            name=span.name,
            kind=span.kind,
            nanoseconds=span.end_time_unix_nano - span.start_time_unix_nano,
            status=span.status.code,
            message=span.status.message,
            attributes=_attributes(span.attributes),
            resource=_attributes(resource.resource.attributes),
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


class Collector:
    """An OTLP collector on this machine, and a LangSmith. Answers with `status`, after `delay_seconds`."""

    def __init__(self) -> None:
        self.status = 200
        self.delay_seconds = 0.0
        #: By path, what the last request there said.
        self.headers: dict[str, dict[str, str]] = {}
        self.requests = 0
        self._changed = threading.Condition()
        self._spans: list[tuple[str, ReceivedSpan]] = []
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler_class())
        self._http.daemon_threads = True

    @property
    def url(self) -> str:
        """What goes into OTEL_EXPORTER_OTLP_ENDPOINT."""
        return f"http://127.0.0.1:{self._http.server_port}"

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

    def _handler_class(self) -> type[BaseHTTPRequestHandler]:
        collector = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"])).decode()
                with collector._changed:
                    collector.requests += 1
                    collector.headers[self.path] = {name.lower(): value for name, value in self.headers.items()}
                    if collector.status == 200:
                        collector._spans += [(self.path, span) for span in spans_of(body)]
                    collector._changed.notify_all()
                time.sleep(collector.delay_seconds)
                self.send_response(collector.status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, format: str, *args: object) -> None:
                pass

        return Handler

    @contextmanager
    def serving(self) -> Iterator["Collector"]:
        """Listen on a free port of the loopback interface within the block."""
        thread = threading.Thread(target=self._http.serve_forever, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._http.shutdown()
            self._http.server_close()
            thread.join()
