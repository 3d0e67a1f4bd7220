"""One Superstep server for all end-to-end tests, and the official clients for it.

`SUPERSTEP_URL` points the tests at a server that is already running, such as a deployed one that serves `graphs/`.
"""

import os
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
import pytest_asyncio
from langgraph_sdk import get_client
from langgraph_sdk.client import LangGraphClient

from tests.support.dns_server import DnsServer
from tests.support.project_server import serving, show_logs
from tests.support.step_server import StepServer

#: The server under test signs webhooks with it.
WEBHOOK_SECRET = "whsec_c2VjcmV0cyBvZiB0ZXN0cyBhcmUgbm9uZQ=="


@pytest.fixture(scope="session")
def dns() -> Iterator[DnsServer]:
    """The domain name system of the server under test."""
    with DnsServer().serving() as dns:
        yield dns


@pytest.fixture(scope="session")
def server_url(dns: DnsServer) -> Iterator[str]:
    """Where the server under test listens."""
    if url := os.environ.get("SUPERSTEP_URL"):
        yield url
        return
    with serving(DNS_RESOLVER_URL=dns.url, WEBHOOK_SECRETS=WEBHOOK_SECRET) as server:
        yield server.url


@pytest.fixture
def steps() -> Iterator[StepServer]:
    """The outside world of the `gated` graph."""
    with StepServer().serving() as server:
        yield server


@pytest_asyncio.fixture
async def http(server_url: str) -> AsyncIterator[httpx.AsyncClient]:
    """Plain HTTP, for what the SDK hides: statuses, headers, bytes."""
    async with httpx.AsyncClient(base_url=server_url, timeout=60) as client:
        yield client


@pytest_asyncio.fixture
async def client(server_url: str) -> AsyncIterator[LangGraphClient]:
    """The official asynchronous Python client."""
    async with get_client(url=server_url) as client:
        yield client


@pytest_asyncio.fixture
async def thread_id(client: LangGraphClient) -> str:
    """A fresh thread."""
    return (await client.threads.create())["thread_id"]


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport() -> Iterator[None]:
    """A failed test shows what the server said."""
    outcome = yield
    show_logs(outcome.get_result())
