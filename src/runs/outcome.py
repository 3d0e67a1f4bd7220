"""How a slice of a run ended, as a value that is written to the rows of the run and its thread, and to its stream."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, cast

from langgraph.types import StateSnapshot
from langgraph_sdk.schema import CancelAction

from streaming.json_text import described, dumps
from streaming.run_stream import EndTold, StreamEnd

RunEnd = Literal["success", "error", "timeout", "interrupted", "rollback", "drained"]

#: A longer error message is cut.
MAX_ERROR_CHARACTERS: Final = 100_000

#: The messages of these errors are about the inside of the server; clients get the type only.
_MASKED_ERRORS: Final = ("NodeCancelledError", "LangSmithConnectionError")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """JSON is text here, ready to be stored or sent.

    The status "success" includes graphs that interrupted themselves; `next` tells the difference. "interrupted" is a
    run that was cancelled, "rollback" one that leaves nothing behind. "drained" means that the run goes on in another
    slice, and then only `status` counts.
    """

    status: RunEnd
    #: The thread's values (its whole state), a JSON object for most graphs; None when they could not be read.
    values: str | None = "{}"
    #: The nodes that would run next.
    next: tuple[str, ...] = ()
    #: The interrupts that wait for an answer: `{task_id: [{"id", "value"}]}`; None when they could not be read.
    interrupts: str | None = "{}"
    #: `{"error": type, "message": text}`, or None.
    error: str | None = None
    #: What `/wait` and `/join` answer.
    wait_result: str = "{}"
    #: False for a run that was stopped before it began, and so did nothing to its thread.
    has_begun: bool = True
    #: Until when the thread is kept, whatever its TTL, and even if it was made for this run alone.
    keeps_thread_until: str | None = None
    #: After a rollback: the graph and the assistant that wrote the state which is left, if they are known.
    left_by: tuple[str, str] | None = None


#: The state of a thread without a checkpoint.
NEVER_RUN: Final = StateSnapshot(
    values=None, next=(), config={}, metadata=None, created_at=None, parent_config=None, tasks=(), interrupts=()
)

DRAINED: Final = Outcome(status="drained")


def finished(values: str, wait_values: str) -> Outcome:
    """A graph that ran to its end."""
    return Outcome(status="success", values=values, wait_result=wait_values)


def stopped(state: StateSnapshot, streamed_values: Any) -> Outcome:
    """A graph that stopped at an interrupt or a breakpoint (or, read from its last checkpoint, at its end).

    `streamed_values` is what the last `values` event showed, which lacks the writes of a super-step that is not over.
    """
    return Outcome(
        status="success",
        values=dumps(state.values),
        next=state.next,
        interrupts=interrupts_of(state),
        wait_result=dumps(_with_interrupts(streamed_values, state)),
    )


def failed(state: StateSnapshot | None, error: Mapping[str, str], *, values: str | None = None) -> Outcome:
    """A graph that raised; `state` is its last checkpoint.

    If that cannot be read, the thread shows `values` instead or, without those, what it showed before.
    """
    return Outcome(
        status="error",
        values=dumps(state.values) if state else values,
        next=state.next if state else (),
        interrupts=interrupts_of(state) if state else None,
        error=dumps(error),
        wait_result=dumps({"__error__": error}),
    )


def stopped_early(
    status: Literal["interrupted", "timeout", "rollback"],
    state: StateSnapshot | None,
    error: Mapping[str, str],
    committed: StateSnapshot | None = None,
) -> Outcome:
    """A run that was cancelled or took too long; `state` is what its thread has now, `error` says why.

    `committed` is the same without the writes of tasks whose super-step is not over, which the run's streams do not
    show. Without `state` the thread goes on showing what it did.
    """
    values = dumps(state.values) if state else None
    return Outcome(
        status=status,
        values=values,
        next=state.next if state else (),
        interrupts=interrupts_of(state) if state else None,
        error=dumps(error),
        wait_result=dumps(_with_interrupts(committed.values, state)) if state and committed else values or "null",
        left_by=_writer(state) if status == "rollback" and state else None,
    )


def _writer(state: StateSnapshot) -> tuple[str, str] | None:
    metadata = cast(Mapping[str, Any], state.metadata or {})
    graph_id, assistant_id = metadata.get("graph_id"), metadata.get("assistant_id")
    return (graph_id, assistant_id) if isinstance(graph_id, str) and isinstance(assistant_id, str) else None


def never_begun(action: CancelAction, reason: str | None, shown_values: str) -> Outcome:
    """A run that was stopped while it waited; `shown_values` is what its thread shows."""
    return Outcome(
        status="rollback" if action == "rollback" else "interrupted",
        values=None,
        interrupts=None,
        error=reason,
        wait_result=shown_values,
        has_begun=False,
    )


def stream_end(outcome: Outcome) -> StreamEnd:
    """What followers of the thread are told: a graph with nodes left was interrupted, whatever made it wait."""
    if outcome.status in ("error", "timeout"):
        return "failed"
    return "interrupted" if outcome.status in ("interrupted", "rollback") or outcome.next else "completed"


def told(outcome: Outcome) -> EndTold:
    """What followers of the run are told; a cancelled run's stream just ends."""
    return EndTold(outcome.wait_result, stream_end(outcome), outcome.error if outcome.status == "error" else None)


def error_of(error: BaseException) -> dict[str, str]:
    """An exception as clients see it."""
    name, message = type(error).__name__, described(error)
    if len(message) > MAX_ERROR_CHARACTERS:
        message = f"{message[:MAX_ERROR_CHARACTERS]}…"
    return {"error": name, "message": "An internal error occurred" if name in _MASKED_ERRORS else message}


def interrupts_of(state: StateSnapshot) -> str:
    """The interrupts that wait for an answer, as a thread shows them: `{task_id: [{"id", "value"}]}`."""
    return dumps(
        {
            task.id: [{"id": interrupt.id, "value": interrupt.value} for interrupt in task.interrupts]
            for task in state.tasks
            if task.interrupts
        }
    )


def _with_interrupts(values: Any, state: StateSnapshot) -> Any:
    interrupts = [interrupt for task in state.tasks for interrupt in task.interrupts]
    if not interrupts:
        return values
    shown = cast(dict[str, Any], values) if isinstance(values, dict) else {}
    return {**shown, "__interrupt__": interrupts}
