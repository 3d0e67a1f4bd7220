"""The graphs of assistants over HTTP."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

import ids
from graphs.factories import Purpose
from tests.support.http_api import Api

NESTED = f"/assistants/{ids.system_assistant('nested')}"
SEQUENCE = f"/assistants/{ids.system_assistant('sequence')}"
UNKNOWN = "/assistants/0b4211ba-46f4-4cdb-830a-6ba6412ee448"

PROPERTIES = {
    "topic": {"title": "Topic", "type": "string"},
    "log": {"items": {"type": "string"}, "title": "Log", "type": "array"},
}


@pytest.fixture
def api() -> Api:
    return Api()


def names(drawing: dict[str, list[dict[str, object]]]) -> list[object]:
    return [node["id"] for node in drawing["nodes"]]


async def test_a_graph_is_drawn_under_its_name_as_well(api: Api) -> None:
    drawn = await api.json("GET", "/assistants/sequence/graph")
    assert drawn == {
        "nodes": [
            {"id": "__start__", "type": "runnable", "data": {"name": "__start__"}},
            {"id": "plan", "type": "runnable", "data": {"name": "plan"}},
            {"id": "write", "type": "runnable", "data": {"name": "write"}},
            {"id": "__end__"},
        ],
        "edges": [
            {"source": "__start__", "target": "plan"},
            {"source": "plan", "target": "write"},
            {"source": "write", "target": "__end__"},
        ],
    }
    assert await api.json("GET", f"{SEQUENCE}/graph") == drawn


@pytest.mark.parametrize("xray", ["true", "True", "1", "3"])
async def test_xray_opens_subgraphs(api: Api, xray: str) -> None:
    assert "child:ask" in names(await api.json("GET", f"{NESTED}/graph?xray={xray}"))


@pytest.mark.parametrize("query", ["", "?xray=false", "?xray=False"])
async def test_subgraphs_are_closed_without(api: Api, query: str) -> None:
    assert names(await api.json("GET", f"{NESTED}/graph{query}")) == ["__start__", "child", "__end__"]


@pytest.mark.parametrize("xray", ["0", "-1", "abc", "", "1.5"])
async def test_another_xray_is_refused(api: Api, xray: str) -> None:
    assert (await api.detail("GET", f"{NESTED}/graph?xray={xray}", status=422)).startswith("xray")


async def test_an_assistant_that_is_not_there_has_no_graph(api: Api) -> None:
    for what in ("graph", "schemas", "subgraphs", "subgraphs/child"):
        await api.detail("GET", f"{UNKNOWN}/{what}", status=404)
    assert "One of the registered graphs" in await api.detail("GET", "/assistants/nope/graph", status=422)


async def test_schemas_need_an_id(api: Api) -> None:
    for what in ("schemas", "subgraphs", "subgraphs/child"):
        await api.detail("GET", f"/assistants/nested/{what}", status=422)


async def test_an_assistants_graph_is_described(api: Api) -> None:
    description = "What the two graphs of these tests work on."
    described = {"description": description, "properties": PROPERTIES, "title": "State", "type": "object"}
    state = {name: {"default": None, **schema} for name, schema in PROPERTIES.items()}
    assert await api.json("GET", f"{SEQUENCE}/schemas") == {
        "graph_id": "sequence",
        "input_schema": described,
        "output_schema": described,
        "state_schema": {"properties": state, "title": "sequence_state", "type": "object"},
        "config_schema": {},
        "context_schema": None,
    }


async def test_subgraphs_are_described_by_namespace(api: Api) -> None:
    found = await api.json("GET", f"{NESTED}/subgraphs")
    assert list(found) == ["child"]
    assert found["child"]["state_schema"]["title"] == "LangGraphState"
    assert found["child"]["input_schema"]["properties"] == PROPERTIES
    assert await api.json("GET", f"{NESTED}/subgraphs?recurse=true") == found
    assert await api.json("GET", f"{NESTED}/subgraphs/child") == found
    assert await api.json("GET", f"{NESTED}/subgraphs/nope") == {}
    assert await api.json("GET", f"{SEQUENCE}/subgraphs") == {}


async def test_reading_a_graph_is_one_round_trip(api: Api) -> None:
    for what in ("graph", "schemas", "subgraphs"):
        trips = api.db.round_trips
        await api.json("GET", f"{NESTED}/{what}")
        assert api.db.round_trips == trips + 1


async def test_a_factory_that_makes_no_graph_says_why(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    @asynccontextmanager
    async def fail(graph_id: str, purpose: Purpose) -> AsyncIterator[Any]:
        raise LookupError(f"no such model: {purpose.config['configurable']['model']}")
        yield

    assistant = await api.json("POST", "/assistants", {"graph_id": "sequence", "context": {"model": "m"}})
    monkeypatch.setattr(api.registry, "open", fail)
    for what in ("graph", "schemas", "subgraphs"):
        detail = await api.detail("GET", f"/assistants/{assistant['assistant_id']}/{what}", status=400)
        assert detail == "Graph 'sequence' could not be made: LookupError: no such model: m"
