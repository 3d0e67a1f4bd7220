"""Which gatekeeper a configuration gets: the server is open only if the configuration asks for it."""

import pytest

from auth import configured
from auth.api_keys import ApiKeys
from auth.closed_door import ClosedDoor
from auth.gatekeeper import OpenDoor
from auth.handlers import Handlers
from errors import AccessRefused
from http_messages import HttpRequest
from project_config.sections import AuthConfig
from settings import Settings
from tests.support import owners

KEYS = Settings(api_keys="k" * 16)
STUDIO = HttpRequest("GET", "/threads", [], {"x-auth-scheme": "langsmith", "x-api-key": "k" * 16})


async def test_a_server_that_was_told_nothing_serves_nobody_and_says_what_to_tell_it() -> None:
    gatekeeper = configured.gatekeeper(AuthConfig(), None, Settings())
    assert isinstance(gatekeeper, ClosedDoor)
    with pytest.raises(AccessRefused, match="API_KEYS"):
        await gatekeeper.authenticate(HttpRequest("GET", "/threads", [], {"x-api-key": "x"}))


def test_an_open_door_is_announced(caplog: pytest.LogCaptureFixture) -> None:
    assert isinstance(configured.gatekeeper(AuthConfig(), None, Settings(auth="none")), OpenDoor)
    assert "everybody who reaches this server may do everything" in caplog.text


@pytest.mark.parametrize("auth", ["none", "required"])
def test_keys_and_handlers_hold_whatever_auth_says(auth: str) -> None:
    settings = Settings(auth=auth, api_keys="k" * 16)
    assert isinstance(configured.gatekeeper(AuthConfig(), None, settings), ApiKeys)
    assert isinstance(configured.gatekeeper(AuthConfig(), owners.handlers(), settings), Handlers)


@pytest.mark.parametrize(
    ("settings", "config", "is_let_in"),
    [
        (Settings(), AuthConfig(), False),
        (Settings(auth="none"), AuthConfig(), True),
        (Settings(auth="none"), AuthConfig(disable_studio_auth=True), False),
        (KEYS, AuthConfig(), True),
        (KEYS, AuthConfig(disable_studio_auth=True), False),
        (Settings(api_keys="o" * 16), AuthConfig(), False),
    ],
)
async def test_studio_needs_a_key_where_keys_are_checked(
    settings: Settings, config: AuthConfig, is_let_in: bool
) -> None:
    gatekeeper = configured.gatekeeper(config, owners.handlers(), settings)
    if is_let_in:
        assert (await gatekeeper.authenticate(STUDIO)).identity == "langgraph-studio-user"
    else:
        with pytest.raises(AccessRefused):
            await gatekeeper.authenticate(STUDIO)
