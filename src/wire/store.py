"""The store on the wire: bodies, and the objects that a caller reads."""

from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, Field

from wire.bodies import MAX_LIMIT, Body, JsonObject, Offset
from wire.queries import Query

#: 0 is the default, as on LangGraph's own server.
StoreLimit: TypeAlias = Annotated[int, Field(ge=0, le=MAX_LIMIT)]


class ItemPut(Body):
    """The body of PUT /store/items."""

    namespace: list[str]
    key: str
    value: JsonObject
    index: Literal[False] | list[str] | None = None
    #: Minutes. A null is an item that lives forever, whatever the default.
    ttl: Annotated[int | float, Field(gt=0)] | None = None


class ItemQuery(Query):
    """The query of GET /store/items; the labels of `namespace` are joined by periods."""

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
    """The body of POST /store/namespaces; a label `*` is any one label."""

    prefix: list[str] | None = None
    suffix: list[str] | None = None
    max_depth: Annotated[int, Field(ge=1, le=100)] | None = None
    limit: StoreLimit | None = None
    offset: Offset | None = None


class ItemObject(BaseModel):
    """An item as callers read it."""

    namespace: list[str]
    key: str
    value: JsonObject
    created_at: str
    updated_at: str


class FoundItemObject(ItemObject):
    """An item that a search found; `score` is null for one that the query did not rank."""

    score: float | None


class FoundItems(BaseModel):
    """A page of items."""

    items: list[FoundItemObject]


class FoundNamespaces(BaseModel):
    """A page of namespaces."""

    namespaces: list[list[str]]
