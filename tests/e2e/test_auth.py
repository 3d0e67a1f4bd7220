"""A project with its own auth handlers, on workerd: the official clients as two users, and without credentials."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import websockets
from langgraph_sdk import get_client
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.errors import AuthenticationError, NotFoundError

from tests.support.project_server import serving
from tools.local_server import Server

PROJECT = Path(__file__).parent / "auth_project" / "langgraph.json"
KEY = "the key of studio"
SITE = "https://site.example"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving(PROJECT, API_KEYS=KEY) as server:
        yield server


def client_of(server: Server, name: str, **headers: str) -> LangGraphClient:
    return get_client(url=f"{server.url}/api", headers={"authorization": f"Bearer {name}", **headers}, api_key=None)


async def test_two_users_do_not_see_each_other(server: Server) -> None:
    alice, bob = client_of(server, "alice"), client_of(server, "bob")
    thread_id = (await alice.threads.create())["thread_id"]
    await alice.runs.wait(thread_id, "caller", input={})
    [run] = await alice.runs.list(thread_id)
    assert run["metadata"]["owner"] == "alice"
    assert await bob.threads.search() == []
    for refused in (
        lambda: bob.threads.get(thread_id),
        lambda: bob.threads.get_state(thread_id),
        lambda: bob.threads.get_history(thread_id),
        lambda: bob.runs.list(thread_id),
        lambda: bob.runs.join(thread_id, run["run_id"]),
        lambda: bob.runs.create(thread_id, "caller", input={}),
        lambda: bob.runs.wait(thread_id, "caller", input={}, if_not_exists="create"),
    ):
        with pytest.raises((NotFoundError, httpx.HTTPStatusError), match=r"404|not found"):
            await refused()
    joined = [part async for part in bob.runs.join_stream(thread_id, run["run_id"])]
    assert [part.event for part in joined] == ["error"]
    assert len(await alice.runs.list(thread_id)) == 1


async def test_a_node_knows_its_caller_and_the_headers_that_the_project_wants(server: Server) -> None:
    alice = client_of(server, "alice", **{"x-tenant-name": "acme"})
    result: Any = await alice.runs.wait(None, "caller", input={})
    assert result["seen"] == {
        "identity": "alice",
        "org": "alice's org",
        "permissions": ["read"],
        "runtime": "alice",
        "tenant": None,
        "header": "acme",
    }


async def test_each_user_has_a_part_of_the_store(server: Server) -> None:
    alice, bob = client_of(server, "alice"), client_of(server, "bob")
    await alice.store.put_item(["notes"], "k", {"a": 1})
    assert (await alice.store.get_item(["notes"], "k"))["value"] == {"a": 1}
    assert await bob.store.get_item(["notes"], "k") is None
    assert (await bob.store.search_items([]))["items"] == []


async def test_nobody_gets_in_and_a_script_of_the_site_can_read_why(server: Server) -> None:
    with pytest.raises(AuthenticationError, match="Missing token"):
        await get_client(url=f"{server.url}/api", api_key=None).threads.create()
    async with httpx.AsyncClient(base_url=server.url) as http:
        refused = await http.post("/api/threads", json={}, headers={"origin": SITE})
        assert refused.status_code == 401
        assert refused.headers["access-control-allow-origin"] == SITE
        assert (await http.get("/api/nowhere")).status_code == 401
        assert (await http.get("/threads")).status_code == 404
        assert (await http.get("/ok")).status_code == 200


async def test_a_websocket_of_nobody_is_refused(server: Server) -> None:
    url = f"{server.url.replace('http', 'ws')}/api/threads/01a1fc60-905c-7390-9fc1-ed6b2aa6090c/stream/events"
    with pytest.raises(websockets.InvalidStatus) as refused:
        await websockets.connect(url)
    assert refused.value.response.status_code == 403


async def test_scripts_of_the_site_may_read_streams_with_credentials(server: Server) -> None:
    headers = {"authorization": "Bearer alice", "origin": SITE}
    body = {"assistant_id": "caller", "input": {}}
    async with httpx.AsyncClient(base_url=server.url, headers=headers, timeout=60) as http:
        for path in ("/api/runs/stream", "/api/runs/wait"):
            answer = await http.post(path, json=body)
            assert answer.headers["access-control-allow-origin"] == SITE
            assert answer.headers["access-control-allow-credentials"] == "true"
            assert answer.headers["content-location"]
            assert answer.headers["x-request-id"]
        answer = await http.post("/api/runs/wait", json=body, headers={"origin": "https://other.example"})
        assert "access-control-allow-origin" not in answer.headers


async def test_studio_is_let_in_with_a_key(server: Server) -> None:
    studio = {"x-auth-scheme": "langsmith"}
    async with httpx.AsyncClient(base_url=f"{server.url}/api", headers=studio) as http:
        thread = await http.post("/threads", json={}, headers={"x-api-key": KEY})
        assert thread.json()["metadata"] == {"owner": "langgraph-studio-user"}
        assert (await http.post("/threads", json={}, headers={"x-api-key": "wrong"})).status_code == 401


async def test_a_graph_uses_the_server_through_a_client_without_address(server: Server) -> None:
    result: Any = await client_of(server, "alice").runs.wait(None, "delegating", input={})
    assert result["seen"]["awaited"] == {"seen": {"user": None}}
    assert result["seen"]["events"] == ["metadata", "values"]
    assert result["seen"]["found"] == 1
