"""The caller of a request, who is handed on to the runs that the request creates."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from auth.user import User


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """A caller; without authentication everybody is `ANYONE`."""

    #: How handlers and graphs identify the caller; "" for `ANYONE`.
    identity: str
    permissions: tuple[str, ...] = ()
    #: The fields that `authenticate` returned, JSON values only: a graph's `langgraph_auth_user`. None for `ANYONE`.
    user: Mapping[str, Any] | None = None
    #: The object that `on` handlers get as `ctx.user`.
    handle: Any = field(default=None, compare=False)

    @classmethod
    def of(cls, user: User) -> "Principal":
        """The caller whom a handler has authenticated."""
        return cls(identity=user.identity, permissions=tuple(user.permissions), user=user.to_dict(), handle=user)


#: The caller of a server without authentication.
ANYONE: Final = Principal(identity="")
