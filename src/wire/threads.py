"""Threads on the wire: request bodies and response objects."""

from typing import Annotated, Any, Final, Literal, TypeAlias

from langgraph_sdk.schema import OnConflictBehavior, SortOrder, ThreadSortBy, ThreadStatus
from pydantic import BaseModel, Field

from project_config.sections import MAX_TTL_MINUTES
from wire.bodies import MAX_LIMIT, Body, JsonObject, Limit, Offset, ThreadId
from wire.queries import Query
from wire.state_updates import MAX_SUPERSTEPS, Superstep

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


#: The limit of the LangGraph SDKs.
MAX_EXTRACTS: Final = 10


class ThreadTtl(Body):
    """How many minutes a thread lives after its last activity, and what happens to it then."""

    ttl: Annotated[float, Field(gt=0, le=MAX_TTL_MINUTES)]
    strategy: Literal["delete", "keep_latest"] = "delete"


class ThreadCreate(Body):
    """The body of POST /threads."""

    thread_id: ThreadId | None = None
    metadata: JsonObject | None = None
    if_exists: OnConflictBehavior | None = None
    ttl: ThreadTtl | None = None
    supersteps: Annotated[list[Superstep], Field(max_length=MAX_SUPERSTEPS)] | None = None


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
    extract: Annotated[dict[str, str], Field(max_length=MAX_EXTRACTS)] | None = None


class ThreadPrune(Body):
    """The body of POST /threads/prune."""

    thread_ids: Annotated[list[ThreadId], Field(max_length=MAX_LIMIT)]
    strategy: Literal["delete", "keep_latest"] = "delete"


class ThreadQuery(Query):
    """The query of GET /threads/{thread_id}."""

    #: Fields to include, separated by commas; `ttl` is the only one.
    include: str = ""


class ThreadTtlObject(BaseModel):
    """A thread's TTL in a response."""

    strategy: str
    ttl_minutes: float
    expires_at: str | None


class ThreadObject(BaseModel):
    """A thread in a response."""

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
    #: Present if it was requested with `include`, and the thread has one.
    ttl: ThreadTtlObject | None = None
    #: Present if it was requested with `extract`: for each alias, the value at its path.
    extracted: JsonObject | None = None


class ThreadsPruned(BaseModel):
    """The result of POST /threads/prune."""

    pruned_count: int


class BytesOf(BaseModel):
    """A number of things, and their size in bytes."""

    count: int
    bytes: int


class ChannelBytes(BaseModel):
    """The stored versions of one channel, and their size in bytes."""

    versions: int
    bytes: int


class ChannelValuesBytes(BytesOf):
    """The size of all channel values."""

    by_channel: dict[str, ChannelBytes]


class ThreadStorage(BaseModel):
    """What a thread occupies in the database."""

    thread_id: str
    total_bytes: int
    checkpoints: BytesOf
    channel_values: ChannelValuesBytes
    pending_writes: BytesOf
