"""Assistants over HTTP."""

import asyncio
from typing import Any

import pytest

import ids
from http_messages import HttpResponse
from tests.support.http_api import Api

UNKNOWN = "0b4211ba-46f4-4cdb-830a-6ba6412ee448"
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
    assert await api.detail("GET", f"/assistants/{UNKNOWN}", status=404) == f"Assistant {UNKNOWN} not found"


async def test_an_assistant_is_created_with_what_was_given(api: Api) -> None:
    body = {
        "graph_id": "sequence",
        "name": "mine",
        "description": "d",
        "config": {"configurable": {"user": "u", "none": None}, "tags": ["t"], "recursion_limit": 7, "max": 1},
        "metadata": {"owner": {"id": 1}},
    }
    created = await api.json("POST", "/assistants", body)
    assert created == {
        **body,
        "context": {"user": "u", "none": None},
        "assistant_id": created["assistant_id"],
        "created_at": created["created_at"],
        "updated_at": created["created_at"],
        "version": 1,
    }
    assert ids.canonical(created["assistant_id"]) == created["assistant_id"]
    assert await api.json("GET", f"/assistants/{created['assistant_id']}") == created
    assert (await api.json("POST", "/assistants", {"graph_id": "sequence"}))["name"] == "Untitled"


async def test_creating_is_one_batch_of_one_row_and_its_indexes(api: Api) -> None:
    await api.json("POST", "/assistants/count", {})
    rows, trips = api.db.rows_written, api.db.round_trips
    await api.json("POST", "/assistants", {"graph_id": "sequence"})
    assert (api.db.rows_written - rows, api.db.round_trips - trips) == (1, 1)


@pytest.mark.parametrize(
    ("given", "config", "context"),
    [
        ({}, {}, {}),
        ({"context": {"a": 1}}, {"configurable": {"a": 1}}, {"a": 1}),
        ({"config": {"configurable": {"a": 1}}}, {"configurable": {"a": 1}}, {"a": 1}),
        ({"config": {"tags": ["t"]}, "context": {"a": 1}}, {"tags": ["t"], "configurable": {"a": 1}}, {"a": 1}),
        ({"config": {"configurable": {"a": 1}}, "context": {}}, {"configurable": {"a": 1}}, {"a": 1}),
        ({"config": {"configurable": {}}}, {"configurable": {}}, {}),
    ],
)
async def test_context_and_configurable_mirror_each_other(
    api: Api, given: dict[str, Any], config: dict[str, Any], context: dict[str, Any]
) -> None:
    created = await api.json("POST", "/assistants", {"graph_id": "sequence", **given})
    assert (created["config"], created["context"]) == (config, context)


@pytest.mark.parametrize("path", ["POST /assistants", f"PATCH /assistants/{SEQUENCE}"])
async def test_context_and_configurable_together_are_refused(api: Api, path: str) -> None:
    body = {"graph_id": "sequence", "context": {"a": 1}, "config": {"configurable": {"a": 1}}}
    assert "configurable and context" in await api.detail(*path.split(), body, status=400)


async def test_an_id_that_is_taken(api: Api) -> None:
    created = await api.json("POST", "/assistants", {"graph_id": "sequence", "name": "first"})
    again = {"graph_id": "approval", "assistant_id": created["assistant_id"].upper(), "name": "second"}
    rows = api.db.rows_written
    assert await api.json("POST", "/assistants", {**again, "if_exists": "do_nothing"}) == created
    detail = await api.detail("POST", "/assistants", again, status=409)
    assert detail == f"Assistant {created['assistant_id']} already exists"
    await api.detail("POST", "/assistants", {**again, "assistant_id": SEQUENCE}, status=409)
    assert api.db.rows_written == rows


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({}, 422, '"graph_id" is a required property'),
        ({"graph_id": "nope"}, 404, "Expected one of: sequence, approval"),
        ({"graph_id": "sequence", "assistant_id": "abc"}, 422, "must be a UUID"),
        ({"graph_id": "sequence", "if_exists": "bogus"}, 422, "'raise' or 'do_nothing'"),
        ({"graph_id": "sequence", "config": {"recursion_limit": 0}}, 422, "config.recursion_limit"),
        ({"graph_id": "sequence", "metadata": []}, 422, "metadata"),
    ],
)
async def test_what_cannot_be_created_leaves_nothing(api: Api, body: dict[str, Any], status: int, words: str) -> None:
    assert words in await api.detail("POST", "/assistants", body, status=status)
    assert api.rows("assistants") == 0


async def test_a_change_merges_metadata_replaces_the_rest_and_is_a_new_version(api: Api) -> None:
    created = await api.json(
        "POST",
        "/assistants",
        {"graph_id": "sequence", "context": {"a": 1, "b": 2}, "metadata": {"owner": "me", "nest": {"x": 1}}},
    )
    path = f"/assistants/{created['assistant_id']}"
    changes = [
        ({"metadata": {"nest": {"y": 2}, "n": None}}, {"metadata": {"owner": "me", "nest": {"y": 2}, "n": None}}),
        ({"context": {"b": 3}}, {"context": {"b": 3}, "config": {"configurable": {"b": 3}}}),
        ({"config": {"tags": ["t"]}}, {"config": {"tags": ["t"]}}),
        ({"context": {"c": 1}}, {"context": {"c": 1}, "config": {"configurable": {"c": 1}}}),
        ({"config": {"configurable": {"d": 1}}}, {"context": {"d": 1}, "config": {"configurable": {"d": 1}}}),
        ({"context": {}}, {"context": {}, "config": {}}),
        ({"name": "renamed", "description": "d"}, {"name": "renamed", "description": "d"}),
        ({"graph_id": "approval"}, {"graph_id": "approval"}),
        ({}, {}),
    ]
    expected = created
    for number, (change, difference) in enumerate(changes, 2):
        changed = await api.json("PATCH", path, change)
        expected = {**expected, **difference, "version": number, "updated_at": changed["updated_at"]}
        assert changed == expected
        assert await api.json("GET", path) == expected


async def test_a_change_that_is_refused_makes_no_version(api: Api) -> None:
    await api.detail("PATCH", f"/assistants/{SEQUENCE}", {"graph_id": "nope"}, status=404)
    await api.detail("PATCH", f"/assistants/{SEQUENCE}", {"config": {"tags": "t"}}, status=422)
    await api.detail("PATCH", f"/assistants/{UNKNOWN}", {"name": "x"}, status=404)
    await api.detail("PATCH", "/assistants/sequence", {"name": "x"}, status=422)
    assert (api.rows("assistants"), api.rows("assistant_versions")) == (len(api.registry.graph_ids()), 0)


async def test_versions_are_listed_newest_first(api: Api) -> None:
    created = await api.json("POST", "/assistants", {"graph_id": "sequence", "metadata": {"n": 1}})
    path = f"/assistants/{created['assistant_id']}"
    assert [version["version"] for version in await api.json("POST", f"{path}/versions", {})] == [1]
    second = await api.json("PATCH", path, {"metadata": {"n": 2}, "name": "two"})
    third = await api.json("PATCH", path, {"graph_id": "approval"})
    listed = await api.json("POST", f"{path}/versions", {})
    assert [(version["version"], version["created_at"]) for version in listed] == [
        (3, third["updated_at"]),
        (2, second["updated_at"]),
        (1, created["created_at"]),
    ]
    assert listed[1] == {key: second[key] for key in listed[1] if key != "created_at"} | {
        "created_at": second["updated_at"]
    }
    assert await api.json("POST", f"{path}/versions", {"limit": 1, "offset": 1}) == [listed[1]]
    assert await api.json("POST", f"{path}/versions", {"metadata": {"n": 1}}) == [listed[2]]
    await api.detail("POST", f"/assistants/{UNKNOWN}/versions", {}, status=404)


async def test_choosing_a_version_restores_all_of_it(api: Api) -> None:
    body = {"graph_id": "sequence", "context": {"a": 1}, "metadata": {"m": 1}, "name": "n", "description": "d"}
    created = await api.json("POST", "/assistants", body)
    path = f"/assistants/{created['assistant_id']}"
    change = {"graph_id": "approval", "context": {"b": 1}, "metadata": {"m": 2}, "name": "N", "description": "D"}
    changed = await api.json("PATCH", path, change)
    restored = await api.json("POST", f"{path}/latest", {"version": 1})
    assert restored == {**created, "updated_at": restored["updated_at"]}
    assert await api.json("GET", path) == restored
    assert [version["version"] for version in await api.json("POST", f"{path}/versions", {})] == [2, 1]
    again = await api.json("POST", f"{path}/latest", {"version": 2})
    assert again == {**changed, "updated_at": again["updated_at"]}
    # The next version is new, whichever is chosen.
    await api.json("POST", f"{path}/latest", {"version": 1})
    assert (await api.json("PATCH", path, {}))["version"] == 3
    assert [version["version"] for version in await api.json("POST", f"{path}/versions", {})] == [3, 2, 1]


async def test_a_version_that_never_was_is_not_chosen(api: Api) -> None:
    path = f"/assistants/{SEQUENCE}"
    detail = await api.detail("POST", f"{path}/latest", {"version": 9}, status=404)
    assert detail == f"Version 9 not found for assistant {SEQUENCE}"
    await api.detail("POST", f"/assistants/{UNKNOWN}/latest", {"version": 1}, status=404)
    for version in (None, 0, "1", 2**60):
        await api.detail("POST", f"{path}/latest", {"version": version}, status=422)
    assert api.rows("assistant_versions") == 0
    assert (await api.json("POST", f"{path}/latest", {"version": 1}))["version"] == 1


async def test_changes_at_the_same_moment_are_versions_one_after_the_other(api: Api) -> None:
    path = f"/assistants/{SEQUENCE}"
    await api.json("GET", path)
    changed = await asyncio.gather(*(api.json("PATCH", path, {"metadata": {f"k{n}": n}}) for n in range(3)))
    assert sorted(assistant["version"] for assistant in changed) == [2, 3, 4]
    current = await api.json("GET", path)
    assert current["metadata"] == {"created_by": "system", "k0": 0, "k1": 1, "k2": 2}
    listed = await api.json("POST", f"{path}/versions", {})
    assert [len(version["metadata"]) for version in listed] == [4, 3, 2, 1]


async def test_a_change_and_a_choice_at_the_same_moment_lose_no_version(api: Api) -> None:
    path = f"/assistants/{SEQUENCE}"
    await api.json("PATCH", path, {"name": "two"})
    await asyncio.gather(
        api.json("PATCH", path, {"description": "three"}),
        api.json("POST", f"{path}/latest", {"version": 1}),
        api.json("PATCH", path, {"metadata": {"four": 4}}),
    )
    listed = await api.json("POST", f"{path}/versions", {})
    assert [version["version"] for version in listed] == [4, 3, 2, 1]
    assert await api.json("GET", path) is not None


async def test_a_deleted_assistant_takes_its_versions_along(api: Api) -> None:
    created = await api.json("POST", "/assistants", {"graph_id": "sequence"})
    path = f"/assistants/{created['assistant_id']}"
    await api.json("PATCH", path, {})
    answer = await api.ask("DELETE", path)
    assert isinstance(answer, HttpResponse)
    assert (answer.status, answer.body) == (204, "")
    assert api.rows("assistant_versions") == 0
    await api.detail("DELETE", path, status=404)
    await api.detail("GET", path, status=404)


async def test_a_deleted_assistant_of_a_graph_begins_anew(api: Api) -> None:
    path = f"/assistants/{SEQUENCE}"
    await api.json("PATCH", path, {"name": "renamed", "graph_id": "approval"})
    assert (await api.ask("DELETE", path)).status == 204  # type: ignore[union-attr]
    begun = await api.json("GET", path)
    assert (begun["name"], begun["graph_id"], begun["version"]) == ("sequence", "sequence", 1)
    assert [version["version"] for version in await api.json("POST", f"{path}/versions", {})] == [1]


async def test_a_graphs_assistant_says_what_langgraph_json_says_until_somebody_changes_it(api: Api) -> None:
    path = f"/assistants/{SEQUENCE}"
    await api.json("GET", path)
    api.registry.descriptions["sequence"] = "now it also edits"
    assert (await api.json("GET", path))["description"] == "now it also edits"
    await api.json("PATCH", path, {"metadata": {"mine": True}})
    api.registry.descriptions["sequence"] = "and publishes"
    assert (await api.json("GET", path))["description"] == "now it also edits"


async def test_the_assistant_of_a_graph_that_is_gone_does_not_appear(api: Api) -> None:
    mine = await api.json("POST", "/assistants", {"graph_id": "sequence"})
    before = await api.json("POST", "/assistants/count", {})
    del api.registry.graphs["sequence"]
    assert await api.json("POST", "/assistants/count", {}) == before - 1
    found = await api.json("POST", "/assistants/search", {"graph_id": "sequence"})
    assert [assistant["assistant_id"] for assistant in found] == [mine["assistant_id"]]
    await api.detail("GET", f"/assistants/{SEQUENCE}", status=404)
    await api.detail("PATCH", f"/assistants/{SEQUENCE}", {}, status=404)
    assert (await api.json("GET", f"/assistants/{mine['assistant_id']}")) == mine


async def ran(api: Api, assistant_id: str) -> str:
    """A thread whose last run, which is over, was the assistant's."""
    thread_id = await api.new_thread()
    await api.json("POST", f"/threads/{thread_id}/runs", {"assistant_id": assistant_id}, status=202)
    api.db.connection.execute("UPDATE runs SET status = 'success' WHERE thread_id = ?", (thread_id,))
    return thread_id


async def test_an_assistants_threads_are_deleted_with_it_when_that_is_wanted(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.assistants._PAGE_THREADS", 2)
    assistant_id = (await api.json("POST", "/assistants", {"graph_id": "sequence"}))["assistant_id"]
    own = [await ran(api, assistant_id) for _ in range(3)]
    busy = await api.new_thread()
    await api.json("POST", f"/threads/{busy}/runs", {"assistant_id": assistant_id}, status=202)
    foreign = await ran(api, "sequence")
    assert (await api.ask("DELETE", f"/assistants/{assistant_id}?delete_threads=true")).status == 204  # type: ignore[union-attr]
    for thread_id in own:
        await api.detail("GET", f"/threads/{thread_id}", status=404)
    for thread_id in (busy, foreign):
        await api.json("GET", f"/threads/{thread_id}")
    assert api.rows("runs") == 2


async def test_an_assistants_threads_stay_when_nothing_else_is_wanted(api: Api) -> None:
    for query in ("", "?delete_threads=false"):
        assistant_id = (await api.json("POST", "/assistants", {"graph_id": "sequence"}))["assistant_id"]
        thread_id = await ran(api, assistant_id)
        await api.ask("DELETE", f"/assistants/{assistant_id}{query}")
        await api.json("GET", f"/threads/{thread_id}")
    await api.detail("DELETE", f"/assistants/{UNKNOWN}?delete_threads=true", status=404)
    await api.detail("DELETE", f"/assistants/{SEQUENCE}?delete_threads=perhaps", status=422)
