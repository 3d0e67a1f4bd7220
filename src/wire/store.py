"""The store on the wire: request bodies and response objects."""

from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, Field

from wire.bodies import MAX_LIMIT, Body, JsonObject, Offset
from wire.queries import Query

#: 0 means the default, as on LangGraph's own server.
StoreLimit: TypeAlias = Annotated[int, Field(ge=0, le=MAX_LIMIT)]


class ItemPut(Body):
    """The body of PUT /store/items."""

    namespace: list[str]
    key: str
    value: JsonObject
    index: Literal[False] | list[str] | None = None
    #: Minutes. An explicit null means that the item never expires, whatever the default is.
    ttl: Annotated[int | float, Field(gt=0)] | None = None


class ItemQuery(Query):
    """The query of GET /store/items; `namespace` has its labels joined by periods."""

    namespace: str = ""
    key: str | None = None
    refresh_ttl: bool | None = None


class ItemDelete(Body):
    """The body of DELETE /store/items."""

    namespace: list[str] | None = None
    key: str


class ItemSearch(Body):
    """The body of POST /store/items/search."""

    namespace_prefix: list[str] | None = None
    filter: JsonObject | None = None
    limit: StoreLimit | None = None
    offset: Offset | None = None
    query: str | None = None
    refresh_ttl: bool | None = None


class NamespaceSearch(Body):
    """The body of POST /store/namespaces; the label `*` matches any single label."""

    prefix: list[str] | None = None
    suffix: list[str] | None = None
    max_depth: Annotated[int, Field(ge=1, le=100)] | None = None
    limit: StoreLimit | None = None
    offset: Offset | None = None


class ItemObject(BaseModel):
    """An item in a response."""

    namespace: list[str]
    key: str
    value: JsonObject
    created_at: str
    updated_at: str


class FoundItemObject(ItemObject):
    """An item that a search found; `score` is null if the query did not rank it."""

    score: float | None


class FoundItems(BaseModel):
    """A page of items."""

    items: list[FoundItemObject]


class FoundNamespaces(BaseModel):
    """A page of namespaces."""

    namespaces: list[list[str]]
