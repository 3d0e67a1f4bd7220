"""A server that tests kill, and fixtures that show that nothing was lost or done twice."""

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
import pytest_asyncio
from langgraph_sdk import get_client
from langgraph_sdk.client import LangGraphClient

from tests.support.database_file import DatabaseFile
from tests.support.project_server import serving, show_logs
from tests.support.step_server import StepServer
from tools.local_server import Server

MAX_ATTEMPTS = 3


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """One server for all chaos tests; each of them leaves it running."""
    with serving(MAX_ATTEMPTS=str(MAX_ATTEMPTS)) as server:
        yield server


@pytest.fixture
def steps() -> Iterator[StepServer]:
    """The outside world of the `gated` graph."""
    with StepServer().serving() as server:
        yield server


@pytest_asyncio.fixture
async def client(server: Server) -> AsyncIterator[LangGraphClient]:
    """The official asynchronous Python client."""
    async with get_client(url=server.url) as client:
        yield client


@pytest_asyncio.fixture
async def http(server: Server) -> AsyncIterator[httpx.AsyncClient]:
    """Plain HTTP."""
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as client:
        yield client


@pytest_asyncio.fixture
async def thread_id(client: LangGraphClient) -> str:
    """A fresh thread."""
    return (await client.threads.create())["thread_id"]


@pytest.fixture
def database(server: Server) -> DatabaseFile:
    """What D1 holds."""
    return DatabaseFile(server.persist_to)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport() -> Iterator[None]:
    """A failed test shows what the server said."""
    outcome = yield
    show_logs(outcome.get_result())
