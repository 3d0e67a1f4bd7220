"""Dead letters on the wire: requests and response objects."""

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
    """Which dead letters; all of them if it is empty."""

    graph_id: str | None = None


class DeadLettersRedrive(Body):
    """Which runs to redrive: those listed, or a page of those that match a filter."""

    run_ids: Annotated[list[RunId], Field(min_length=1, max_length=MAX_LIMIT)] | None = None
    filter: DeadLetterFilter | None = None
    limit: Limit | None = Field(None, description="With `filter`: the largest number of runs, 100 by default.")
    offset: Offset | None = Field(None, description="With `filter`: how many to skip, such as those that were refused.")

    @model_validator(mode="after")
    def _names_them_in_one_way(self) -> Self:
        if (self.run_ids is None) == (self.filter is None):
            raise PydanticCustomError("which_runs", "Give either 'run_ids' or 'filter'; an empty filter is all")
        return self


class DeadLetterReason(BaseModel):
    """Why this is a dead letter."""

    error: str
    message: str


class DeadLetterObject(BaseModel):
    """A run that gave up, or a queue message that could not be delivered."""

    run_id: str = Field(description="Or, for a message that names no run, the message's id.")
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
    """A run that was redriven."""

    thread_id: str
    run_id: str


class RefusedRun(BaseModel):
    """A run that was not redriven, and why."""

    run_id: str
    detail: str


class DeadLettersRedriven(BaseModel):
    """The result of a redrive."""

    redriven: list[RedrivenRun]
    refused: list[RefusedRun]
