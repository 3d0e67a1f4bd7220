"""Assistants on the wire: request bodies and response objects."""

from typing import Annotated, Any, Literal, TypeAlias

from langgraph_sdk.schema import AssistantSortBy, OnConflictBehavior, SortOrder
from pydantic import BaseModel, ConfigDict, Field

from wire.bodies import AssistantId, Body, JsonObject, Limit, Offset
from wire.runs import RunConfig

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


class AssistantConfig(RunConfig):
    """The config from which an assistant's runs start; keys that are unknown to runs are kept."""

    model_config = ConfigDict(extra="allow")


class AssistantContent(Body):
    """The content of an assistant. `context` and `config.configurable` are the same thing: give at most one of them."""

    config: AssistantConfig | None = None
    context: JsonObject | None = None
    metadata: JsonObject | None = None
    name: str | None = None
    description: str | None = None


class AssistantCreate(AssistantContent):
    """The body of POST /assistants."""

    graph_id: str
    assistant_id: AssistantId | None = None
    if_exists: OnConflictBehavior | None = None


class AssistantPatch(AssistantContent):
    """The body of PATCH /assistants/{assistant_id}: `metadata` is merged, every other field is replaced."""

    graph_id: str | None = None


class AssistantVersionSearch(Body):
    """The body of POST /assistants/{assistant_id}/versions."""

    metadata: JsonObject | None = None
    limit: Limit | None = None
    offset: Offset | None = None


class AssistantLatest(Body):
    """The body of POST /assistants/{assistant_id}/latest."""

    version: Annotated[int, Field(ge=1, le=2**31 - 1)]


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
    """An assistant in a response."""

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


class AssistantVersionObject(BaseModel):
    """One version of an assistant in a response."""

    assistant_id: str
    version: int
    graph_id: str
    config: JsonObject
    context: JsonObject
    metadata: JsonObject
    created_at: str
    name: str
    description: str | None


class SchemasObject(BaseModel):
    """The JSON schemas of a graph; null where the graph has none."""

    input_schema: JsonObject | None
    output_schema: JsonObject | None
    state_schema: JsonObject | None
    config_schema: JsonObject | None
    context_schema: JsonObject | None


class GraphSchemasObject(SchemasObject):
    """The JSON schemas of an assistant's graph."""

    graph_id: str


class NodeObject(BaseModel):
    """A node of a drawn graph."""

    id: str | int
    type: str | None = None
    data: Any = None
    metadata: JsonObject | None = None


class EdgeObject(BaseModel):
    """An edge of a drawn graph."""

    source: str | int
    target: str | int
    data: Any = None
    conditional: bool | None = None


class DrawnGraphObject(BaseModel):
    """A graph as its nodes and edges."""

    nodes: list[NodeObject]
    edges: list[EdgeObject]
