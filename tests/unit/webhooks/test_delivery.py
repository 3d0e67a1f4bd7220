"""Webhooks are delivered at least once, whatever dies between the end of a run and the receiver's answer."""

import asyncio
import json
from base64 import b64encode
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook as Verifier
from standardwebhooks.webhooks import WebhookVerificationError

import clock
import ids
from errors import Unavailable
from ports import HttpAnswer
from project_config.sections import HttpConfig, ProjectConfig, WebhookConfig, WebhookUrlPolicy
from runs import completion, outcome, sweep
from tables import runs
from tables.run_history import Stamp
from tests.support.held_thread import INTERRUPT, ROLLBACK, Thread
from tests.support.http_api import Api, WebhookQueueNotes
from tests.support.thread_object_in_memory import ThreadObjectInMemory
from tests.support.webhook_outside import URL, Names, NoNames, Receiver, courier
from webhooks import delivery as webhook_delivery
from webhooks.delivery import LEASE_SECONDS, MAX_ATTEMPTS, MAX_DELAY_SECONDS

DAY = 24 * 3600


async def deliver(api: Api, run_id: str, receiver: Receiver, config: ProjectConfig | None = None) -> int | None:
    return await courier(api.db, receiver, config=config).deliver(run_id)


async def delivered(thread: ThreadObjectInMemory, run_id: str) -> dict[str, Any]:
    """What a receiver gets of a run that has ended."""
    receiver = Receiver()
    assert await deliver(thread.api, run_id, receiver) is None
    [told] = receiver.received
    assert (told.url, told.headers["content-type"]) == (URL, "application/json")
    row = stored(thread.api, run_id)
    assert (row["due_at"], row["body"], row["body_parts"]) == (None, "null", 0)
    assert row["delivered_at"]
    assert large_bodies(thread.api) == set()
    return told.body


def stored(api: Api, run_id: str) -> dict[str, Any]:
    [row] = api.db.connection.execute("SELECT * FROM webhooks WHERE run_id = ?", (run_id,)).fetchall()
    return dict(row)


def large_bodies(api: Api) -> set[str]:
    """The deliveries whose bodies do not fit their rows."""
    owners = [row["owner"].split(":") for row in api.db.connection.execute("SELECT owner FROM large_texts")]
    return {owner_id for kind, owner_id in owners if kind == "webhook"}


def history(api: Api, run_id: str) -> list[dict[str, Any]]:
    return json.loads(stored(api, run_id)["history"])


def let_pass(api: Api, seconds: float) -> None:
    """Everything about webhooks happened so much earlier."""
    for row in api.db.connection.execute("SELECT run_id, delivery_id, due_at, since FROM webhooks").fetchall():
        times = [row[name] and clock.shifted(row[name], -seconds) for name in ("due_at", "since")]
        api.db.connection.execute(
            "UPDATE webhooks SET due_at = ?, since = ? WHERE run_id = ? AND delivery_id = ?",
            (*times, row["run_id"], row["delivery_id"]),
        )


@pytest.fixture
async def thread() -> Thread:
    return await Thread.new()


@pytest.fixture
async def run_id(thread: Thread) -> str:
    """A run that has ended and whose webhook is due."""
    run_id = await thread.create("sequence", input={"topic": "t"}, webhook=URL)
    await thread.runner.work()
    return run_id


async def test_a_webhook_tells_of_the_run_and_its_values(thread: Thread, run_id: str) -> None:
    assert thread.webhook_queue.sent == [run_id]
    body = await delivered(thread, run_id)
    run = await thread.api.json("GET", f"/threads/{thread.thread_id}/runs/{run_id}")
    assert {name: body[name] for name in run} == run
    assert body["kwargs"]["webhook"] == URL
    assert body["values"] == (await thread.thread())["values"]
    assert set(body) - set(run) == {"run_started_at", "run_ended_at", "webhook_sent_at", "values"}
    times = [run["created_at"], *(body[name] for name in ("run_started_at", "run_ended_at", "webhook_sent_at"))]
    milliseconds = [time[: len("2026-11-21T03:44:38.627")] for time in times]
    assert milliseconds == sorted(milliseconds)


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


@pytest.mark.parametrize("kilobytes", [700, 1700])
async def test_metadata_of_any_size_keep_no_run_from_ending(thread: Thread, kilobytes: int) -> None:
    metadata = {"note": "x" * kilobytes * 1000}
    run_id = await thread.create("sequence", input={"topic": "t"}, webhook=URL, metadata=metadata)
    await thread.runner.work()
    assert (await delivered(thread, run_id))["metadata"]["note"] == metadata["note"]


async def test_a_receiver_that_fails_is_asked_again_for_a_day(thread: Thread, run_id: str) -> None:
    receiver = Receiver([500, Unavailable("no route"), 302, *[404] * 100])
    waits: list[float] = []
    while True:
        seconds = await deliver(thread.api, run_id, receiver)
        assert await deliver(thread.api, run_id, receiver) is None, "it is not due yet"
        due_at = stored(thread.api, run_id)["due_at"]
        if due_at is None:
            break
        waits.append((clock.epoch_ms(due_at) - clock.now_ms()) / 1000)
        assert seconds == pytest.approx(waits[-1], abs=1.1) if waits[-1] < MAX_DELAY_SECONDS else seconds is None
        let_pass(thread.api, waits[-1] + 0.1)
    assert sum(waits) == pytest.approx(DAY, abs=60)
    assert waits[:-1] == sorted(waits[:-1])
    assert 10 <= len(receiver.received) <= 14
    assert len(receiver.ids) == 1
    trace = history(thread.api, run_id)
    assert [entry.get("status") for entry in trace] == [500, None, 302, *[404] * (len(trace) - 3)]
    assert [entry.get("problem") for entry in trace[:3]] == [None, "no route", "redirects are not followed"]
    assert len(trace) == len(receiver.received)


async def test_a_receiver_that_is_gone_is_asked_once(thread: Thread, run_id: str) -> None:
    receiver = Receiver([410])
    assert await deliver(thread.api, run_id, receiver) is None
    row = stored(thread.api, run_id)
    assert (row["due_at"], row["delivered_at"]) == (None, None)
    assert json.loads(row["body"])["run_id"] == run_id, "it can be delivered again"


async def test_a_receiver_that_asks_for_time_gets_it(thread: Thread, run_id: str) -> None:
    receiver = Receiver([HttpAnswer(429, "90"), HttpAnswer(503, "1")])
    assert await deliver(thread.api, run_id, receiver) in (90, 91)
    let_pass(thread.api, 91)
    seconds = await deliver(thread.api, run_id, receiver)
    assert seconds
    assert seconds >= 30


async def test_a_sender_that_dies_each_time_gives_up_some_time(thread: Thread, run_id: str) -> None:
    thread.api.db.connection.execute("UPDATE webhooks SET attempts = ?", (MAX_ATTEMPTS,))
    receiver = Receiver()
    assert await deliver(thread.api, run_id, receiver) is None
    assert (receiver.received, stored(thread.api, run_id)["due_at"]) == ([], None)


async def test_a_defect_of_ours_is_an_attempt_that_failed(thread: Thread, run_id: str) -> None:
    seconds = await deliver(thread.api, run_id, Receiver([ZeroDivisionError("oops")]))
    assert seconds in (5, 6)
    assert history(thread.api, run_id)[0]["problem"] == "ZeroDivisionError: oops"


async def test_two_messages_at_once_send_it_once(thread: Thread, run_id: str) -> None:
    receiver = Receiver()
    await asyncio.gather(*(deliver(thread.api, run_id, receiver) for _ in range(3)))
    assert len(receiver.received) == 1


async def test_a_run_that_ends_twice_is_told_twice(thread: Thread, run_id: str) -> None:
    """Somebody let it run again: each end is a delivery of its own, whether or not the first was taken by then."""
    thread.api.db.connection.execute("UPDATE runs SET status = 'running', attempt = attempt + 1")
    run = await runs.get(thread.api.db, thread.thread_id, run_id)
    assert run
    again = outcome.failed(None, {"error": "E", "message": "again"})
    assert await completion.finish(thread.api.db, run, again, Stamp(clock.now_iso(), "test"))
    receiver = Receiver()
    assert await deliver(thread.api, run_id, receiver) is None
    assert [told.body["status"] for told in receiver.received] == ["success", "error"]
    assert len(receiver.ids) == 2


async def test_what_the_release_before_stored_is_delivered(thread: Thread, run_id: str) -> None:
    connection = thread.api.db.connection
    older = ids.time_ordered()
    connection.execute(
        "INSERT INTO webhooks (run_id, thread_id, due_at, url, body, body_parts) VALUES (?, 't', ?, ?, 'null', 2)",
        (older, clock.now_iso(), URL),
    )
    for number, part in enumerate(('{"a":1,"kwargs":', '{"config":{"configurable":{}}}}')):
        connection.execute("INSERT INTO large_texts VALUES (?, ?, ?)", (f"webhook:{older}", number, part))
    receiver = Receiver([500])
    assert await deliver(thread.api, older, receiver)
    let_pass(thread.api, 10)
    assert await deliver(thread.api, older, receiver) is None
    assert receiver.ids == {older}
    assert [told.body["a"] for told in receiver.received] == [1, 1]
    assert thread.api.rows("large_texts") == 0


async def test_what_nobody_sends_is_announced_by_the_sweeper(thread: Thread, run_id: str) -> None:
    """The message was lost, or whoever sent the webhook died before its receiver answered."""
    queue = WebhookQueueNotes()
    now = clock.now_iso()
    assert await sweep.announce_overdue_webhooks(thread.api.db, queue, now=now) == 0
    dying = asyncio.ensure_future(deliver(thread.api, run_id, Receiver([asyncio.CancelledError()])))
    await asyncio.wait({dying})
    later = clock.shifted(now, 2 * LEASE_SECONDS)
    assert await sweep.announce_overdue_webhooks(thread.api.db, queue, now=later) == 1
    assert queue.sent == [run_id]
    assert [list(entry) for entry in history(thread.api, run_id)] == [["at"]]


@pytest.mark.parametrize(("late", "in_time"), [(200, 500), (500, 200)])
async def test_a_late_answer_says_nothing_about_a_webhook_that_somebody_else_sends(
    thread: Thread, run_id: str, late: int, in_time: int
) -> None:
    """Its sender was held up for longer than an attempt may last."""
    told: list[Any] = []

    class Slow(Receiver):
        async def post(self, *args: Any) -> HttpAnswer:
            let_pass(thread.api, LEASE_SECONDS + 1)
            await deliver(thread.api, run_id, Receiver([in_time]))
            told.append(stored(thread.api, run_id))
            return await super().post(*args)

    await deliver(thread.api, run_id, Slow([late]))
    [other] = told
    assert stored(thread.api, run_id) == other
    assert (other["due_at"] is None) == (in_time == 200)


async def test_what_was_settled_long_ago_is_forgotten(thread: Thread) -> None:
    api, now = thread.api, clock.now_iso()
    body = {"input": {"topic": "x" * 2_000_000}, "webhook": URL}
    ids = [await thread.create("sequence", **body) for _ in range(3)]
    await thread.runner.work()
    for run_id, answer in zip(ids, (200, 410, 500), strict=True):
        await deliver(api, run_id, Receiver([answer]))
    left = []
    for days in (6, 8, 29, 31):
        forgotten = await webhook_delivery.forget_settled(api.db, now=clock.shifted(now, days * DAY))
        left.append((forgotten, api.rows("webhooks")))
    assert left == [(0, 3), (1, 2), (0, 2), (1, 1)]
    assert large_bodies(api) == {stored(api, ids[2])["delivery_id"]}


async def test_a_thread_that_is_deleted_takes_along_what_nobody_waits_for(thread: Thread) -> None:
    api = thread.api
    body = {"input": {"topic": "x" * 2_000_000}, "webhook": URL}
    ids = [await thread.create("sequence", **body) for _ in range(3)]
    await thread.runner.work()
    for run_id, answer in zip(ids, (200, 410, 500), strict=True):
        await deliver(api, run_id, Receiver([answer]))
    await api.json("DELETE", f"/threads/{thread.thread_id}", status=204)
    assert api.rows("webhooks") == 1
    let_pass(api, 10)
    receiver = Receiver()
    await deliver(api, ids[2], receiver)
    assert [told.body["run_id"] for told in receiver.received] == [ids[2]]
    assert api.rows("large_texts") == 0


def whsec(key: bytes) -> str:
    return f"whsec_{b64encode(key).decode()}"


async def test_the_libraries_of_the_specification_verify_it(thread: Thread) -> None:
    run_id = await thread.create("sequence", input={"topic": "ünï\u2028code"}, webhook=URL)
    await thread.runner.work()
    old, new, unknown = (bytes([number]) * 32 for number in range(3))
    receiver = Receiver([500])
    assert await courier(thread.api.db, receiver, secrets=(new, old)).deliver(run_id)
    let_pass(thread.api, 10)
    await courier(thread.api.db, receiver, secrets=(new, old)).deliver(run_id)
    for told in receiver.received:
        assert abs(int(told.headers["webhook-timestamp"]) * 1000 - clock.now_ms()) < 10_000
        for key in (old, new):
            assert Verifier(whsec(key)).verify(told.text, told.headers)["run_id"] == run_id
        with pytest.raises(WebhookVerificationError):
            Verifier(whsec(unknown)).verify(told.text, told.headers)
        with pytest.raises(WebhookVerificationError):
            Verifier(whsec(old)).verify(told.text.replace("success", "error"), told.headers)
    assert receiver.received[0].text != receiver.received[1].text, "each says when it was sent"
    assert len(receiver.ids) == 1


async def test_headers_are_filled_with_the_variables_that_they_may_use(
    thread: Thread, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LG_WEBHOOK_TOKEN", "secret")
    monkeypatch.setenv("OPENAI_API_KEY", "never")
    given = {
        "x-tok": "Bearer ${{ env.LG_WEBHOOK_TOKEN }}",
        "x-key": "${{env.OPENAI_API_KEY}}!",
        "x-static": "s",
        "Webhook-Id": "forged",
    }
    receiver = Receiver()
    await deliver(thread.api, run_id, receiver, ProjectConfig(webhooks=WebhookConfig(headers=given)))
    sent = dict(receiver.received[0].headers)
    assert sent.pop("webhook-id") == stored(thread.api, run_id)["delivery_id"]
    assert sent.pop("webhook-timestamp").isdigit()
    assert sent.pop("traceparent").split("-")[2] == sent.pop("tracestate").removeprefix("superstep=")
    assert sent == {"x-tok": "Bearer secret", "x-key": "!", "x-static": "s", "content-type": "application/json"}


async def test_rules_that_became_stricter_hold_for_runs_that_exist(thread: Thread, run_id: str) -> None:
    policy = WebhookUrlPolicy(allowed_domains=("other.example",))
    receiver = Receiver()
    config = ProjectConfig(webhooks=WebhookConfig(url=policy))
    assert await deliver(thread.api, run_id, receiver, config) is None
    assert (receiver.received, stored(thread.api, run_id)["due_at"]) == ([], None)
    assert "allowed_domains" in history(thread.api, run_id)[0]["problem"]


async def test_a_project_without_webhooks_keeps_none(thread: Thread, run_id: str) -> None:
    receiver = Receiver()
    assert await deliver(thread.api, run_id, receiver, ProjectConfig(http=HttpConfig(disable_webhooks=True))) is None
    assert (receiver.received, thread.api.rows("webhooks")) == ([], 0)


async def test_a_name_that_leads_into_a_private_network_is_refused(thread: Thread, run_id: str) -> None:
    receiver = Receiver()
    names = Names(["93.184.216.34", "fd00::1"])
    assert await courier(thread.api.db, receiver, names=names).deliver(run_id) is None
    assert (receiver.received, stored(thread.api, run_id)["due_at"]) == ([], None)
    assert "hooks.example.com resolves to fd00::1" in history(thread.api, run_id)[0]["problem"]


async def test_nothing_is_sent_while_nobody_knows_where_to(thread: Thread, run_id: str) -> None:
    receiver = Receiver()
    assert await courier(thread.api.db, receiver, names=NoNames()).deliver(run_id) in (5, 6)
    let_pass(thread.api, 10)
    assert await courier(thread.api.db, receiver).deliver(run_id) is None
    assert len(receiver.received) == 1


@pytest.mark.parametrize("url", ["", "nonsense", "http://127.0.0.1:1/", "ftp://example.com"])
@pytest.mark.parametrize("path", ["/runs", "/runs/wait", "/runs/batch"])
async def test_a_webhook_that_may_not_be_is_refused_with_the_run(url: str, path: str) -> None:
    api = Api()
    body = {"assistant_id": "sequence", "webhook": url}
    await api.detail("POST", path, [body] if path == "/runs/batch" else body, status=422)
    assert (api.rows("runs"), api.rows("threads")) == (0, 0)
