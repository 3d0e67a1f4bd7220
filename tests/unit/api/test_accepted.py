"""The status of an accepted run."""

import pytest

from api.accepted import accepted_status
from settings import AcceptedStatus


@pytest.mark.parametrize(
    ("headers", "setting", "status"),
    [
        ({}, "auto", 202),
        ({"user-agent": "python-httpx/0.28.1"}, "auto", 202),
        ({"user-agent": "curl/8"}, "auto", 202),
        ({"user-agent": "Mozilla/5.0 (X11)"}, "auto", 202),
        ({"user-agent": "Mozilla/5.0 (X11)", "sec-fetch-mode": "cors"}, "auto", 200),
        ({"user-agent": "node", "sec-fetch-mode": "cors"}, "auto", 200),
        ({"user-agent": "node"}, "auto", 200),
        ({"user-agent": "Deno/2.1.4"}, "auto", 200),
        ({"user-agent": "Bun/1.2"}, "auto", 200),
        ({"user-agent": "undici"}, "auto", 200),
        ({"cf-worker": "example.com"}, "auto", 200),
        ({"user-agent": "node", "prefer": "respond-async"}, "auto", 202),
        ({"user-agent": "node", "prefer": "wait=5, Respond-Async;x=1"}, "auto", 202),
        ({"user-agent": "node"}, "202", 202),
        ({"user-agent": "curl/8"}, "200", 200),
        ({"prefer": "respond-async"}, "200", 202),
    ],
)
def test_accepted_status(headers: dict[str, str], setting: AcceptedStatus, status: int) -> None:
    assert accepted_status(headers, setting) == status
