"""What the recorder makes of LangChain's callbacks: whatever they report, it keeps little, and can send all of it."""

from typing import Any
from uuid import UUID, uuid4

from langchain_core.messages import HumanMessage

from tests.support.otlp import spans_of
from trace_context import TraceContext
from tracing.recorder import MAX_OPEN_CHARACTERS, SpanRecorder
from tracing.spans import Span, request_body

TRACE = TraceContext(trace_id="4bf92f3577b34da6a3ce929d0e0e4736")
RUN = "00f067aa0ba902b7"


def recorder(taken: list[Span]) -> SpanRecorder:
    return SpanRecorder(str(uuid4()), RUN, TRACE, {}, taken.append, captures_content=True)


def begun(recorder: SpanRecorder, number: int) -> list[UUID]:
    """So many tasks side by side, each with the same state."""
    tasks = [uuid4() for _ in range(number)]
    for task in tasks:
        recorder.on_chain_start(None, {"text": "x" * 100_000}, run_id=task, name="task")
    return tasks


def test_tasks_side_by_side_keep_little_of_what_went_into_them() -> None:
    taken: list[Span] = []
    spans = recorder(taken)
    for task in begun(spans, 100):
        spans.on_chain_end(None, run_id=task)
    assert len(taken) == 100
    assert sum(span.characters for span in taken) <= MAX_OPEN_CHARACTERS
    assert {span.inputs is None for span in taken if "superstep.omitted_characters" in span.attributes} == {True}
    [later] = begun(spans, 1)
    spans.on_chain_end(None, run_id=later)
    assert taken[-1].inputs


def test_metadata_that_are_no_attributes_can_be_sent() -> None:
    taken: list[Span] = []
    spans, call = recorder(taken), uuid4()
    odd: dict[str, Any] = {"ls_provider": {"a": 1}, "ls_max_tokens": [1, None], "ls_temperature": 0.5}
    spans.on_chat_model_start(
        None, [[HumanMessage("hi")]], run_id=call, metadata={**odd, "langgraph_checkpoint_ns": None}
    )
    spans.on_llm_error(ValueError("no"), run_id=call)
    [sent] = spans_of(request_body(taken, {}, for_langsmith=False, content=()))
    assert sent.attributes == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "{'a': 1}",
        "gen_ai.request.max_tokens": "[1, None]",
        "gen_ai.request.temperature": 0.5,
        "error.type": "ValueError",
    }


def test_the_generators_of_two_isolates_that_come_from_one_snapshot_make_no_span_twice() -> None:
    taken: list[Span] = []
    for milliseconds in (1, 2):
        spans, task = recorder(taken), UUID(int=milliseconds << 80 | 7 << 76 | 0xABC)
        spans.on_chain_start(None, {}, run_id=task, name="task")
        spans.on_chain_end(None, run_id=task)
    assert len({span.span_id for span in taken}) == 2
