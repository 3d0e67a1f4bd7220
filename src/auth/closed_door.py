"""A server that is configured neither to authenticate nor to be open: it serves nobody."""

from typing import Any, Final

from auth.gatekeeper import Event
from auth.principal import Principal
from errors import AccessRefused
from http_messages import HttpRequest
from tables.access import NOTHING, Access

HELP: Final = (
    "This server does not know yet who may call it: set the secret API_KEYS, name handlers as 'auth.path' in "
    "langgraph.json, or let everybody in with the variable AUTH=none."
)


class ClosedDoor:
    """Refuses everybody, and says what to configure."""

    is_open = False

    async def authenticate(self, _request: HttpRequest, /) -> Principal:
        """See `Gatekeeper`."""
        raise AccessRefused(401, HELP)

    async def authorize(self, _principal: Principal, _event: Event, _value: dict[str, Any], /) -> Access:
        """See `Gatekeeper`."""
        return NOTHING
