"""Dead letters on the wire: what asks for them, and what a caller reads."""

from typing import Annotated, Final, Self

from langgraph_sdk.schema import RunStatus
from pydantic import BaseModel, Field, model_validator
from pydantic_core import PydanticCustomError

from wire.bodies import MAX_LIMIT, MAX_OFFSET, Body, Limit, Offset, RunId
from wire.queries import Query

DEFAULT_LIMIT: Final = 100


class DeadLettersQuery(Query):
    """The query of GET /runs/dead-letters."""

    graph_id: str | None = None
    limit: int = Field(DEFAULT_LIMIT, ge=1, le=MAX_LIMIT)
    offset: int = Field(0, ge=0, le=MAX_OFFSET)


class DeadLetterFilter(Body):
    """Which dead letters; all of them when it is empty."""

    graph_id: str | None = None


class DeadLettersRedrive(Body):
    """Which runs are to go on: some, or a page of those that a filter finds."""

    run_ids: Annotated[list[RunId], Field(min_length=1, max_length=MAX_LIMIT)] | None = None
    filter: DeadLetterFilter | None = None
    limit: Limit | None = Field(None, description="With `filter`: how many at most, 100 unless given.")
    offset: Offset | None = Field(None, description="With `filter`: how many to pass over, as those that were refused.")

    @model_validator(mode="after")
    def _names_them_in_one_way(self) -> Self:
        if (self.run_ids is None) == (self.filter is None):
            raise PydanticCustomError("which_runs", "Give either 'run_ids' or 'filter'; an empty filter is all")
        return self


class DeadLetterReason(BaseModel):
    """Why it is one."""

    error: str
    message: str


class DeadLetterObject(BaseModel):
    """A run that gave up, or a queue message that could not be delivered."""

    run_id: str = Field(description="For a message that names no run, the message's own id.")
    thread_id: str | None
    assistant_id: str | None
    graph_id: str | None
    status: RunStatus | None
    attempts: int | None = Field(description="The number of the run's last attempt: the one in which it gave up.")
    reason: DeadLetterReason
    message: str | None = Field(
        description="A message that could not be delivered, as text; null for a run that gave up."
    )
    created_at: str


class RedrivenRun(BaseModel):
    """A run that goes on."""

    thread_id: str
    run_id: str


class RefusedRun(BaseModel):
    """A run that does not go on, and why."""

    run_id: str
    detail: str


class DeadLettersRedriven(BaseModel):
    """What came of a redrive."""

    redriven: list[RedrivenRun]
    refused: list[RefusedRun]
