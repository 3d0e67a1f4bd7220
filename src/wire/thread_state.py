"""The state of a thread on the wire: request bodies and response objects."""

from typing import Annotated, Any

from pydantic import BaseModel, Field

from wire.bodies import Body, JsonObject, Limit


class CheckpointRef(Body):
    """A reference to a checkpoint. Any text is a valid id; an unknown one has an empty state."""

    checkpoint_id: str | None = None
    checkpoint_ns: str | None = None
    checkpoint_map: dict[str, str] | None = None


class ConfigRef(Body):
    """A checkpoint in the form of a `RunnableConfig`."""

    configurable: CheckpointRef


class StateAtCheckpoint(Body):
    """The body of POST /threads/{thread_id}/state/checkpoint."""

    checkpoint: CheckpointRef
    subgraphs: bool | None = None


class HistorySearch(Body):
    """The body of POST /threads/{thread_id}/history."""

    limit: Limit | None = None
    before: str | ConfigRef | CheckpointRef | None = None
    metadata: JsonObject | None = None
    checkpoint: CheckpointRef | None = None


class InterruptObject(BaseModel):
    """An interrupt in a thread's state."""

    id: str
    value: Any


class TaskObject(BaseModel):
    """A task of the thread's next super-step."""

    id: str
    name: str
    path: list[Any]
    error: str | None
    interrupts: list[InterruptObject]
    checkpoint: JsonObject | None
    state: JsonObject | None
    result: Any


class ThreadStateObject(BaseModel):
    """The state of a thread at one checkpoint."""

    values: Any
    next: list[str]
    tasks: list[TaskObject]
    metadata: JsonObject | None
    created_at: str | None
    checkpoint: JsonObject | None
    parent_checkpoint: JsonObject | None
    interrupts: list[InterruptObject]
    checkpoint_id: Annotated[str | None, Field(deprecated=True)]
    parent_checkpoint_id: Annotated[str | None, Field(deprecated=True)]
