"""Webhooks out of real workerd, by way of the real queue."""

import asyncio
from collections.abc import Iterator

import httpx
import pytest
from langgraph_sdk.client import LangGraphClient

from tests.support.webhook_receiver import WebhookReceiver


@pytest.fixture
def receiver() -> Iterator[WebhookReceiver]:
    """Where webhooks go; the project's langgraph.json allows loopback."""
    with WebhookReceiver().serving() as receiver:
        yield receiver


async def test_the_end_of_a_run_is_told_with_its_values(
    client: LangGraphClient, thread_id: str, receiver: WebhookReceiver
) -> None:
    values = await client.runs.wait(thread_id, "sequence", input={"topic": "told"}, webhook=receiver.url)
    [run] = await client.runs.list(thread_id)
    [(headers, body)] = await asyncio.to_thread(receiver.wait_for, run["run_id"])
    assert body == {**body, **run}
    assert body["values"] == values
    assert body["run_started_at"][:23] <= body["run_ended_at"][:23] <= body["webhook_sent_at"][:23]
    assert (headers["content-type"], headers["x-from"]) == ("application/json", "superstep tests")


async def test_a_stateless_run_is_told_and_asked_again_when_its_receiver_fails(
    client: LangGraphClient, receiver: WebhookReceiver
) -> None:
    receiver.statuses = [500]
    run = await client.runs.create(None, "failing", input={"log": []}, webhook=receiver.url)
    told = await asyncio.to_thread(receiver.wait_for, run["run_id"], times=2)
    assert [body["status"] for _, body in told] == ["error", "error"]
    assert "boom" in told[1][1]["error"]["message"]
    assert told[1][1]["values"] is None


async def test_a_webhook_into_a_private_network_is_refused(http: httpx.AsyncClient) -> None:
    for host in ("10.0.0.1", "0xA9FEA9FE", "metadata.internal"):
        answer = await http.post("/runs", json={"assistant_id": "sequence", "webhook": f"http://{host}/"})
        assert answer.status_code == 422
        assert "Webhook host blocked" in answer.json()["detail"]
