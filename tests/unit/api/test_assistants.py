"""Assistants over HTTP."""

import pytest

import ids
from http_messages import HttpResponse
from tests.support.http_api import Api

SEQUENCE = ids.system_assistant("sequence")


@pytest.fixture
def api() -> Api:
    return Api()


async def test_every_graph_has_an_assistant_by_itself(api: Api) -> None:
    found = await api.json("POST", "/assistants/search", {})
    assert {assistant["graph_id"] for assistant in found} == set(api.registry.graph_ids())
    sequence = next(assistant for assistant in found if assistant["graph_id"] == "sequence")
    assert sequence == {
        "assistant_id": SEQUENCE,
        "graph_id": "sequence",
        "config": {},
        "context": {},
        "metadata": {"created_by": "system"},
        "name": "sequence",
        "created_at": sequence["created_at"],
        "updated_at": sequence["created_at"],
        "version": 1,
        "description": "plans, then writes",
    }
    assert await api.json("GET", f"/assistants/{SEQUENCE}") == sequence


async def test_looking_again_makes_no_second_one(api: Api) -> None:
    first = await api.json("POST", "/assistants/search", {})
    rows = api.db.rows_written
    assert await api.json("POST", "/assistants/search", {}) == first
    assert (api.db.rows_written, api.db.round_trips) == (rows, 2)


async def test_assistants_are_searched_and_counted(api: Api) -> None:
    for wanted, number in (
        ({}, 4),
        ({"graph_id": "sequence"}, 1),
        ({"graph_id": "nope"}, 0),
        ({"name": "SEQ"}, 1),
        ({"name": "%"}, 0),
        ({"metadata": {"created_by": "system"}}, 4),
        ({"metadata": {"created_by": "me"}}, 0),
    ):
        assert len(await api.json("POST", "/assistants/search", wanted)) == number
        assert await api.json("POST", "/assistants/count", wanted) == number


async def test_a_page_has_pagination_headers_and_selected_columns(api: Api) -> None:
    body = {"limit": 1, "sort_by": "name", "sort_order": "desc", "select": ["name", "version"]}
    answer = await api.ask("POST", "/assistants/search", body)
    assert isinstance(answer, HttpResponse)
    assert answer.body == '[{"name":"sequence","version":1}]'
    assert (answer.headers["x-pagination-total"], answer.headers["x-pagination-next"]) == ("2", "1")


async def test_an_assistant_is_found_by_its_id_only(api: Api) -> None:
    assert await api.detail("GET", "/assistants/sequence", status=422) == "Invalid assistant ID: must be a UUID"
    assert await api.detail("GET", "/assistants/0b4211ba-46f4-4cdb-830a-6ba6412ee448", status=404) == "Not Found"
