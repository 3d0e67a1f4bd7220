"""Who may do what, over the whole API: a project's handlers decide, and rows out of reach do not exist."""

from typing import Any

import pytest

from auth.handlers import Handlers
from tests.support import owners
from tests.support.http_api import Api


@pytest.fixture
def api() -> Api:
    return Api(gatekeeper=Handlers(owners.handlers()))


async def test_a_run_cannot_be_created_on_anothers_thread_by_creating_it_conditionally(api: Api) -> None:
    thread = await api.json("POST", "/threads", {}, **owners.bearer(owners.OWNER))
    body = {"assistant_id": "sequence", "if_not_exists": "create"}
    path = f"/threads/{thread['thread_id']}/runs"
    answer = await api.json("POST", path, body, status=404, **owners.bearer(owners.STRANGER))
    assert answer == {"detail": "Thread or assistant not found."}
    assert api.rows("runs") == 0


async def test_what_a_handler_writes_into_metadata_is_stored(api: Api) -> None:
    thread = await api.json("POST", "/threads", {"metadata": {"x": 1}}, **owners.bearer(owners.OWNER))
    assert thread["metadata"] == {"x": 1, "owner": owners.OWNER}


async def test_a_run_carries_its_caller(api: Api) -> None:
    body = {
        "assistant_id": "sequence",
        "config": {"configurable": {"langgraph_auth_user_id": "root", "user_id": "root"}},
    }
    run = await api.json("POST", "/runs", body, status=202, **owners.bearer(owners.OWNER))
    configurable = run["kwargs"]["config"]["configurable"]
    assert configurable["langgraph_auth_user"] == {
        "identity": owners.OWNER,
        "is_authenticated": True,
        "display_name": "Acme/Alice",
        "tenant": "acme",
        "permissions": ["p1"],
    }
    assert configurable["langgraph_auth_user_id"] == configurable["user_id"] == owners.OWNER
    assert configurable["langgraph_auth_permissions"] == ["p1"]
    assert run["metadata"]["owner"] == owners.OWNER


async def test_nobody_gets_in_without_credentials_and_browsers_can_read_why(api: Api) -> None:
    for method, path in (("POST", "/threads"), ("GET", "/nope"), ("PUT", "/threads"), ("POST", "/mcp")):
        answer: Any = await api.ask(method, path, {}, headers={"origin": "https://a.example"})
        assert (answer.status, answer.body) == (401, '{"detail":"Missing token"}')
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.headers["access-control-allow-origin"] == "*"


async def test_a_websocket_is_refused_with_403(api: Api) -> None:
    path = "/threads/01a1fc60-905c-7390-9fc1-ed6b2aa6090c/stream/events"
    answer: Any = await api.ask("GET", path, headers={"upgrade": "websocket"})
    assert answer.status == 403


async def test_public_operations_ask_nobody(api: Api) -> None:
    for path in ("/", "/ok", "/info", "/docs", "/openapi.json"):
        answer: Any = await api.ask("GET", path)
        assert answer.status == 200
