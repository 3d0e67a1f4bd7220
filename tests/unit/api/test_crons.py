"""Crons over HTTP."""

from typing import Any

import pytest

import clock
from http_messages import HttpResponse
from tests.support.http_api import Api

UNKNOWN = "0b4211ba-46f4-4cdb-830a-6ba6412ee448"
MINUTELY = {"assistant_id": "sequence", "schedule": "* * * * *"}


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Api:
    monkeypatch.setattr(clock, "now_iso", lambda: "2026-11-21T04:05:37.411997+00:00")
    return Api()


async def create(api: Api, **more: Any) -> dict[str, Any]:
    return await api.json("POST", "/runs/crons", {**MINUTELY, **more})


async def patch(api: Api, cron: dict[str, Any], **change: Any) -> dict[str, Any]:
    return await api.json("PATCH", f"/runs/crons/{cron['cron_id']}", change)


async def test_a_cron_shows_its_request_and_its_next_time(api: Api) -> None:
    cron = await create(api, input={"topic": "cron"}, metadata={"cm": 1})
    assistant_id = cron["assistant_id"]
    assert cron == {
        "cron_id": cron["cron_id"],
        "assistant_id": assistant_id,
        "thread_id": None,
        "user_id": "",
        "end_time": None,
        "schedule": "* * * * *",
        "timezone": None,
        "payload": {
            "assistant_id": assistant_id,
            "schedule": "* * * * *",
            "input": {"topic": "cron"},
            "metadata": {"cm": 1},
            "config": {"configurable": {"cron_id": cron["cron_id"]}},
        },
        "next_run_date": "2026-11-21T04:06:00+00:00",
        "metadata": {"cm": 1},
        "on_run_completed": "delete",
        "on_missed": "latest",
        "enabled": True,
        "created_at": "2026-11-21T04:05:37.411997+00:00",
        "updated_at": "2026-11-21T04:05:37.411997+00:00",
    }
    assert await api.json("GET", f"/runs/crons/{cron['cron_id']}") == cron


async def test_every_field_is_kept(api: Api) -> None:
    given = {
        "schedule": "*/5 9-17 * * 1-5",
        "timezone": "America/New_York",
        "end_time": "2027-01-01T00:00:00+00:00",
        "on_run_completed": "keep",
        "on_missed": "all",
        "enabled": False,
        "input": {"topic": "x"},
        "interrupt_before": ["write"],
        "stream_mode": ["values", "updates"],
        "stream_subgraphs": True,
        "stream_resumable": True,
        "durability": "sync",
        "multitask_strategy": "interrupt",
    }
    cron = await create(api, **given, config={"configurable": {"a": 1}})
    assert cron["next_run_date"] == "2026-11-23T14:00:00+00:00"
    assert {key: cron["payload"][key] for key in given} == given
    assert cron["payload"]["config"] == {"configurable": {"a": 1, "cron_id": cron["cron_id"]}}
    assert [cron[key] for key in ("timezone", "end_time", "on_run_completed", "on_missed", "enabled")] == [
        "America/New_York",
        "2027-01-01T00:00:00+00:00",
        "keep",
        "all",
        False,
    ]


async def test_a_cron_of_a_thread_goes_with_it(api: Api) -> None:
    thread_id = await api.new_thread()
    cron = await api.json("POST", f"/threads/{thread_id}/runs/crons", {**MINUTELY, "on_run_completed": "keep"})
    assert (cron["thread_id"], cron["on_run_completed"], cron["metadata"]) == (thread_id, None, {})
    assert (await patch(api, cron, on_run_completed="delete"))["on_run_completed"] == "delete"
    await api.json("DELETE", f"/threads/{thread_id}", status=204)
    assert await api.detail("GET", f"/runs/crons/{cron['cron_id']}", status=404) == "Not Found"


async def test_a_change_replaces_what_it_names_and_merges_metadata(api: Api) -> None:
    cron = await create(api, metadata={"a": 1}, config={"configurable": {"a": 1}}, timezone="America/New_York")
    changed = await patch(api, cron, schedule="0 0 * * *", metadata={"b": 2}, config={"configurable": {"q": 1}})
    assert changed["next_run_date"] == "2026-11-21T05:00:00+00:00"
    assert changed["metadata"] == changed["payload"]["metadata"] == {"a": 1, "b": 2}
    assert changed["payload"]["config"] == {"configurable": {"q": 1, "cron_id": cron["cron_id"]}}
    assert changed["payload"]["schedule"] == changed["schedule"] == "0 0 * * *"
    assert (await patch(api, cron, timezone="UTC"))["next_run_date"] == "2026-11-22T00:00:00+00:00"
    ended = await patch(api, cron, end_time="2020-01-01T00:00:00Z")
    assert (ended["end_time"], ended["payload"]["end_time"]) == ("2020-01-01T00:00:00+00:00", "2020-01-01T00:00:00Z")
    endless = await patch(api, cron, end_time=None)
    assert (endless["end_time"], endless["payload"]["end_time"]) == (None, None)
    assert await api.json("GET", f"/runs/crons/{cron['cron_id']}") == endless


async def test_what_is_no_time_leaves_the_next_run_alone(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    cron = await create(api)
    monkeypatch.setattr(clock, "now_iso", lambda: "2026-11-21T04:06:30.000000+00:00")
    for change in ({"input": {"topic": "y"}}, {"enabled": True}, {"schedule": "* * * * *"}, {"on_missed": "skip"}):
        assert (await patch(api, cron, **change))["next_run_date"] == cron["next_run_date"]
    assert (await patch(api, cron, timezone="Asia/Tokyo"))["next_run_date"] == "2026-11-21T04:07:00+00:00"


async def test_a_deleted_cron_is_gone(api: Api) -> None:
    cron = await create(api)
    await api.json("DELETE", f"/runs/crons/{cron['cron_id']}", status=204)
    for method in ("GET", "DELETE"):
        assert await api.detail(method, f"/runs/crons/{cron['cron_id']}", status=404) == "Not Found"
    assert await api.json("POST", "/runs/crons/count", {}) == 0


async def test_searching_filters_sorts_selects_and_pages(api: Api) -> None:
    thread_id = await api.new_thread()
    first = await create(api, metadata={"cm": 1})
    second = await api.json("POST", f"/threads/{thread_id}/runs/crons", {**MINUTELY, "schedule": "0 0 1 1 *"})
    third = await create(api, enabled=False, schedule="@daily", assistant_id="approval")

    async def found(**search: Any) -> list[str]:
        return [cron["cron_id"] for cron in await api.json("POST", "/runs/crons/search", search)]

    newest_first = [third["cron_id"], second["cron_id"], first["cron_id"]]
    assert await found() == newest_first
    assert await found(enabled=False) == [third["cron_id"]]
    assert await found(thread_id=thread_id) == [second["cron_id"]]
    assert await found(metadata={"cm": 1}) == [first["cron_id"]]
    assert await found(assistant_id=third["assistant_id"]) == [third["cron_id"]]
    assert await found(sort_by="next_run_date", sort_order="asc") == [
        cron["cron_id"] for cron in (first, third, second)
    ]
    answer = await api.ask("POST", "/runs/crons/search", {"limit": 1, "offset": 1, "select": ["schedule", "enabled"]})
    assert isinstance(answer, HttpResponse)
    assert answer.body == '[{"schedule":"0 0 1 1 *","enabled":true}]'
    assert (answer.headers["x-pagination-total"], answer.headers["x-pagination-next"]) == ("3", "2")
    assert await api.json("POST", "/runs/crons/count", {"metadata": {"cm": 1}}) == 1
    assert await api.json("POST", "/runs/crons/count", {"thread_id": thread_id}) == 1


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        ({"schedule": "bad"}, 422, "Invalid cron schedule: 'bad'"),
        ({"schedule": "0 0 31 2 *"}, 400, "failed to find next date"),
        ({"timezone": "Mars/Phobos"}, 422, "Invalid timezone: 'Mars/Phobos'"),
        ({"end_time": "nope"}, 422, "end_time: must be a time"),
        ({"end_time": "9999-12-31T23:59:59-12:00"}, 422, "end_time: must be a time"),
        ({"assistant_id": "nope"}, 404, "Assistant 'nope' not found"),
        ({"assistant_id": UNKNOWN}, 404, f"Assistant '{UNKNOWN}' not found"),
        ({"on_run_completed": "bogus"}, 422, "on_run_completed: "),
        ({"on_missed": "latest, please"}, 422, "on_missed: Input should be 'skip', 'latest' or 'all'"),
        ({"context": {"a": 1}, "config": {"configurable": {"b": 1}}}, 400, "both configurable and context"),
    ],
)
async def test_a_bad_cron_is_refused_and_nothing_is_written(
    api: Api, body: dict[str, Any], status: int, reason: str
) -> None:
    assert reason in await api.detail("POST", "/runs/crons", {**MINUTELY, **body}, status=status)
    assert api.rows("crons") == 0


@pytest.mark.parametrize("missing", ["assistant_id", "schedule"])
async def test_a_cron_needs_an_assistant_and_a_schedule(api: Api, missing: str) -> None:
    body = {key: value for key, value in MINUTELY.items() if key != missing}
    assert await api.detail("POST", "/runs/crons", body, status=422) == f'"{missing}" is a required property'


async def test_a_cron_on_a_thread_that_is_not_there_is_refused(api: Api) -> None:
    detail = await api.detail("POST", f"/threads/{UNKNOWN}/runs/crons", MINUTELY, status=404)
    assert detail.startswith(f"Thread with ID '{UNKNOWN}' not found.")


@pytest.mark.parametrize(
    ("change", "status", "reason"),
    [
        ({}, 400, "Request body cannot be empty"),
        ({"unknown": 1}, 400, "Request body cannot be empty"),
        ({"schedule": "bad"}, 422, "Invalid cron schedule: 'bad'"),
        ({"timezone": "Mars/Phobos"}, 422, "Invalid timezone"),
        ({"context": {"a": 1}}, 400, "both configurable and context"),
    ],
)
async def test_a_bad_change_is_refused_and_nothing_is_written(
    api: Api, change: dict[str, Any], status: int, reason: str
) -> None:
    cron = await create(api, config={"configurable": {"b": 1}})
    assert reason in await api.detail("PATCH", f"/runs/crons/{cron['cron_id']}", change, status=status)
    assert await api.json("GET", f"/runs/crons/{cron['cron_id']}") == cron


async def test_a_cron_that_is_not_there_cannot_be_changed(api: Api) -> None:
    detail = await api.detail("PATCH", f"/runs/crons/{UNKNOWN}", {"enabled": True}, status=404)
    assert detail == f"Cron '{UNKNOWN}' not found"
    assert await api.detail("PATCH", "/runs/crons/abc", {}, status=422) == "Invalid cron ID: must be a UUID"
    assert await api.detail("POST", "/runs/crons/search", {"select": ["now"]}, status=422)
