"""The timeline of a run on the wire."""

from typing import Literal

from langgraph_sdk.schema import CancelAction, MultitaskStrategy, RunStatus
from pydantic import BaseModel

from wire.bodies import JsonObject


class TimelineEvent(BaseModel):
    """One event of a run; fields that do not apply to it are left out."""

    at: str
    #: Seconds since the previous event.
    seconds: float
    event: Literal[
        "accepted",
        "due",
        "started",
        "input",
        "superstep",
        "resumed",
        "handed_over",
        "stop_requested",
        "interrupted",
        "failed",
        "ended",
        "redriven",
        "webhook_sent",
        "webhook_due",
    ]
    attempt: int | None = None
    version: str | None = None
    cause: Literal["cut_off", "stop"] | None = None
    checkpoint_id: str | None = None
    step: int | None = None
    nodes: list[str] | None = None
    tasks: int | None = None
    action: CancelAction | None = None
    status: RunStatus | None = None
    error: JsonObject | None = None
    user_id: str | None = None
    request_id: str | None = None
    trace_id: str | None = None
    delivery_id: str | None = None
    response_status: int | None = None
    problem: str | None = None
    multitask_strategy: MultitaskStrategy | None = None


class TimelineObject(BaseModel):
    """A page of a run's events, oldest first. `next` is the `after` of the following page."""

    thread_id: str
    run_id: str
    assistant_id: str
    graph_id: str
    status: RunStatus
    attempt: int
    created_at: str
    started_at: str | None
    ended_at: str | None
    events: list[TimelineEvent]
    next: str | None
