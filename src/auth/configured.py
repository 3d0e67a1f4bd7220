"""Which gatekeeper the configuration selects."""

import logging

from langgraph_sdk import Auth

from auth import api_keys, closed_door
from auth.api_keys import ApiKeys
from auth.closed_door import ClosedDoor
from auth.gatekeeper import Gatekeeper, OpenDoor
from auth.handlers import Handlers, StudioTrust
from project_config.sections import AuthConfig
from settings import Settings

logger = logging.getLogger(__name__)


def gatekeeper(config: AuthConfig, handlers: Auth | None, settings: Settings) -> Gatekeeper:
    """The project's handlers, API keys, an open door if the settings say so, or else a closed one.

    Raises ValueError if the configuration is wrong, with the reason.
    """
    keys = ApiKeys(api_keys.parse(settings.api_keys)) if settings.api_keys else None
    if handlers is not None:
        return Handlers(handlers, cache=config.cache, trusts_studio=_studio_trust(config, keys, settings))
    if keys:
        return keys
    if settings.auth == "none":
        logger.warning("AUTH=none: everybody who reaches this server may do everything")
        return OpenDoor()
    logger.error(closed_door.HELP)
    return ClosedDoor()


def _studio_trust(config: AuthConfig, keys: ApiKeys | None, settings: Settings) -> StudioTrust:
    """Studio sends a LangSmith key that only LangSmith could check, so here it must be one of `API_KEYS`."""
    if config.disable_studio_auth:
        return lambda _request: False
    if keys:
        return lambda request: keys.name_of(request) is not None
    return lambda _request: settings.auth == "none"
