"""What a client or an operator asks before the first run."""

from uuid import UUID, uuid5

import httpx
import pytest
from langgraph_sdk.client import LangGraphClient

SYSTEM_ASSISTANTS = UUID("6ba7b821-9dad-11d1-80b4-00c04fd430c8")


@pytest.mark.parametrize("path", ["/ok", "/"])
async def test_the_server_says_that_it_is_up(http: httpx.AsyncClient, path: str) -> None:
    response = await http.get(path)
    assert (response.status_code, response.json()["ok"]) == (200, True)


async def test_info_names_the_versions_and_what_is_served(http: httpx.AsyncClient) -> None:
    info = (await http.get("/info")).json()
    assert info["langgraph_py_version"] == "1.2.22"
    assert info["flags"]["assistants"] is True
    assert {"version", "host"} <= info.keys()


async def test_every_graph_has_an_assistant_of_its_own(client: LangGraphClient) -> None:
    assistants = await client.assistants.search(metadata={"created_by": "system"}, limit=100)
    assert {found["graph_id"] for found in assistants} >= {"gated", "chat"}
    for found in assistants:
        assert found["assistant_id"] == str(uuid5(SYSTEM_ASSISTANTS, found["graph_id"]))
        assert (found["name"], found["metadata"], found["version"]) == (found["graph_id"], {"created_by": "system"}, 1)


async def test_assistants_are_found_by_graph_and_paged(http: httpx.AsyncClient) -> None:
    one = await http.post("/assistants/search", json={"graph_id": "chat"})
    assert [found["name"] for found in one.json()] == ["chat"]
    assert "x-pagination-next" not in one.headers
    page = await http.post("/assistants/search", json={"limit": 1})
    assert len(page.json()) == 1
    assert page.headers["x-pagination-next"] == "1"


async def test_an_unknown_route_is_404(http: httpx.AsyncClient) -> None:
    response = await http.get("/nowhere")
    assert (response.status_code, response.json()) == (404, {"detail": "Not Found"})


async def test_a_wrong_method_is_405_and_names_the_right_ones(http: httpx.AsyncClient) -> None:
    response = await http.put("/threads")
    assert (response.status_code, response.json()) == (405, {"detail": "Method Not Allowed"})
    assert "POST" in response.headers["allow"]


async def test_a_browser_may_call_and_read_where_the_run_is(http: httpx.AsyncClient) -> None:
    origin = {"origin": "https://chat.example"}
    preflight = await http.options(
        "/threads",
        headers=origin | {"access-control-request-method": "POST", "access-control-request-headers": "x-api-key"},
    )
    assert preflight.status_code == 200
    assert "POST" in preflight.headers["access-control-allow-methods"]
    assert "x-api-key" in preflight.headers["access-control-allow-headers"]
    answer = await http.get("/ok", headers=origin)
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "content-location" in answer.headers["access-control-expose-headers"].lower()
