"""Webhooks on the wire: what asks for them, and what a caller reads."""

from typing import Annotated, Final, Literal, Self, TypeAlias

from pydantic import BaseModel, Field, model_validator
from pydantic_core import PydanticCustomError

from wire.bodies import MAX_LIMIT, MAX_OFFSET, Body, Limit, RunId
from wire.queries import Query

DEFAULT_LIMIT: Final = 100

WebhookStatus: TypeAlias = Literal["pending", "delivered", "dead"]


class WebhooksQuery(Query):
    """The query of GET /runs/webhooks."""

    status: WebhookStatus | None = Field(None, description="`dead` are those that were given up; all unless given.")
    limit: int = Field(DEFAULT_LIMIT, ge=1, le=MAX_LIMIT)
    offset: int = Field(0, ge=0, le=MAX_OFFSET)


class WebhooksRedeliver(Body):
    """Which webhooks are to be delivered once more: those of some runs, or so many of all that were given up."""

    run_ids: Annotated[list[RunId], Field(min_length=1, max_length=MAX_LIMIT)] | None = None
    status: Literal["dead"] | None = None
    limit: Limit | None = Field(None, description="With `status`: how many at most, 100 unless given.")

    @model_validator(mode="after")
    def _names_them_in_one_way(self) -> Self:
        if (self.run_ids is None) == (self.status is None):
            raise PydanticCustomError("which_webhooks", "Give either 'run_ids' or 'status': \"dead\"")
        return self


class WebhookAttempt(BaseModel):
    """One attempt to deliver a webhook; one that is under way, or was cut off, has neither status nor problem."""

    at: str
    status: int | None = Field(None, description="What the receiver answered.")
    problem: str | None = Field(None, description="Why there is no answer, or why it does not count.")


class WebhookObject(BaseModel):
    """The webhook of one end of a run."""

    delivery_id: str = Field(description="What the receiver gets as `webhook-id`, in each attempt.")
    run_id: str
    thread_id: str
    url: str
    status: WebhookStatus
    attempts: int = Field(description="Since the run's end, or since it was last redelivered.")
    next_attempt_at: str | None
    delivered_at: str | None
    history: list[WebhookAttempt] = Field(description="All attempts, the last 50 at most, oldest first.")


class RedeliveredWebhook(BaseModel):
    """A webhook that is due again."""

    run_id: str
    delivery_id: str


class WebhooksRedelivered(BaseModel):
    """What came of a redelivery: nothing for a run whose webhook was delivered, or that has none."""

    redelivered: list[RedeliveredWebhook]
