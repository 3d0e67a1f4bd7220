"""Threads on the wire: bodies, and the object that a caller reads."""

from typing import Annotated, Any, Literal, TypeAlias

from langgraph_sdk.schema import OnConflictBehavior, SortOrder, ThreadSortBy, ThreadStatus
from pydantic import BaseModel, Field

from wire.bodies import Body, JsonObject, Limit, Offset, ThreadId

ThreadColumn: TypeAlias = Literal[
    "thread_id",
    "created_at",
    "updated_at",
    "state_updated_at",
    "metadata",
    "config",
    "status",
    "values",
    "interrupts",
    "error",
]


class ThreadTtl(Body):
    """How long to keep a thread."""

    ttl: float | None = None
    strategy: Literal["delete", "keep_latest"] | None = None


class ThreadCreate(Body):
    """The body of POST /threads."""

    thread_id: ThreadId | None = None
    metadata: JsonObject | None = None
    if_exists: OnConflictBehavior | None = None
    ttl: ThreadTtl | None = None
    supersteps: list[JsonObject] | None = None


class ThreadPatch(Body):
    """The body of PATCH /threads/{thread_id}."""

    metadata: JsonObject | None = None
    ttl: ThreadTtl | None = None


class ThreadCount(Body):
    """The body of POST /threads/count."""

    metadata: JsonObject | None = None
    values: JsonObject | None = None
    ids: Annotated[list[ThreadId], Field(max_length=1000)] | None = None
    status: ThreadStatus | None = None


class ThreadSearch(ThreadCount):
    """The body of POST /threads/search."""

    limit: Limit | None = None
    offset: Offset | None = None
    sort_by: ThreadSortBy | None = None
    sort_order: SortOrder | None = None
    select: list[ThreadColumn] | None = None
    extract: dict[str, str] | None = None


class ThreadObject(BaseModel):
    """A thread as callers read it."""

    thread_id: str
    created_at: str
    updated_at: str
    state_updated_at: str
    metadata: JsonObject
    status: ThreadStatus
    config: JsonObject
    values: Any
    error: JsonObject | None
    interrupts: JsonObject
