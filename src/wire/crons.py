"""Crons on the wire: request bodies and response objects."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal, TypeAlias

from langgraph_sdk.schema import CronSortBy, Durability, MultitaskStrategy, OnCompletionBehavior, SortOrder
from pydantic import AfterValidator, BaseModel, Field
from pydantic_core import PydanticCustomError

from wire.bodies import MAX_LIMIT, MAX_OFFSET, AssistantId, Body, JsonObject, Limit, Offset, ThreadId
from wire.queries import Query
from wire.runs import RunConfig, StreamModes

CronColumn: TypeAlias = Literal[
    "cron_id",
    "assistant_id",
    "thread_id",
    "end_time",
    "schedule",
    "timezone",
    "created_at",
    "updated_at",
    "user_id",
    "payload",
    "next_run_date",
    "metadata",
    "on_run_completed",
    "on_missed",
    "enabled",
]
OnMissed: TypeAlias = Literal["skip", "latest", "all"]


def in_utc(time: str) -> str:
    """An ISO 8601 time in UTC, as it is stored; a time without an offset is UTC already. Raises ValueError."""
    moment = datetime.fromisoformat(time)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC).isoformat()


def _is_time(text: str) -> str:
    try:
        in_utc(text)
    except (ValueError, OverflowError):
        raise PydanticCustomError("time", "must be a time such as 2027-01-01T00:00:00+00:00") from None
    return text


Time: TypeAlias = Annotated[str, AfterValidator(_is_time), Field(json_schema_extra={"format": "date-time"})]


class CronPatch(Body):
    """The body of PATCH /runs/crons/{cron_id}: when a cron runs, and the fields of a run request."""

    schedule: str | None = None
    timezone: str | None = None
    end_time: Time | None = None
    enabled: bool | None = None
    on_run_completed: OnCompletionBehavior | None = None
    on_missed: OnMissed | None = Field(None, description="What happens to times at which nothing could run.")
    input: Any = None
    metadata: JsonObject | None = None
    config: RunConfig | None = None
    context: JsonObject | None = None
    webhook: str | None = None
    interrupt_before: Literal["*"] | list[str] | None = None
    interrupt_after: Literal["*"] | list[str] | None = None
    multitask_strategy: MultitaskStrategy | None = None
    stream_mode: StreamModes | None = None
    stream_subgraphs: bool | None = None
    stream_resumable: bool | None = None
    durability: Durability | None = None
    checkpoint_during: bool | None = None


class CronCreate(CronPatch):
    """The body of every request that creates a cron."""

    assistant_id: str
    schedule: str  # pyright: ignore[reportIncompatibleVariableOverride, reportGeneralTypeIssues] - here it must be given


class CronCount(Body):
    """The body of POST /runs/crons/count."""

    assistant_id: AssistantId | None = None
    thread_id: ThreadId | None = None
    enabled: bool | None = None
    metadata: JsonObject | None = None


class CronSearch(CronCount):
    """The body of POST /runs/crons/search."""

    limit: Limit | None = None
    offset: Offset | None = None
    sort_by: CronSortBy | None = None
    sort_order: SortOrder | None = None
    select: list[CronColumn] | None = None


class CronObject(BaseModel):
    """A cron in a response."""

    cron_id: str
    assistant_id: str
    thread_id: str | None
    user_id: str
    end_time: str | None
    schedule: str
    timezone: str | None
    payload: JsonObject
    next_run_date: str
    metadata: JsonObject
    on_run_completed: OnCompletionBehavior | None
    #: Only Superstep has this field: what becomes of times at which nothing could run.
    on_missed: OnMissed
    enabled: bool
    created_at: str
    updated_at: str


class CronFiresQuery(Query):
    """The query of GET /runs/crons/{cron_id}/fires."""

    limit: int = Field(10, ge=1, le=MAX_LIMIT)
    offset: int = Field(0, ge=0, le=MAX_OFFSET)


class CronFireObject(BaseModel):
    """The outcome of one time of a cron, or of several times that were skipped together."""

    cron_id: str
    scheduled_at: str
    #: If several times were skipped together, the last of them; otherwise null.
    scheduled_until: str | None
    outcome: Literal["created", "skipped"]
    run_id: str | None
    thread_id: str | None
    #: Why there is no run, as a code and as a sentence; null if there is one.
    reason: Literal["missed", "rescheduled", "thread_busy", "not_found", "not_allowed", "failed"] | None
    detail: str | None
    #: When the time was handled. The difference to `scheduled_at` is how late, or how early, that was.
    created_at: str
