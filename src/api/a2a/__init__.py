"""The Agent2Agent protocol: an assistant is an agent, a thread a context, a run a task. Versions 0.3 and 1.0.

Most Workers never serve it, so importing it imports only what the route table needs.
"""

from typing import Any

from pydantic import Field

from api.context import Call
from http_messages import Reply
from wire.queries import Query


class CardQuery(Query):
    """The query of GET /.well-known/agent-card.json."""

    assistant_id: str | None = Field(None, description="Whose card: required, as a server has many assistants.")


async def post(call: Call[Any, Any]) -> Reply:
    """Carry out one request."""
    from api.a2a import endpoint  # noqa: PLC0415 - see above

    return await endpoint.post(call)


async def get_card(call: Call[Any, Any]) -> Reply:
    """The card of the assistant in the path."""
    from api.a2a import endpoint  # noqa: PLC0415 - see above

    return await endpoint.get_card(call)


async def get_card_by_query(call: Call[None, CardQuery]) -> Reply:
    """The card of the assistant in the query."""
    from api.a2a import endpoint  # noqa: PLC0415 - see above

    return await endpoint.get_card_by_query(call)
