"""What the recorder makes of LangChain's callbacks: whatever they report, it keeps little, and can send all of it."""

import asyncio
import json
from typing import Any
from uuid import UUID, uuid4

import pytest
from langchain_core.documents import Document
from langchain_core.messages import HumanMessage, ToolMessage

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


def test_a_hidden_step_is_no_span_and_what_it_calls_is_below_the_span_around_it() -> None:
    taken: list[Span] = []
    spans, task, hidden, call = recorder(taken), uuid4(), uuid4(), uuid4()
    spans.on_chain_start(None, {}, run_id=task, name="task")
    spans.on_chain_start(None, {}, run_id=hidden, parent_run_id=task, tags=["langsmith:hidden"], name="hidden")
    spans.on_tool_start({"name": "look"}, "x", run_id=call, parent_run_id=hidden)
    spans.on_tool_error(ValueError("no"), run_id=call)
    spans.on_chain_end(None, run_id=hidden)
    spans.on_chain_end(None, run_id=task)
    assert [span.name for span in taken] == ["execute_tool look", "task"]
    assert [span.parent_id for span in taken] == [taken[1].span_id, RUN]
    assert taken[0].error == ("ValueError", "no")


@pytest.mark.parametrize("error", [None, ValueError("no")])
def test_a_search_is_a_span(error: ValueError | None) -> None:
    taken: list[Span] = []
    spans, search = recorder(taken), uuid4()
    spans.on_retriever_start({"name": "library"}, "what?", run_id=search)
    if error:
        spans.on_retriever_error(error, run_id=search)
    else:
        spans.on_retriever_end([Document("that")], run_id=search)
    [span] = taken
    assert (span.name, span.parent_id, span.run_type) == ("library", RUN, "retriever")
    assert span.inputs == '{"query":"what?"}'
    assert ("that" in (span.outputs or ""), span.error) == (not error, error and ("ValueError", "no"))


def test_no_span_ends_before_it_began(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[Span] = []
    spans, now = recorder(taken), iter([20, 10])
    monkeypatch.setattr("time.time_ns", lambda: next(now))
    [task] = begun(spans, 1)
    spans.on_chain_end(None, run_id=task)
    assert (taken[0].start_ns, taken[0].end_ns) == (20, 20)


def test_what_a_tool_answered_is_told_in_the_form_of_the_conventions() -> None:
    taken: list[Span] = []
    spans, call = recorder(taken), uuid4()
    spans.on_chat_model_start(None, [[ToolMessage("W", tool_call_id="c1")]], run_id=call)
    spans.on_llm_error(ValueError("no"), run_id=call)
    [sent] = spans_of(request_body(taken, {}, for_langsmith=False, content={"inputs"}))
    parts = [{"type": "tool_call_response", "id": "c1", "response": "W"}]
    assert json.loads(sent.attributes["gen_ai.input.messages"]) == [{"role": "tool", "parts": parts}]


@pytest.mark.parametrize("is_cut_off", [True, False])
def test_what_is_cancelled_as_its_slice_ends_has_not_failed(is_cut_off: bool) -> None:
    taken: list[Span] = []
    spans = SpanRecorder(str(uuid4()), RUN, TRACE, {}, taken.append, is_cut_off=lambda: is_cut_off)
    [node] = begun(spans, 1)
    spans.on_chain_error(asyncio.CancelledError(), run_id=node)
    assert (taken[0].error is None) == is_cut_off
