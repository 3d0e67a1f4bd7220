"""What happened in a campaign, as its participants saw it: the only evidence of the checker.

Times are seconds of one monotonic clock. A run is known by the name that its client gave it, because a client whose
request failed does not know whether the run exists, let alone its id.
"""

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

from langgraph_sdk.schema import CancelAction, MultitaskStrategy

Answer: TypeAlias = Literal["accepted", "refused", "lost"]
Source: TypeAlias = Literal["wait", "join", "get"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A client asks for a run; `answers` names the run whose question it answers."""

    at: float
    name: str
    thread_id: str
    steps: int
    asks_at: int | None = None
    fails_at: int | None = None
    answers: str | None = None
    strategy: MultitaskStrategy = "enqueue"
    #: With an Idempotency-Key; then the client asks until it is answered.
    keyed: bool = False
    #: With a webhook.
    calls: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What became of asking; `lost`: the client cannot know."""

    at: float
    name: str
    answer: Answer
    run_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """An event of a run's stream reached a client; `viewer` is one client, whatever the number of its connections."""

    at: float
    name: str
    viewer: str
    id: str
    event: str
    data: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamEnded:
    """The server ended the stream of a viewer because the run was over."""

    at: float
    name: str
    viewer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """An event of a thread reached the one who follows it by WebSocket; what is sent again is left out."""

    at: float
    name: str
    seq: int
    #: Of the thread's values, if it is about these.
    log: list[str] | None
    #: Whether it says that the run is over.
    is_end: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A client was told how a run ended."""

    at: float
    name: str
    source: Source
    status: str | None = None
    log: list[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StopAsked:
    """A client is about to cancel a run; the answer does not matter, as it may be lost."""

    at: float
    name: str
    action: CancelAction


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadDeleted:
    """The server said that a thread is gone."""

    at: float
    thread_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Surprised:
    """A client got an answer that no client should get, or none for far too long."""

    at: float
    thread_id: str
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Crashed:
    """The server was killed and answered again."""

    at: float
    kind: Literal["workerd killed", "power cut"]
    ready_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Disturbed:
    """Faults were injected for a while; `counts` by kind."""

    at: float
    until: float
    counts: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stepped:
    """A node made the side effect of a run's step: when its call came, was sent, and was answered or given up."""

    at: float
    sent: float
    until: float
    name: str
    step: int


Event: TypeAlias = (
    Asked
    | Answered
    | Shown
    | StreamEnded
    | Heard
    | Told
    | StopAsked
    | ThreadDeleted
    | Surprised
    | Crashed
    | Disturbed
    | Stepped
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunAtEnd:
    """A run as the server shows it when all is quiet."""

    name: str
    run_id: str
    status: str
    #: What `join` answers.
    log: list[str] | None
    #: (id, event, data) of the whole stream, from its first event.
    stream: list[tuple[str, str, Any]]
    #: (event, attempt) of everything that the server says happened to it.
    life: list[tuple[str, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointAtEnd:
    """A checkpoint of a thread."""

    step: int
    run_id: str
    log: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadAtEnd:
    """A thread when all is quiet: its runs and checkpoints are in the order in which they came to be."""

    thread_id: str
    #: None once it was deleted; then there is nothing else either.
    status: str | None
    log: list[str] = field(default_factory=list[str])
    runs: list[RunAtEnd] = field(default_factory=list[RunAtEnd])
    checkpoints: list[CheckpointAtEnd] = field(default_factory=list[CheckpointAtEnd])


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookCall:
    """What a receiver was told of a run."""

    name: str
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CronAtEnd:
    """A cron that is due every so many seconds, and what came of it."""

    cron_id: str
    seconds: int
    #: The times that are noted as run, and (time, status) of the runs, both in order.
    fires: list[str]
    runs: list[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """All of it."""

    events: Sequence[Event]
    threads: Sequence[ThreadAtEnd]
    webhooks: Sequence[WebhookCall] = ()
    crons: Sequence[CronAtEnd] = ()
    #: What the database still holds that belongs to nobody: a sentence for each kind.
    leftovers: Sequence[str] = ()


class Recorder:
    """Takes down events as they happen."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    @property
    def now(self) -> float:
        """The campaign's clock."""
        return time.monotonic()

    def take(self, event: Event) -> None:
        """One more event."""
        self.events.append(event)


def write(history: History, path: Path) -> None:
    """Keep a history for whoever looks into a violation: one JSON object on each line, in the order of time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        events = sorted(history.events, key=lambda event: event.at)
        for each in (*events, *history.threads, *history.webhooks, *history.crons):
            file.write(json.dumps({type(each).__name__: asdict(each)}) + "\n")
