"""The log lines about a run: one for each decision of its life, all with the fields that identify it."""

import json
import logging
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import log_lines
import trace_context
from runs.outcome import Outcome
from tables.circuits import Circuit
from tables.run_metrics import Tally
from tables.runs import Run
from trace_context import TraceContext


@contextmanager
def about(run: Run) -> Generator[None]:
    """Every log line of the block is about this run, and every request in it continues the run's trace."""
    span_id = trace_context.span_of(run.run_id, run.started_at)
    with log_lines.about(**_identity(run)), trace_context.within(trace_of(run), span_id):
        yield


def trace_of(run: Run) -> TraceContext:
    """The trace that the run belongs to."""
    return trace_context.of_run(run.run_id, run.arguments["config"]["configurable"])


def _identity(run: Run) -> dict[str, Any]:
    configurable = run.arguments["config"]["configurable"]
    return {
        "thread_id": run.thread_id,
        "run_id": run.run_id,
        **({"attempt": run.attempt} if run.attempt else {}),
        "graph_id": configurable["graph_id"],
        "request_id": configurable.get("langgraph_request_id"),
        "trace_id": trace_of(run).trace_id,
    }


def accepted(logger: logging.Logger, run: Run) -> None:
    """The run was stored."""
    logger.info("run accepted", extra={"event": "run_accepted", **_identity(run)})


def started(logger: logging.Logger, run: Run) -> None:
    """The thread's object has claimed the run."""
    logger.info("run started", extra={"event": "run_started", **_identity(run)})


def resumed(logger: logging.Logger, run: Run) -> None:
    """The thread's object goes on with an unfinished run; `run` is the new attempt."""
    if run.cancel_action is None:
        fields = {"event": "run_resumed", "cause": "cut_off", **_identity(run)}
        logger.warning("attempt %d was cut off; resuming the run", run.attempt - 1, extra=fields)
    else:
        fields = {"event": "run_resumed", "cause": "stop", **_identity(run)}
        logger.info("stopping the run: %s", run.cancel_action, extra=fields)


def given_up(logger: logging.Logger, run: Run, message: str) -> None:
    """The run gave up."""
    logger.error("%s", message, extra={"event": "run_given_up", **_identity(run)})


def circuit_counted(logger: logging.Logger, circuit: Circuit) -> None:
    """Another run of a graph gave up, which may have opened its circuit."""
    fields = {"event": "circuit_opened", "graph_id": circuit.graph_id, "failures": circuit.failures}
    if circuit.opened_at is not None:
        logger.error(
            "%d runs of this graph gave up one after the other, so its others give up as soon as they are cut off. "
            "Deploy a remedy and redrive the dead letters; until then one run is tried again from time to time",
            circuit.failures,
            extra=fields,
        )


def circuit_closed(logger: logging.Logger, circuit: Circuit) -> None:
    """A run of a graph with counted failures succeeded."""
    if circuit.opened_at is not None:
        fields = {"event": "circuit_closed", "graph_id": circuit.graph_id}
        logger.info("the graph is well again: its runs are tried again when they are cut off", extra=fields)


def ended(logger: logging.Logger, run: Run, result: Outcome, tally: Tally, supersteps: int | None) -> None:
    """The end of the run is stored."""
    failed = result.status in ("error", "timeout")
    fields: dict[str, Any] = {
        "event": "run_ended",
        "status": result.status,
        "wait_ms": _milliseconds(tally.wait),
        "duration_ms": _milliseconds(tally.execution),
        "supersteps": supersteps,
        "retries": tally.retries or None,
        "d1_batches": tally.d1.batches or None,
        "d1_rows_written": tally.d1.rows_written or None,
        # The error's type only, because its message may be the graph's own. An exception of the graph has a line with a
        # traceback.
        "error": json.loads(result.error)["error"] if failed and result.error else None,
    }
    known = {name: value for name, value in fields.items() if value is not None}
    level = logging.WARNING if failed else logging.INFO
    logger.log(level, "run ended: %s", result.status, extra=_identity(run) | known)


def _milliseconds(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)
