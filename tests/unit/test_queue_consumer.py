"""One decision for each delivery of a queue message."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest

from errors import DatabaseError, Unavailable
from queue_consumer import (
    ACK,
    DEAD_LETTER_QUEUE,
    MAX_RETRY_SECONDS,
    SendWebhook,
    Verdict,
    deliver,
    deliver_batch,
    keep_batch,
)
from tools.local_config import production_config

THREAD = "0b4211ba-46f4-4cdb-830a-6ba6412ee448"
MESSAGE = {"thread_id": THREAD, "run_id": "r"}

#: Nothing that was ever sent here.
FOREIGN = [
    None,
    "text",
    1,
    [],
    {},
    b"bytes",
    "x" * 128_000,
    {"thread_id": 1, "run_id": "r"},
    {"thread_id": THREAD},
    {"thread_id": THREAD, "run_id": None},
    {"thread_id": "t", "run_id": "r"},
    {"thread_id": THREAD.upper(), "run_id": "r"},
    {"thread_id": f"{THREAD}\n", "run_id": "r"},
    {"thread_id": "'; DROP TABLE runs; --", "run_id": "r"},
    {"thread_id": "\ud800\0", "run_id": "r"},
    {"webhook": 1},
]


@dataclass
class Message:
    """A message that notes what became of it."""

    body: Any
    attempts: int = 1
    verdict: str | int | None = None
    id: str = "m"

    def ack(self) -> None:
        """See `ports.QueuedMessage`."""
        self.verdict = "ack"

    def retry(self, delay_seconds: int) -> None:
        """See `ports.QueuedMessage`."""
        self.verdict = delay_seconds


class Threads:
    """Thread objects that note who was woken, or are out of reach."""

    def __init__(self, *, is_reachable: bool = True) -> None:
        self.woken: list[str] = []
        self._is_reachable = is_reachable

    async def wake(self, thread_id: str) -> None:
        """See `ports.ThreadObjects`."""
        if not self._is_reachable:
            raise Unavailable("the object was reset")
        self.woken.append(thread_id)

    async def open(self, thread_id: str, path: str) -> object:
        """See `ports.ThreadObjects`."""
        raise AssertionError("a message opens nothing")


async def no_webhook(run_id: str) -> int | None:
    raise AssertionError(f"nobody asked to send the webhook of {run_id}")


@dataclass
class Kept:
    """Where messages are kept that nobody can deliver; the first times fail with `failures`."""

    bodies: list[Any] = field(default_factory=list[Any])
    failures: int = 0

    async def __call__(self, message_id: str, body: Any) -> None:
        """See `queue_consumer.Keep`."""
        if self.failures:
            self.failures -= 1
            raise DatabaseError(f"D1 did not take {message_id}")
        self.bodies.append(body)


async def told(
    body: Any, attempts: int, threads: Threads, send_webhook: SendWebhook = no_webhook, kept: Kept | None = None
) -> Verdict:
    """What becomes of one delivery."""
    return await deliver(Message(body, attempts), threads, send_webhook, kept or Kept())


async def test_a_message_wakes_the_object_of_its_thread_however_often_it_comes() -> None:
    threads = Threads()
    assert [await told(MESSAGE, attempt, threads) for attempt in (1, 2)] == [ACK, ACK]
    assert threads.woken == [THREAD, THREAD]


@pytest.mark.parametrize("body", FOREIGN, ids=lambda body: repr(body)[:40])
async def test_a_message_that_names_no_run_is_kept_for_an_operator(body: object) -> None:
    threads, kept = Threads(), Kept(failures=1)
    assert [await told(body, attempt, threads, kept=kept) for attempt in (1, 2)] == [Verdict("retry", 5), ACK]
    assert threads.woken == []
    assert kept.bodies == [body]


async def test_an_object_out_of_reach_is_tried_again_ever_later() -> None:
    threads = Threads(is_reachable=False)
    delays = [(await told(MESSAGE, attempt, threads)).delay_seconds for attempt in (1, 2, 3, 50)]
    assert delays == [5, 10, 20, MAX_RETRY_SECONDS]
    assert await told(MESSAGE, 1, threads) == Verdict("retry", 5)


@pytest.mark.parametrize(("seconds", "verdict"), [(None, ACK), (20, Verdict("retry", 20))])
async def test_a_webhook_is_sent_and_looked_at_again_when_it_says_so(seconds: int | None, verdict: Verdict) -> None:
    sent: list[str] = []

    async def send(run_id: str) -> int | None:
        sent.append(run_id)
        return seconds

    assert await told({"webhook": "r"}, 1, Threads(), send) == verdict
    assert sent == ["r"]


async def test_a_webhook_that_could_not_be_looked_at_is_tried_again() -> None:
    async def fail(run_id: str) -> int | None:
        raise DatabaseError(f"D1 did not answer for {run_id}")

    assert await told({"webhook": "r"}, 2, Threads(), fail) == Verdict("retry", 10)


async def test_no_message_of_a_batch_waits_for_another() -> None:
    """One object hangs, one is out of reach, one webhook fails, and half of the batch is nonsense."""
    good = [Message({"thread_id": f"{number:08d}-46f4-4cdb-830a-6ba6412ee448", "run_id": "r"}) for number in range(20)]
    hanging, failing = Message({**MESSAGE, "thread_id": f"a{THREAD[1:]}"}), Message(MESSAGE, attempts=3)
    webhook, foreign = Message({"webhook": "r"}), [Message(body) for body in FOREIGN]
    woken: list[str] = []

    class SomeThreads(Threads):
        async def wake(self, thread_id: str) -> None:
            if thread_id == THREAD:
                raise Unavailable("the object was reset")
            if thread_id.startswith("a"):
                await asyncio.sleep(0.2)
                raise Unavailable("no answer within 0.2 s")
            await asyncio.sleep(0)
            woken.append(thread_id)

    delivering = asyncio.ensure_future(
        deliver_batch([hanging, webhook, *foreign, failing, *good], SomeThreads(), no_webhook, Kept())
    )
    await asyncio.wait({delivering}, timeout=0.1)
    assert {message.verdict for message in [*foreign, *good]} == {"ack"}
    assert (hanging.verdict, failing.verdict, webhook.verdict) == (None, 20, 5)
    await delivering
    assert hanging.verdict == 5
    assert len(woken) == len(good)


async def test_the_dead_letter_queue_wakes_nobody_and_keeps_what_it_gets() -> None:
    kept = Kept(failures=1)
    messages = [Message(MESSAGE), Message({"webhook": "r"}), Message(None)]
    await keep_batch(messages, kept)
    assert [message.verdict for message in messages] == [5, "ack", "ack"]
    assert kept.bodies == [{"webhook": "r"}, None]


def test_the_dead_letter_queue_is_the_one_of_the_configuration() -> None:
    queues = production_config()["queues"]
    assert {queue["queue"] for queue in queues["producers"] if queue["binding"] == "DEAD_LETTER_QUEUE"} == {
        DEAD_LETTER_QUEUE
    }
    moved_to = {queue.get("dead_letter_queue", DEAD_LETTER_QUEUE) for queue in queues["consumers"]}
    assert moved_to == {DEAD_LETTER_QUEUE}
    assert DEAD_LETTER_QUEUE in {queue["queue"] for queue in queues["consumers"]}
