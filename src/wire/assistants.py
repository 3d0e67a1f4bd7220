"""Assistants on the wire: bodies, and the object that a caller reads."""

from typing import Literal, TypeAlias

from langgraph_sdk.schema import AssistantSortBy, SortOrder
from pydantic import BaseModel

from wire.bodies import Body, JsonObject, Limit, Offset

AssistantColumn: TypeAlias = Literal[
    "assistant_id",
    "graph_id",
    "name",
    "description",
    "config",
    "context",
    "created_at",
    "updated_at",
    "metadata",
    "version",
]


class AssistantCount(Body):
    """The body of POST /assistants/count."""

    metadata: JsonObject | None = None
    graph_id: str | None = None
    name: str | None = None


class AssistantSearch(AssistantCount):
    """The body of POST /assistants/search."""

    limit: Limit | None = None
    offset: Offset | None = None
    sort_by: AssistantSortBy | None = None
    sort_order: SortOrder | None = None
    select: list[AssistantColumn] | None = None


class AssistantObject(BaseModel):
    """An assistant as callers read it."""

    assistant_id: str
    graph_id: str
    config: JsonObject
    context: JsonObject
    metadata: JsonObject
    name: str
    created_at: str
    updated_at: str
    version: int
    description: str | None
