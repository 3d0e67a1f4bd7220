"""One decision for each delivery of a queue message."""

import pytest

from errors import DatabaseError, Unavailable
from queue_consumer import ACK, MAX_RETRY_SECONDS, Verdict, deliver

MESSAGE = {"thread_id": "t", "run_id": "r"}


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


async def test_a_message_wakes_the_object_of_its_thread_however_often_it_comes() -> None:
    threads = Threads()
    assert [await deliver(MESSAGE, attempt, threads, no_webhook) for attempt in (1, 2)] == [ACK, ACK]
    assert threads.woken == ["t", "t"]


@pytest.mark.parametrize("body", [None, "text", 1, [], {}, {"thread_id": 1, "run_id": "r"}, {"thread_id": "t"}])
async def test_a_message_that_names_no_run_is_dropped(body: object) -> None:
    threads = Threads()
    assert await deliver(body, 1, threads, no_webhook) == ACK
    assert threads.woken == []


async def test_an_object_out_of_reach_is_tried_again_ever_later() -> None:
    threads = Threads(is_reachable=False)
    delays = [(await deliver(MESSAGE, attempt, threads, no_webhook)).delay_seconds for attempt in (1, 2, 3, 50)]
    assert delays == [5, 10, 20, MAX_RETRY_SECONDS]
    assert await deliver(MESSAGE, 1, threads, no_webhook) == Verdict("retry", 5)


@pytest.mark.parametrize(("seconds", "verdict"), [(None, ACK), (20, Verdict("retry", 20))])
async def test_a_webhook_is_sent_and_looked_at_again_when_it_says_so(seconds: int | None, verdict: Verdict) -> None:
    sent: list[str] = []

    async def send(run_id: str) -> int | None:
        sent.append(run_id)
        return seconds

    assert await deliver({"webhook": "r"}, 1, Threads(), send) == verdict
    assert sent == ["r"]


async def test_a_webhook_that_could_not_be_looked_at_is_tried_again() -> None:
    async def fail(run_id: str) -> int | None:
        raise DatabaseError(f"D1 did not answer for {run_id}")

    assert await deliver({"webhook": "r"}, 2, Threads(), fail) == Verdict("retry", 10)
