"""SIGKILL around a webhook: its receiver gets it nevertheless, always under the same id."""

import asyncio
from collections.abc import Iterator

import pytest
from langgraph_sdk.client import LangGraphClient

from tests.chaos.crashes import LONG_AGO, kill_workerd, sweep
from tests.support.database_file import DatabaseFile
from tests.support.waiting import until
from tests.support.webhook_receiver import WebhookReceiver
from tools.local_server import Server


@pytest.fixture
def receiver() -> Iterator[WebhookReceiver]:
    with WebhookReceiver().serving() as receiver:
        yield receiver


@pytest.mark.parametrize("is_answered", [True, False], ids=["between attempts", "within an attempt"])
async def test_killed_while_a_webhook_is_on_its_way(
    server: Server, client: LangGraphClient, database: DatabaseFile, receiver: WebhookReceiver, is_answered: bool
) -> None:
    """With the process goes the queue, which is in memory here, and so does the attempt that is under way."""
    if is_answered:
        receiver.statuses = [500]
    else:
        receiver.answers.clear()
    run = await client.runs.create(None, "sequence", input={"topic": "told"}, webhook=receiver.url)
    await asyncio.to_thread(receiver.wait_for, run["run_id"])
    await asyncio.to_thread(kill_workerd, server)
    receiver.answers.set()

    async def is_overdue() -> bool:
        """Its lease, or what was to be waited, is over."""
        sql = "UPDATE webhooks SET due_at = ? WHERE run_id = ? AND due_at IS NOT NULL RETURNING run_id"
        return bool(database.run(sql, LONG_AGO, run["run_id"]))

    await until("the webhook is still to be sent", is_overdue)
    await sweep(server)
    told = await asyncio.to_thread(receiver.wait_for, run["run_id"], times=2)
    assert [each.body["status"] for each in told] == ["success", "success"]
    assert told[0].headers["webhook-id"] == told[1].headers["webhook-id"]

    async def is_delivered() -> bool:
        [(delivered_at,)] = database.run("SELECT delivered_at FROM webhooks WHERE run_id = ?", run["run_id"])
        return delivered_at is not None

    await until("the webhook is delivered", is_delivered)
