"""Auth handlers as most projects write them: rows belong to their creator, and do not exist for anybody else.

Bearer tokens are `tenant/user`. Assistants belong to the tenant, threads and crons to the user; store namespaces begin
with the user's name.
"""

from typing import Any

from langgraph_sdk import Auth

OWNER = "acme/alice"
COLLEAGUE = "acme/bob"
STRANGER = "globex/eve"


def handlers() -> Auth:
    """A new `Auth`; the handlers of one can only be registered once."""
    auth = Auth()

    @auth.authenticate
    async def authenticate(authorization: str | None) -> dict[str, Any]:
        scheme, _, name = (authorization or "").partition(" ")
        tenant, slash, _user = name.partition("/")
        if scheme != "Bearer" or not slash:
            raise Auth.exceptions.HTTPException(detail="Missing token", headers={"www-authenticate": "Bearer"})
        return {"identity": name, "tenant": tenant, "permissions": ["p1"], "display_name": name.title()}

    @auth.on
    async def own(ctx: Any, value: dict[str, Any]) -> dict[str, Any]:
        metadata = value.setdefault("metadata", {})
        metadata["owner"] = ctx.user.identity
        return {"owner": ctx.user.identity}

    @auth.on.assistants
    async def shared_in_the_tenant(ctx: Any, value: dict[str, Any]) -> dict[str, Any]:
        value.setdefault("metadata", {})["tenant"] = ctx.user["tenant"]
        return {"tenant": ctx.user["tenant"]}

    @auth.on.store
    async def own_namespace(ctx: Any, value: dict[str, Any]) -> None:
        namespace = tuple(value.get("namespace") or ())
        if namespace[:1] != (ctx.user.identity,):
            value["namespace"] = (ctx.user.identity, *namespace)

    return auth


def bearer(name: str) -> dict[str, str]:
    """The headers of a caller."""
    return {"authorization": f"Bearer {name}"}
