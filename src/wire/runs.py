"""Runs on the wire: request bodies and response objects."""

from typing import Annotated, Any, Final, Literal, Self, TypeAlias

from langgraph_sdk.schema import (
    BulkCancelRunsStatus,
    DisconnectMode,
    Durability,
    IfNotExists,
    MultitaskStrategy,
    OnCompletionBehavior,
    RunStatus,
)
from pydantic import BaseModel, BeforeValidator, Field, RootModel, model_validator
from pydantic_core import PydanticCustomError

from wire.bodies import Body, CheckpointId, JsonObject, RunId, ThreadId
from wire.thread_state import CheckpointRef

#: `langgraph_sdk.schema.StreamMode` without `tools` and `lifecycle`, which LangGraph servers refuse for runs.
StreamMode: TypeAlias = Literal[
    "values", "messages", "messages-tuple", "tasks", "checkpoints", "updates", "events", "debug", "custom"
]

#: All of them are created in one transaction, and an invocation of a Worker may send D1 1,000 statements.
MAX_BATCH_RUNS: Final = 100

RunColumn: TypeAlias = Literal[
    "run_id",
    "thread_id",
    "assistant_id",
    "metadata",
    "status",
    "kwargs",
    "multitask_strategy",
    "created_at",
    "updated_at",
    "langsmith_session_name",
]


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


StreamModes: TypeAlias = Annotated[
    list[StreamMode], BeforeValidator(_listed, json_schema_input_type=StreamMode | list[StreamMode])
]


class RunConfig(Body):
    """The part of a `RunnableConfig` that a caller may set."""

    tags: list[str] | None = None
    recursion_limit: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None
    configurable: JsonObject | None = None
    metadata: JsonObject | None = None


class Checkpoint(CheckpointRef):
    """A checkpoint in the history of the thread that the path names."""

    checkpoint_id: CheckpointId | None = None


class Send(Body):
    """A node to go to, with an input of its own."""

    node: str
    input: Any = None


class Command(Body):
    """A client's command to a graph that waits for input."""

    update: JsonObject | list[Annotated[list[Any], Field(min_length=2, max_length=2)]] | None = None
    resume: Any = None
    goto: str | Send | list[str] | list[Send] | None = None


class LangSmithTracer(Body):
    """The LangSmith project that gets the trace of a run, if traces are sent to LangSmith."""

    project_name: str | None = None


class RunCreate(Body):
    """The body of every request that creates a run."""

    assistant_id: str
    input: Any = None
    command: Command | None = None
    metadata: JsonObject | None = None
    config: RunConfig | None = None
    context: JsonObject | None = None
    checkpoint: Checkpoint | None = None
    checkpoint_id: CheckpointId | None = None
    stream_mode: StreamModes | None = None
    stream_subgraphs: bool | None = None
    stream_resumable: bool | None = None
    interrupt_before: Literal["*"] | list[str] | None = None
    interrupt_after: Literal["*"] | list[str] | None = None
    webhook: str | None = None
    feedback_keys: list[str] | None = None
    multitask_strategy: MultitaskStrategy | None = None
    if_not_exists: IfNotExists | None = None
    on_disconnect: DisconnectMode | None = None
    on_completion: OnCompletionBehavior | None = None
    after_seconds: Annotated[int | float, Field(ge=0, le=366 * 24 * 3600)] | None = None
    langsmith_tracer: LangSmithTracer | None = None
    durability: Durability | None = None
    checkpoint_during: bool | None = None


class RunsCancel(Body):
    """Which runs to cancel: some runs of one thread, or all runs with a status."""

    thread_id: ThreadId | None = None
    run_ids: Annotated[list[RunId], Field(min_length=1)] | None = None
    status: BulkCancelRunsStatus | None = None

    @model_validator(mode="after")
    def _names_runs_in_one_way(self) -> Self:
        by_id = self.thread_id is not None and self.run_ids is not None
        any_id = self.thread_id is not None or self.run_ids is not None
        if by_id == (self.status is not None) or any_id != by_id:
            raise PydanticCustomError("which_runs", "Give either 'status', or 'thread_id' with 'run_ids'")
        return self


class RunBatch(RootModel[Annotated[list[RunCreate], Field(min_length=1, max_length=MAX_BATCH_RUNS)]]):
    """The body that creates several stateless runs."""


class RunObject(BaseModel):
    """A run in a response."""

    run_id: str
    thread_id: str
    assistant_id: str
    metadata: JsonObject
    status: RunStatus
    kwargs: JsonObject
    multitask_strategy: MultitaskStrategy
    created_at: str
    updated_at: str
    langsmith_session_name: None
