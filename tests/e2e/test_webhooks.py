"""Webhooks from real workerd, through the real queue."""

import asyncio
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest
from langgraph_sdk.client import LangGraphClient
from standardwebhooks.webhooks import Webhook as Verifier

from tests.e2e.conftest import WEBHOOK_SECRET
from tests.support.dns_server import DnsServer
from tests.support.waiting import until
from tests.support.webhook_receiver import WebhookReceiver


@pytest.fixture
def receiver() -> Iterator[WebhookReceiver]:
    """Where webhooks go; the project's langgraph.json allows loopback."""
    with WebhookReceiver().serving() as receiver:
        yield receiver


async def listed(http: httpx.AsyncClient, run_id: str, *, status: str, attempts: int) -> dict[str, Any]:
    """The webhook of a run, once it has a status after so many attempts in all, the last of which is over."""

    async def probe() -> dict[str, Any] | None:
        found = (await http.get("/runs/webhooks", params={"status": status, "limit": 1000})).json()
        webhook = next((each for each in found if each["run_id"] == run_id), None)
        return webhook if webhook and len(webhook["history"]) == attempts and len(webhook["history"][-1]) > 1 else None

    return await until(f"the webhook of run {run_id} is {status} after {attempts} attempts", probe)


async def redeliver(http: httpx.AsyncClient, run_id: str) -> None:
    answer = await http.post("/runs/webhooks/redeliver", json={"run_ids": [run_id]})
    assert [webhook["run_id"] for webhook in answer.json()["redelivered"]] == [run_id]


async def test_the_end_of_a_run_is_told_with_its_values(
    client: LangGraphClient, http: httpx.AsyncClient, thread_id: str, receiver: WebhookReceiver
) -> None:
    values = await client.runs.wait(thread_id, "sequence", input={"topic": "tölđ"}, webhook=receiver.url)
    [run] = await client.runs.list(thread_id)
    [told] = await asyncio.to_thread(receiver.wait_for, run["run_id"])
    assert told.body == {**told.body, **run}
    assert told.body["values"] == values
    assert told.body["run_started_at"][:23] <= told.body["run_ended_at"][:23] <= told.body["webhook_sent_at"][:23]
    assert (told.headers["content-type"], told.headers["x-from"]) == ("application/json", "superstep tests")
    assert Verifier(WEBHOOK_SECRET).verify(told.text, told.headers) == told.body
    webhook = await listed(http, run["run_id"], status="delivered", attempts=1)
    assert webhook["delivery_id"] == told.headers["webhook-id"]


async def test_a_stateless_run_is_told_and_asked_again_when_its_receiver_fails(
    client: LangGraphClient, receiver: WebhookReceiver
) -> None:
    receiver.statuses = [500]
    run = await client.runs.create(None, "failing", input={"log": []}, webhook=receiver.url)
    told = await asyncio.to_thread(receiver.wait_for, run["run_id"], times=2)
    assert [each.body["status"] for each in told] == ["error", "error"]
    assert "boom" in told[1].body["error"]["message"]
    assert told[1].body["values"] is None
    assert told[0].headers["webhook-id"] == told[1].headers["webhook-id"]


async def test_a_webhook_that_was_given_up_is_delivered_once_more(
    client: LangGraphClient, http: httpx.AsyncClient, receiver: WebhookReceiver
) -> None:
    receiver.statuses = [302, 410]
    run = await client.runs.create(None, "sequence", input={"topic": "gone"}, webhook=receiver.url)
    dead = await listed(http, run["run_id"], status="dead", attempts=2)
    assert [attempt["status"] for attempt in dead["history"]] == [302, 410]
    assert dead["history"][0]["problem"] == "redirects are not followed"
    await redeliver(http, run["run_id"])
    await listed(http, run["run_id"], status="delivered", attempts=3)
    told = await asyncio.to_thread(receiver.wait_for, run["run_id"], times=3)
    assert {each.headers["webhook-id"] for each in told} == {dead["delivery_id"]}


async def test_a_webhook_into_a_private_network_is_refused(http: httpx.AsyncClient) -> None:
    for host in ("10.0.0.1", "0xA9FEA9FE", "metadata.internal"):
        answer = await http.post("/runs", json={"assistant_id": "sequence", "webhook": f"http://{host}/"})
        assert answer.status_code == 422
        assert "Webhook host blocked" in answer.json()["detail"]


async def test_a_webhook_goes_where_its_name_leads(
    client: LangGraphClient, http: httpx.AsyncClient, dns: DnsServer
) -> None:
    host = f"{uuid4()}.example.com"
    run = await client.runs.create(None, "sequence", input={"topic": "t"}, webhook=f"http://{host}/")
    unknown = await listed(http, run["run_id"], status="pending", attempts=1)
    assert unknown["history"][0]["problem"] == f"{host} could not be resolved: DNS status 3"
    dns.tell(host, "93.184.216.34", "fd00::1")
    await redeliver(http, run["run_id"])
    refused = await listed(http, run["run_id"], status="dead", attempts=2)
    assert f"{host} resolves to fd00::1" in refused["history"][1]["problem"]
    dns.tell(host, "93.184.216.34")
    await redeliver(http, run["run_id"])
    # Public as far as that resolver knows, so it is sent; but the machine's own knows no such name.
    sent = await listed(http, run["run_id"], status="pending", attempts=3)
    assert sent["history"][2]["problem"].startswith("could not be sent: ")
