"""Webhooks: at least once, whatever dies between the end of a run and its receiver's answer."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

import clock
from errors import Unavailable
from project_config import HttpConfig, ProjectConfig, WebhookConfig, WebhookUrlPolicy
from runs import webhook_delivery
from runs.webhook_delivery import LEASE_SECONDS, MAX_ATTEMPTS
from tests.support.http_api import Api
from tests.unit.runs.test_stopping_runs import INTERRUPT, ROLLBACK, Thread
from tests.unit.runs.test_thread_runner import ThreadObjectInMemory, WebhookQueueNotes

URL = "https://hooks.example.com/done"


@dataclass
class Receiver:
    """Answers with these statuses, one after the other, and 200 after that; an exception is no answer."""

    answers: list[int | Exception] = field(default_factory=list)
    received: list[tuple[str, dict[str, str], Any]] = field(default_factory=list)

    async def post(self, url: str, headers: Mapping[str, str], body: str) -> int:
        """See `ports.WebhookSender`."""
        self.received.append((url, dict(headers), json.loads(body)))
        answer = self.answers.pop(0) if self.answers else 200
        if isinstance(answer, Exception):
            raise answer
        return answer


async def deliver(api: Api, run_id: str, receiver: Receiver, config: ProjectConfig | None = None) -> int | None:
    return await webhook_delivery.deliver(api.db, receiver, config or ProjectConfig(), run_id)


async def delivered(thread: ThreadObjectInMemory, run_id: str) -> dict[str, Any]:
    """What a receiver gets of a run that has ended."""
    receiver = Receiver()
    assert await deliver(thread.api, run_id, receiver) is None
    [(url, headers, body)] = receiver.received
    assert (url, headers) == (URL, {"content-type": "application/json"})
    assert thread.api.rows("webhooks") == thread.api.rows("large_texts") == 0
    return body


@pytest.fixture
async def thread() -> Thread:
    return await Thread.new()


async def test_a_webhook_tells_of_the_run_and_its_values(thread: Thread) -> None:
    run_id = await thread.create("sequence", input={"topic": "t"}, webhook=URL)
    await thread.runner.work()
    assert thread.webhook_queue.sent == [run_id]
    body = await delivered(thread, run_id)
    run = await thread.api.json("GET", f"/threads/{thread.thread_id}/runs/{run_id}")
    assert {name: body[name] for name in run} == run
    assert body["kwargs"]["webhook"] == URL
    assert body["values"] == (await thread.thread())["values"]
    assert set(body) - set(run) == {"run_started_at", "run_ended_at", "webhook_sent_at", "values"}
    assert run["created_at"] <= body["run_started_at"] <= body["run_ended_at"] <= body["webhook_sent_at"]


async def test_a_failure_an_interrupt_and_a_question_are_told(thread: Thread) -> None:
    failed = await thread.create("failure", input={"topic": "t"}, webhook=URL)
    await thread.runner.work()
    body = await delivered(thread, failed)
    assert (body["status"], body["error"]) == ("error", {"error": "ValueError", "message": "boom"})
    asked = await thread.create("approval", input={"topic": "t"}, webhook=URL)
    await thread.runner.work()
    body = await delivered(thread, asked)
    assert (body["status"], body["values"]) == ("success", {"topic": "t", "log": []})
    assert "error" not in body


@pytest.mark.parametrize("action", ["interrupt", "rollback"])
async def test_a_cancelled_run_is_told_even_when_it_is_gone(thread: Thread, action: str) -> None:
    run_id, work = await thread.start_held(webhook=URL)
    await thread.cancel(run_id, f"?action={action}")
    await asyncio.wait_for(work, 5)
    body = await delivered(thread, run_id)
    if action == "interrupt":
        expected = ("interrupted", INTERRUPT, {"topic": "t", "log": ["first"]})
    else:
        expected = ("rollback", ROLLBACK, None)
    assert (body["status"], body["error"], body["values"]) == expected
    waiting = await thread.create("sequence", after_seconds=60, webhook=URL)
    await thread.cancel(waiting, f"?action={action}")
    await thread.runner.work()
    body = await delivered(thread, waiting)
    assert (body["status"], body["run_started_at"]) == (expected[0], None)


async def test_a_stateless_run_is_told_although_nothing_is_left_of_it() -> None:
    api = Api()
    body = {"assistant_id": "sequence", "input": {"topic": "x" * 2_000_000}, "webhook": URL}
    created = await api.json("POST", "/runs", body, status=202)
    thread = ThreadObjectInMemory(api, created["thread_id"])
    await thread.runner.work()
    assert (api.rows("runs"), api.rows("threads")) == (0, 0)
    told = await delivered(thread, created["run_id"])
    assert (told["status"], told["values"]) == ("success", None)
    assert told["kwargs"]["input"] == body["input"]


async def test_a_receiver_that_fails_is_asked_again_ever_later_and_not_for_ever(thread: Thread) -> None:
    run_id = await thread.create("sequence", webhook=URL)
    await thread.runner.work()
    receiver = Receiver([500, Unavailable("no route"), 302, *[404] * MAX_ATTEMPTS])
    waits: list[int] = []
    while (seconds := await deliver(thread.api, run_id, receiver)) is not None:
        assert await deliver(thread.api, run_id, receiver) is None, "it is not due yet"
        waits.append(seconds)
        past = clock.shifted(clock.now_iso(), -1)
        thread.api.db.connection.execute("UPDATE webhooks SET due_at = ?", (past,))
    assert waits == [5 * 2**n for n in range(MAX_ATTEMPTS - 1)]
    assert len(receiver.received) == MAX_ATTEMPTS
    assert thread.api.rows("webhooks") == 0


async def test_two_messages_at_once_send_it_once(thread: Thread) -> None:
    run_id = await thread.create("sequence", webhook=URL)
    await thread.runner.work()
    receiver = Receiver()
    await asyncio.gather(*(deliver(thread.api, run_id, receiver) for _ in range(3)))
    assert len(receiver.received) == 1


async def test_what_nobody_sends_is_announced_by_the_sweeper(thread: Thread) -> None:
    """The message was lost, or whoever sent the webhook died before its receiver answered."""
    run_id = await thread.create("sequence", webhook=URL)
    await thread.runner.work()
    queue = WebhookQueueNotes()
    now = clock.now_iso()
    assert await webhook_delivery.announce_overdue(thread.api.db, queue, now=now) == 0
    dying = asyncio.ensure_future(deliver(thread.api, run_id, Receiver([asyncio.CancelledError()])))  # type: ignore[list-item]
    await asyncio.wait({dying})
    later = clock.shifted(now, 2 * LEASE_SECONDS)
    assert await webhook_delivery.announce_overdue(thread.api.db, queue, now=later) == 1
    assert queue.sent == [run_id]


async def test_headers_are_filled_with_the_variables_that_they_may_use(
    thread: Thread, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LG_WEBHOOK_TOKEN", "secret")
    monkeypatch.setenv("OPENAI_API_KEY", "never")
    headers = {"x-tok": "Bearer ${{ env.LG_WEBHOOK_TOKEN }}", "x-key": "${{env.OPENAI_API_KEY}}!", "x-static": "s"}
    run_id = await thread.create("sequence", webhook=URL)
    await thread.runner.work()
    receiver = Receiver()
    await deliver(thread.api, run_id, receiver, ProjectConfig(webhooks=WebhookConfig(headers=headers)))
    sent = receiver.received[0][1]
    assert sent == {"x-tok": "Bearer secret", "x-key": "!", "x-static": "s", "content-type": "application/json"}


@pytest.mark.parametrize(
    "config",
    [
        ProjectConfig(http=HttpConfig(disable_webhooks=True)),
        ProjectConfig(webhooks=WebhookConfig(url=WebhookUrlPolicy(allowed_domains=("other.example",)))),
    ],
)
async def test_rules_that_became_stricter_hold_for_runs_that_exist(thread: Thread, config: ProjectConfig) -> None:
    run_id = await thread.create("sequence", webhook=URL)
    await thread.runner.work()
    receiver = Receiver()
    assert await deliver(thread.api, run_id, receiver, config) is None
    assert (receiver.received, thread.api.rows("webhooks")) == ([], 0)


@pytest.mark.parametrize("url", ["", "nonsense", "http://127.0.0.1:1/", "ftp://example.com"])
@pytest.mark.parametrize("path", ["/runs", "/runs/wait", "/runs/batch"])
async def test_a_webhook_that_may_not_be_is_refused_with_the_run(url: str, path: str) -> None:
    api = Api()
    body = {"assistant_id": "sequence", "webhook": url}
    await api.detail("POST", path, [body] if path == "/runs/batch" else body, status=422)
    assert (api.rows("runs"), api.rows("threads")) == (0, 0)
