"""A run in its trace: the span that it is, and what records the spans below it."""

import json
import time
from typing import Any

import clock
import trace_context
from runs.execution import draining
from runs.execution.job import Job
from runs.outcome import Outcome
from runs.run_lines import trace_of
from runs.run_row import LANGSMITH_PROJECT
from streaming.json_text import dumps
from tables import run_history
from tables.runs import Run
from tracing.exporter import Exporter
from tracing.recorder import SpanRecorder
from tracing.spans import Span, Value


def recorder(job: Job, exporter: Exporter) -> SpanRecorder | None:
    """What is to hear of everything that an attempt does; None when nobody wants to know."""
    configurable: dict[str, Any] = job.kwargs["config"]["configurable"]
    trace = trace_context.of_run(job.run_id, configurable)
    if not trace.is_sampled:
        return None
    return SpanRecorder(
        job.run_id,
        trace_context.span_of(job.run_id, job.started_at),
        trace,
        {**_attributes(job.run_id, job.thread_id), "superstep.attempt": job.attempt},
        exporter.take,
        project=configurable.get(LANGSMITH_PROJECT),
        captures_content=exporter.captures_content,
        is_cut_off=draining.is_cut_off,
    )


def of_run(run: Run, result: Outcome, *, captures_content: bool) -> Span:
    """The run as a whole, now that it has ended: over all its attempts, below whatever its caller was doing.

    A redriven run ends again. It is another span then, since the redrive, that is linked to the first.
    """
    trace, configurable = trace_of(run), run.arguments["config"]["configurable"]
    entries = run_history.parse(run.history)
    first = run_history.first_start(entries)
    waiting_since = max((entry.at for entry in entries if entry.event == "redriven"), default=run.created_at)
    graph_id: str = configurable["graph_id"]
    error: dict[str, str] = json.loads(result.error) if result.error and result.status in ("error", "timeout") else {}
    attributes: dict[str, Value] = {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.name": graph_id,
        "gen_ai.agent.id": run.assistant_id,
        **_attributes(run.run_id, run.thread_id),
        "superstep.run.status": result.status,
        "superstep.run.attempts": run.attempt,
        **({"error.type": error["error"]} if error else {}),
    }
    return Span(
        trace=trace,
        span_id=trace_context.span_of(run.run_id, run.started_at),
        parent_id=trace.parent_id,
        link_id=trace_context.span_of(run.run_id, first) if first and first != run.started_at else None,
        name=f"invoke_agent {graph_id}",
        kind="server",
        start_ns=clock.epoch_ms(run.started_at or waiting_since) * 1_000_000,
        end_ns=time.time_ns(),
        attributes=attributes,
        error=(error["error"], error["message"]) if error else None,
        inputs=dumps(run.arguments.get("input")) if captures_content else None,
        outputs=result.values if captures_content else None,
        project=configurable.get(LANGSMITH_PROJECT),
    )


def _attributes(run_id: str, thread_id: str) -> dict[str, Value]:
    return {"gen_ai.conversation.id": thread_id, "superstep.run.id": run_id}
