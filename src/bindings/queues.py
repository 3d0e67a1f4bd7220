"""The queues. A message is a small JSON object of ids; everything else is in D1."""

import json
import logging
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from js import JSON
from workers import env

from bindings.answers import HINT_SECONDS, answer

logger = logging.getLogger(__name__)

#: Queues accept at most this many messages in one call.
MAX_MESSAGES_PER_CALL = 100


def run_queue() -> "RunQueueBinding":
    """The Worker's queue of runs."""
    return RunQueueBinding(env.RUN_QUEUE)


def webhook_queue() -> "WebhookQueueBinding":
    """The Worker's queue of webhooks."""
    return WebhookQueueBinding(env.WEBHOOK_QUEUE)


def dead_letter_queue() -> "RunQueueBinding":
    """The queue that announces runs that gave up, and to which the platform moves undeliverable messages."""
    return RunQueueBinding(env.DEAD_LETTER_QUEUE, dead_letter=True)


class RunQueueBinding:
    """`ports.RunQueue` over a queue producer binding; a message is `{"thread_id", "run_id"}` plus the given marks."""

    def __init__(self, binding: Any, **marks: bool) -> None:
        self._binding = binding
        self._marks = marks

    async def send_batch(self, runs: Sequence[tuple[str, str]]) -> None:
        """See `ports.RunQueue.send_batch`."""
        messages = [{"thread_id": thread_id, "run_id": run_id, **self._marks} for thread_id, run_id in runs]
        await _send(self._binding, messages)


class WebhookQueueBinding:
    """`ports.WebhookQueue` over a queue producer binding; a message is `{"webhook": run_id}`."""

    def __init__(self, binding: Any) -> None:
        self._binding = binding

    async def send_batch(self, run_ids: Sequence[str]) -> None:
        """See `ports.WebhookQueue.send_batch`."""
        await _send(self._binding, [{"webhook": run_id} for run_id in run_ids])


class ReceivedMessage:
    """`ports.QueuedMessage` over a message of a batch."""

    def __init__(self, message: Any) -> None:
        self._message = message

    @property
    def id(self) -> str:
        """See `ports.QueuedMessage.id`."""
        return str(self._message.id)

    @property
    def body(self) -> Any:
        """See `ports.QueuedMessage.body`."""
        try:
            return self._message.body
        except Exception:  # an object that contains itself, for example: no message of ours
            logger.warning("a queue message could not be read, so it is kept as a dead letter", exc_info=True)
            return None

    @property
    def attempts(self) -> int:
        """See `ports.QueuedMessage.attempts`."""
        return int(self._message.attempts)

    def ack(self) -> None:
        """See `ports.QueuedMessage.ack`."""
        self._message.ack()

    def retry(self, delay_seconds: int) -> None:
        """See `ports.QueuedMessage.retry`."""
        self._message.retry({"delaySeconds": delay_seconds})


async def _send(binding: Any, messages: Sequence[Mapping[str, object]]) -> None:
    queue = getattr(binding, "_binding", binding)
    for start in range(0, len(messages), MAX_MESSAGES_PER_CALL):
        page = json.dumps([{"body": message} for message in messages[start : start + MAX_MESSAGES_PER_CALL]])
        send = partial(queue.sendBatch, JSON.parse(page))
        await answer(send, HINT_SECONDS, failed="the queue did not take messages")
