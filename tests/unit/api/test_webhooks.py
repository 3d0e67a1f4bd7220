"""The list of webhooks, and redelivery."""

import json
from typing import Any

import pytest

from errors import Unavailable
from ports import Statement
from tables import webhooks
from tables.access import Access
from tests.support.http_api import Api
from tests.support.thread_object_in_memory import ThreadObjectInMemory
from tests.support.webhook_outside import URL, Receiver, courier


async def told(api: Api, *answers: int | Exception, **body: Any) -> list[str]:
    """Runs that have ended, and whose webhooks were answered so, each once; the oldest first."""
    run_ids = list[str]()
    for answer in answers:
        run = await api.json("POST", "/runs", {"assistant_id": "sequence", "webhook": URL, **body}, status=202)
        await ThreadObjectInMemory(api, run["thread_id"]).runner.work()
        await courier(api.db, Receiver([answer])).deliver(run["run_id"])
        run_ids.append(run["run_id"])
    return run_ids


async def listed(api: Api, query: str = "") -> list[dict[str, Any]]:
    return await api.json("GET", f"/runs/webhooks{query}")


async def test_webhooks_are_listed_with_what_became_of_them() -> None:
    api = Api()
    delivered, dead, pending = await told(api, 204, 410, Unavailable("no route"))
    shown = {webhook["run_id"]: webhook for webhook in await listed(api)}
    assert list(shown) == [pending, dead, delivered], "the newest first"
    assert {run_id: webhook["status"] for run_id, webhook in shown.items()} == {
        delivered: "delivered",
        dead: "dead",
        pending: "pending",
    }
    assert {webhook["url"] for webhook in shown.values()} == {URL}
    assert {webhook["attempts"] for webhook in shown.values()} == {1}
    assert len({webhook["delivery_id"] for webhook in shown.values()}) == 3
    [entry] = shown[delivered]["history"]
    assert entry == {"at": entry["at"], "status": 204}
    assert shown[delivered]["delivered_at"] >= entry["at"]
    assert [entry["status"] for entry in shown[dead]["history"]] == [410]
    assert [entry["problem"] for entry in shown[pending]["history"]] == ["no route"]
    assert shown[pending]["next_attempt_at"] > entry["at"]
    assert shown[dead]["next_attempt_at"] is shown[delivered]["next_attempt_at"] is None


async def test_a_status_and_a_page_of_it_are_asked_for() -> None:
    api = Api()
    runs = await told(api, 410, 200, 410, 500, 410, 200, 500)
    wanted = {"dead": [4, 2, 0], "delivered": [5, 1], "pending": [6, 3]}
    for status, places in wanted.items():
        found = await listed(api, f"?status={status}")
        assert [webhook["run_id"] for webhook in found] == [runs[place] for place in places]
        assert {webhook["status"] for webhook in found} == {status}
    assert [webhook["run_id"] for webhook in await listed(api, "?status=dead&limit=1&offset=1")] == [runs[2]]
    answer = await api.ask("GET", "/runs/webhooks?limit=3")
    assert (answer.headers["x-pagination-total"], answer.headers["x-pagination-next"]) == ("4", "3")
    assert "status" in await api.detail("GET", "/runs/webhooks?status=lost", status=422)
    assert "limit" in await api.detail("GET", "/runs/webhooks?limit=0", status=422)


async def test_what_was_given_up_is_delivered_once_more() -> None:
    api = Api()
    delivered, dead, other = await told(api, 200, 410, 410)
    [before] = [webhook for webhook in await listed(api) if webhook["run_id"] == dead]
    api.webhook_queue.sent.clear()
    answer = await api.json("POST", "/runs/webhooks/redeliver", {"run_ids": [delivered, dead]})
    assert answer == {"redelivered": [{"run_id": dead, "delivery_id": before["delivery_id"]}]}
    assert api.webhook_queue.sent == [dead]
    receiver = Receiver([500])
    assert await courier(api.db, receiver).deliver(dead) in (5, 6), "it begins anew"
    await api.json("POST", "/runs/webhooks/redeliver", {"run_ids": [dead]})
    assert await courier(api.db, receiver).deliver(dead) is None
    assert receiver.ids == {before["delivery_id"]}
    assert receiver.received[-1].body["run_id"] == dead
    [after] = await listed(api, "?status=dead")
    assert after["run_id"] == other
    [again] = [webhook for webhook in await listed(api, "?status=delivered") if webhook["run_id"] == dead]
    assert [entry["status"] for entry in again["history"]] == [410, 500, 200]
    assert await api.json("POST", "/runs/webhooks/redeliver", {"run_ids": [dead]}) == {"redelivered": []}


async def test_all_that_was_given_up_is_delivered_once_more_part_by_part() -> None:
    api = Api()
    await told(api, 410, 200, 410, 500, 410)
    counts = []
    for _ in range(3):
        answer = await api.json("POST", "/runs/webhooks/redeliver", {"status": "dead", "limit": 2})
        counts.append(len(answer["redelivered"]))
    assert counts == [2, 1, 0]
    assert len(await listed(api, "?status=pending")) == 4


async def test_a_redelivery_of_which_the_queue_heard_nothing_is_the_sweepers() -> None:
    class Deaf:
        async def send_batch(self, run_ids: object) -> None:
            raise Unavailable("the queue did not take it")

    api = Api()
    [dead] = await told(api, 410)
    object.__setattr__(api.services, "webhook_queue", Deaf())
    answer = await api.json("POST", "/runs/webhooks/redeliver", {"run_ids": [dead]})
    assert [webhook["run_id"] for webhook in answer["redelivered"]] == [dead]
    assert [webhook["run_id"] for webhook in await listed(api, "?status=pending")] == [dead]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"run_ids": []},
        {"run_ids": ["x"]},
        {"status": "delivered"},
        {"status": "dead", "limit": 0},
        {"status": "dead", "run_ids": ["01a1fe37-7741-7dcb-9f7b-1584f50eca3d"]},
        {"run_ids": ["01a1fe37-7741-7dcb-9f7b-1584f50eca3d"] * 1001},
    ],
)
async def test_a_wish_that_says_too_little_or_too_much_is_refused(body: dict[str, Any]) -> None:
    api = Api()
    [dead] = await told(api, 410)
    await api.detail("POST", "/runs/webhooks/redeliver", body, status=422)
    assert [webhook["run_id"] for webhook in await listed(api, "?status=dead")] == [dead]


@pytest.mark.parametrize("status", [None, "pending", "delivered", "dead"])
async def test_lists_follow_an_index(status: Any) -> None:
    api = Api()
    statement = webhooks.select(status, Access({"owner": "x"}, {}), limit=10, offset=0)
    [plan] = await api.db.batch([Statement(f"EXPLAIN QUERY PLAN {statement.sql}", statement.params)])
    steps = json.dumps([row["detail"] for row in plan])
    assert "TEMP B-TREE" not in steps, steps
    if status in ("pending", "dead"):
        assert "webhooks_undelivered" in steps
