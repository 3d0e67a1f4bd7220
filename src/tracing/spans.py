"""Spans in OTLP's JSON: ids in hexadecimal, times as texts of nanoseconds."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

from streaming.json_text import dumps
from trace_context import TraceContext

Value: TypeAlias = str | bool | int | float | Sequence[str]

#: LangSmith's name for the kind of a span.
RunType: TypeAlias = Literal["chain", "llm", "tool", "retriever"]

#: From `opentelemetry.proto.trace.v1`: SpanKind, Status.StatusCode, and the flag which says that the next flag is
#: valid.
_KINDS: Final = {"internal": 1, "server": 2, "client": 3}
_ERROR: Final = 2
_PARENT_IS_REMOTE_IS_KNOWN: Final = 0x100
_PARENT_IS_REMOTE: Final = 0x200


@dataclass(slots=True, kw_only=True)
class Span:
    """An operation with a duration."""

    trace: TraceContext
    span_id: str
    parent_id: str | None
    #: A span of the same trace that ended before, and with which this one goes on.
    link_id: str | None = None
    name: str
    kind: Literal["internal", "server", "client"] = "internal"
    run_type: RunType = "chain"
    start_ns: int
    end_ns: int = 0
    attributes: dict[str, Value] = field(default_factory=dict[str, Value])
    #: (type, message) of the error that ended it.
    error: tuple[str, str] | None = None
    #: JSON texts; only if a destination wants them.
    inputs: str | None = None
    outputs: str | None = None
    #: The LangSmith project, if it is not the default one.
    project: str | None = None

    @property
    def characters(self) -> int:
        """The length of its contents, in characters."""
        return len(self.inputs or "") + len(self.outputs or "")

    def omit_content(self) -> None:
        """Replace the contents by their lengths."""
        self.attributes["superstep.omitted_characters"] = self.characters
        self.inputs = self.outputs = None


def request_body(
    spans: Iterable[Span], resource: Mapping[str, Value], *, for_langsmith: bool, content: Collection[str]
) -> str:
    """An `ExportTraceServiceRequest`; `content` says which of "inputs" and "outputs" may be in it."""
    encoded = [_encoded(span, for_langsmith=for_langsmith, content=content) for span in spans]
    scope = {"scope": {"name": "superstep"}, "spans": encoded}
    return dumps({"resourceSpans": [{"resource": {"attributes": _attributes(resource)}, "scopeSpans": [scope]}]})


def _encoded(span: Span, *, for_langsmith: bool, content: Collection[str]) -> dict[str, Any]:
    attributes = {
        **span.attributes,
        **_content(span, for_langsmith=for_langsmith, content=content),
        **(_langsmith(span) if for_langsmith else {}),
    }
    is_remote = span.parent_id is not None and span.parent_id == span.trace.parent_id
    # LangSmith drops a span whose parent it never gets.
    is_root = span.parent_id is None or (for_langsmith and is_remote and not span.trace.is_below_run)
    encoded: dict[str, Any] = {
        "traceId": span.trace.trace_id,
        "spanId": span.span_id,
        "name": span.name,
        "kind": _KINDS[span.kind],
        "startTimeUnixNano": str(span.start_ns),
        "endTimeUnixNano": str(span.end_ns),
        "attributes": _attributes(attributes),
        "flags": span.trace.flags | _PARENT_IS_REMOTE_IS_KNOWN | (_PARENT_IS_REMOTE if is_remote else 0),
    }
    if not is_root:
        encoded["parentSpanId"] = span.parent_id
    if span.link_id is not None:
        encoded["links"] = [{"traceId": span.trace.trace_id, "spanId": span.link_id}]
    if span.trace.state:
        encoded["traceState"] = span.trace.state
    if span.error is not None:
        encoded["status"] = {"code": _ERROR, "message": ": ".join(span.error)}
    return encoded


def _content(span: Span, *, for_langsmith: bool, content: Collection[str]) -> dict[str, Value]:
    """Inputs and outputs, under the names and in the form that the destination expects."""
    texts = {name: text for name, text in (("inputs", span.inputs), ("outputs", span.outputs)) if text is not None}
    shown = {name: text for name, text in texts.items() if name in content}
    if for_langsmith:
        return {{"inputs": "gen_ai.prompt", "outputs": "gen_ai.completion"}[name]: text for name, text in shown.items()}
    match span.run_type:
        case "llm":
            return {f"gen_ai.{name[:-1]}.messages": _semantic_messages(text) for name, text in shown.items()}
        case "tool":
            names = {"inputs": "gen_ai.tool.call.arguments", "outputs": "gen_ai.tool.call.result"}
            return {names[name]: text for name, text in shown.items()}
        case _:
            return {f"superstep.{name}": text for name, text in shown.items()}


def _semantic_messages(text: str) -> str:
    """Messages in the form of the semantic conventions for generative AI, from OpenAI's form."""
    return dumps([{"role": each["role"], "parts": _parts(each)} for each in json.loads(text)["messages"]])


def _parts(message: Mapping[str, Any]) -> list[dict[str, Any]]:
    if message["role"] == "tool":
        answer = {"type": "tool_call_response", "id": message.get("tool_call_id"), "response": message.get("content")}
        return [answer]
    calls = [
        {"type": "tool_call", "id": call.get("id"), **call.get("function", {})}
        for call in message.get("tool_calls") or ()
    ]
    return [*([{"type": "text", "content": message["content"]}] if message.get("content") else []), *calls]


def _langsmith(span: Span) -> dict[str, Value]:
    return {
        "langsmith.span.kind": span.run_type,
        "langsmith.trace.name": span.name,
        "langsmith.metadata.thread_id": span.attributes["gen_ai.conversation.id"],
        **({"langsmith.trace.session_name": span.project} if span.project else {}),
    }


def _attributes(values: Mapping[str, Value]) -> list[dict[str, Any]]:
    return [{"key": key, "value": _value(value)} for key, value in values.items()]


def _value(value: Value) -> dict[str, Any]:
    match value:
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": str(value)}
        case float():
            return {"doubleValue": value}
        case str():
            return {"stringValue": value}
        case _:
            return {"arrayValue": {"values": [{"stringValue": item} for item in value]}}
