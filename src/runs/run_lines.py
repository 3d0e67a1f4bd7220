"""What log lines say of a run: which one it is, and the decisions of its life."""

import json
import logging
from contextlib import AbstractContextManager
from typing import Any

import clock
import log_lines
from runs.outcome import Outcome
from tables.runs import Run


def about(run: Run) -> AbstractContextManager[None]:
    """Every line of the block says which run it is about, and in which attempt."""
    return log_lines.about(**_identity(run))


def _identity(run: Run) -> dict[str, Any]:
    configurable = json.loads(run.kwargs)["config"]["configurable"]
    return {
        "thread_id": run.thread_id,
        "run_id": run.run_id,
        **({"attempt": run.attempt} if run.attempt else {}),
        "graph_id": configurable["graph_id"],
        "request_id": configurable.get("langgraph_request_id"),
    }


def accepted(logger: logging.Logger, run: Run) -> None:
    """The run is a row."""
    logger.info("run accepted", extra={"event": "run_accepted", **_identity(run)})


def started(logger: logging.Logger, run: Run) -> None:
    """The thread's object has claimed the run."""
    logger.info("run started", extra={"event": "run_started", **_identity(run)})


def resumed(logger: logging.Logger, run: Run) -> None:
    """The thread's object goes on with a run that it had not ended; `run` is the new attempt."""
    if run.cancel_action is None:
        fields = {"event": "run_resumed", "cause": "cut_off", **_identity(run)}
        logger.warning("attempt %d was cut off; resuming the run", run.attempt - 1, extra=fields)
    else:
        fields = {"event": "run_resumed", "cause": "stop", **_identity(run)}
        logger.info("stopping the run: %s", run.cancel_action, extra=fields)


def given_up(logger: logging.Logger, run: Run, message: str) -> None:
    """The run kept killing its executor."""
    advice = "see what the lines of its attempts have in common, memory or CPU above all"
    logger.error("%s; %s", message, advice, extra={"event": "run_given_up", **_identity(run)})


def ended(logger: logging.Logger, run: Run, result: Outcome, *, now: str) -> None:
    """The end of the run is stored."""
    failed = result.status in ("error", "timeout")
    fields: dict[str, Any] = {"event": "run_ended", "status": result.status}
    if run.started_at is not None:
        fields["duration_ms"] = clock.epoch_ms(now) - clock.epoch_ms(run.started_at)
    if failed and result.error is not None:
        # Its message may be the graph's own; what it raised has a line with the traceback.
        fields["error"] = json.loads(result.error)["error"]
    logger.log(
        logging.WARNING if failed else logging.INFO, "run ended: %s", result.status, extra=_identity(run) | fields
    )
