"""Auth handlers: rows belong to their creator, and each user has a part of the store."""

from typing import Any

from langgraph_sdk import Auth

auth = Auth()


@auth.authenticate
async def authenticate(authorization: str | None) -> dict[str, Any]:
    """Any bearer token is a name."""
    scheme, _, name = (authorization or "").partition(" ")
    if scheme != "Bearer" or not name:
        raise Auth.exceptions.HTTPException(detail="Missing token")
    return {"identity": name, "permissions": ["read"], "org": f"{name}'s org"}


@auth.on
async def own(ctx: Auth.types.AuthContext, value: dict[str, Any]) -> dict[str, str]:
    """Marks what is written, and shows only that."""
    value.setdefault("metadata", {})["owner"] = ctx.user.identity
    return {"owner": ctx.user.identity}


@auth.on.store
async def own_namespace(ctx: Auth.types.AuthContext, value: dict[str, Any]) -> None:
    """Begins every namespace with the user."""
    value["namespace"] = (ctx.user.identity, *(value.get("namespace") or ()))
