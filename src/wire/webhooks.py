"""Webhooks on the wire: requests and response objects."""

from typing import Annotated, Final, Literal, Self, TypeAlias

from pydantic import BaseModel, Field, model_validator
from pydantic_core import PydanticCustomError

from wire.bodies import MAX_LIMIT, MAX_OFFSET, Body, Limit, RunId
from wire.queries import Query

DEFAULT_LIMIT: Final = 100

WebhookStatus: TypeAlias = Literal["pending", "delivered", "dead"]


class WebhooksQuery(Query):
    """The query of GET /runs/webhooks."""

    status: WebhookStatus | None = Field(None, description="`dead`: those that were given up. Default: all.")
    limit: int = Field(DEFAULT_LIMIT, ge=1, le=MAX_LIMIT)
    offset: int = Field(0, ge=0, le=MAX_OFFSET)


class WebhooksRedeliver(Body):
    """Which webhooks to redeliver: those of some runs, or a page of those that were given up."""

    run_ids: Annotated[list[RunId], Field(min_length=1, max_length=MAX_LIMIT)] | None = None
    status: Literal["dead"] | None = None
    limit: Limit | None = Field(None, description="With `status`: the largest number, 100 by default.")

    @model_validator(mode="after")
    def _names_them_in_one_way(self) -> Self:
        if (self.run_ids is None) == (self.status is None):
            raise PydanticCustomError("which_webhooks", "Give either 'run_ids' or 'status': \"dead\"")
        return self


class WebhookAttempt(BaseModel):
    """One attempt to deliver a webhook. It has neither `status` nor `problem` while under way, or if it was cut off."""

    at: str
    status: int | None = Field(None, description="The status of the receiver's response.")
    problem: str | None = Field(None, description="Why there was no response, or why it is not a success.")


class WebhookObject(BaseModel):
    """The webhook for one end of a run."""

    delivery_id: str = Field(description="The `webhook-id` of every attempt.")
    run_id: str
    thread_id: str
    url: str
    status: WebhookStatus
    attempts: int = Field(description="Attempts since the run's end, or since the last redelivery.")
    next_attempt_at: str | None
    delivered_at: str | None
    history: list[WebhookAttempt] = Field(description="The last 50 attempts, oldest first.")


class RedeliveredWebhook(BaseModel):
    """A webhook that is due again."""

    run_id: str
    delivery_id: str


class WebhooksRedelivered(BaseModel):
    """The result of a redelivery. A run without a webhook, or whose webhook was delivered, is not listed."""

    redelivered: list[RedeliveredWebhook]
