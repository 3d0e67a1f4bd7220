"""The check that every operation passes: who calls, may they do this, and on which rows."""

from typing import Any, Literal, Protocol, TypeAlias

from auth.principal import ANYONE, Principal
from http_messages import HttpRequest
from tables.access import EVERYTHING, Access

#: An operation in the terms of `langgraph_sdk.Auth`: the resource and the action of `@auth.on.…` handlers.
Event: TypeAlias = Literal[
    "assistants.create",
    "assistants.read",
    "assistants.update",
    "assistants.delete",
    "assistants.search",
    "threads.create",
    "threads.read",
    "threads.update",
    "threads.delete",
    "threads.search",
    "threads.create_run",
    "crons.create",
    "crons.read",
    "crons.update",
    "crons.delete",
    "crons.search",
    "store.put",
    "store.get",
    "store.search",
    "store.delete",
    "store.list_namespaces",
]


class Gatekeeper(Protocol):
    """Decides about every request; the route table says which permission each operation needs."""

    #: Whether everybody may do everything.
    is_open: bool

    async def authenticate(self, request: HttpRequest, /) -> Principal:
        """Who sent the request. Raises AccessRefused."""
        ...

    async def authorize(self, principal: Principal, event: Event, value: dict[str, Any], /) -> Access:
        """The rows on which the caller may do this; handlers may change `value` in place, above all its metadata.

        Raises AccessRefused.
        """
        ...


class OpenDoor:
    """Lets everybody do everything: a server without authentication."""

    is_open = True

    async def authenticate(self, _request: HttpRequest, /) -> Principal:
        """See `Gatekeeper`."""
        return ANYONE

    async def authorize(self, _principal: Principal, _event: Event, _value: dict[str, Any], /) -> Access:
        """See `Gatekeeper`."""
        return EVERYTHING
