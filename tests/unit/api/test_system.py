"""The server about itself."""

import json

import pytest

from api.routes import ROUTES
from http_messages import HttpResponse
from settings import VERSION
from tests.support.http_api import Api


@pytest.fixture
def api() -> Api:
    return Api()


@pytest.mark.parametrize("path", ["/", "/ok", "/ok?check_db=1"])
async def test_the_server_is_up(api: Api, path: str) -> None:
    assert await api.json("GET", path) == {"ok": True, "services": {}}


async def test_info_says_what_studio_asks_for_and_claims_nothing_that_is_not_there(api: Api) -> None:
    info = await api.json("GET", "/info")
    assert info == {
        "version": VERSION,
        "langgraph_py_version": info["langgraph_py_version"],
        "flags": {
            "assistants": True,
            "crons": False,
            "langsmith": False,
            "langsmith_tracing_replicas": False,
            "langsmith_tracing_session_on_runs": False,
        },
        "host": {
            "kind": "self-hosted",
            "project_id": None,
            "host_revision_id": None,
            "revision_id": None,
            "tenant_id": None,
        },
        "graphs": list(api.registry.graph_ids()),
    }
    assert info["langgraph_py_version"].startswith("1.")


async def test_the_openapi_document_lists_exactly_what_is_served(api: Api) -> None:
    document = await api.json("GET", "/openapi.json")
    assert document["openapi"] == "3.1.0"
    listed = {(method.upper(), path) for path, item in document["paths"].items() for method in item}
    assert listed == {(route.method, route.path) for route in ROUTES if route.handler}
    operations = [operation for item in document["paths"].values() for operation in item.values()]
    assert len({operation["operationId"] for operation in operations}) == len(operations)


async def test_every_reference_of_the_openapi_document_leads_somewhere(api: Api) -> None:
    document = await api.json("GET", "/openapi.json")
    text = json.dumps(document)
    references = {part.split('"')[0] for part in text.split('"$ref": "')[1:]}
    assert references
    for reference in references:
        assert reference.startswith("#/components/schemas/")
        assert reference.rsplit("/", 1)[1] in document["components"]["schemas"]


async def test_a_run_body_is_described_with_its_choices(api: Api) -> None:
    schemas = (await api.json("GET", "/openapi.json"))["components"]["schemas"]
    run = schemas["RunCreate"]
    assert run["required"] == ["assistant_id"]
    assert "enqueue" in json.dumps(run["properties"]["multitask_strategy"])
    assert "messages-tuple" in json.dumps(run["properties"]["stream_mode"])


async def test_the_page_lists_every_operation(api: Api) -> None:
    answer = await api.ask("GET", "/docs")
    assert isinstance(answer, HttpResponse)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.body.count("<tr>") == len(ROUTES)
    assert answer.body.count("not served yet") == sum(route.handler is None for route in ROUTES)
