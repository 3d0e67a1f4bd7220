"""The operations in which the server describes itself."""

import json
from dataclasses import replace

import pytest

from api.routes import ROUTES
from errors import DatabaseError
from http_messages import HttpResponse
from ports import Row
from settings import VERSION
from tests.support.http_api import Api


@pytest.fixture
def api() -> Api:
    return Api()


@pytest.mark.parametrize("path", ["/", "/ok", "/ok?check_db=1", "/ok?check_db=nonsense"])
async def test_the_server_is_up(api: Api, path: str) -> None:
    assert await api.json("GET", path) == {"ok": True, "services": {}}


class DatabaseOutOfReach:
    async def batch(self, statements: object) -> list[list[Row]]:
        raise DatabaseError("D1 is overloaded")


async def test_the_database_is_asked_only_when_that_is_asked_for(api: Api) -> None:
    api.services = replace(api.services, db=DatabaseOutOfReach())
    await api.json("GET", "/ok?check_db=0")
    for wanted in ("1", "true"):
        assert "Temporarily unavailable" in await api.detail("GET", f"/ok?check_db={wanted}", status=503)


async def test_metrics_of_a_server_with_nothing_to_do(api: Api) -> None:
    assert await api.json("GET", "/metrics?format=json") == {
        "queue": {
            "n_pending": 0,
            "pending_runs_wait_time_max_secs": None,
            "pending_runs_wait_time_med_secs": None,
            "pending_unblocked_runs_wait_time_max_secs": None,
            "n_running": 0,
        },
        "api": {"http_requests_total": []},
        "workers": {"max": None, "active": 0, "available": None},
    }


async def test_metrics_say_how_many_runs_wait(api: Api) -> None:
    thread_id = await api.new_thread()
    await api.json("POST", f"/threads/{thread_id}/runs", {"assistant_id": "sequence"}, status=202)
    trips = api.db.round_trips
    queue = (await api.json("GET", "/metrics?format=json"))["queue"]
    assert (queue["n_pending"], queue["n_running"], api.db.round_trips) == (1, 0, trips + 1)
    assert 0 <= queue["pending_unblocked_runs_wait_time_max_secs"] < 60
    for query in ("", "?format=prometheus", "?format=bogus"):
        answer = await api.ask("GET", f"/metrics{query}")
        assert isinstance(answer, HttpResponse)
        assert answer.headers["content-type"].startswith("text/plain; version=")
        lines = answer.body.splitlines()
        assert "# TYPE lg_api_num_pending_runs gauge" in lines
        assert "lg_api_num_pending_runs 1" in lines
        assert "lg_api_num_running_runs 0" in lines


async def test_info_says_what_studio_asks_for_and_claims_nothing_that_is_not_there(api: Api) -> None:
    info = await api.json("GET", "/info")
    assert info == {
        "version": VERSION,
        "langgraph_py_version": info["langgraph_py_version"],
        "flags": {
            "assistants": True,
            "crons": True,
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
    assert listed == {(route.method, route.path) for route in ROUTES}
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
