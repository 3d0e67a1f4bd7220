"""A queued run → its thread's object, a queued webhook → its receiver: ack, or retry later.

A message only says "look at this row", so it may come twice, late or never. Looking in vain costs one call, and the
sweeper finds the rows without a message.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

import ids
import log_lines
from ports import QueuedMessage, ThreadObjects

logger = logging.getLogger(__name__)

#: As wrangler.toml names it. The platform moves messages here that were retried too often, and a run that gives up is
#: announced here.
DEAD_LETTER_QUEUE: Final = "superstep-dead-letters"

#: The first retry waits this long, each further one twice as long.
RETRY_SECONDS: Final = 5
MAX_RETRY_SECONDS: Final = 3600

#: `webhooks.delivery.Courier.deliver`, by run id: in how many seconds to try again, None if there is no need.
SendWebhook: TypeAlias = Callable[[str], Awaitable[int | None]]

#: `runs.dead_letters.keep_message`, by the id and the body of a message.
Keep: TypeAlias = Callable[[str, Any], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What happens to one delivery."""

    action: Literal["ack", "retry"]
    delay_seconds: int = 0


ACK = Verdict("ack")


async def deliver_batch(
    messages: Iterable[QueuedMessage], thread_objects: ThreadObjects, send_webhook: SendWebhook, keep: Keep
) -> None:
    """Deliver messages side by side, so that one that fails or hangs does not delay the others."""
    await _settle(messages, lambda message: deliver(message, thread_objects, send_webhook, keep))


async def keep_batch(messages: Iterable[QueuedMessage], keep: Keep) -> None:
    """Keep each message of the dead-letter queue for an operator."""
    await _settle(
        messages, lambda message: _attempt(_keep(message, keep), message.attempts, "could not keep a message")
    )


async def _settle(messages: Iterable[QueuedMessage], decide: Callable[[QueuedMessage], Awaitable[Verdict]]) -> None:
    async def settle(message: QueuedMessage) -> None:
        verdict = await decide(message)
        if verdict.action == "ack":
            message.ack()
        else:
            message.retry(verdict.delay_seconds)

    await asyncio.gather(*map(settle, messages))


async def deliver(
    message: QueuedMessage, thread_objects: ThreadObjects, send_webhook: SendWebhook, keep: Keep
) -> Verdict:
    """Do what a message says; idempotent by (thread_id, run_id). Raises nothing.

    A message that names no run is kept for an operator: no later delivery could make sense of it, and waking an object
    whose name is no thread id would create an object that nobody ever looks for.
    """
    match message.body:
        case {"thread_id": str(thread_id), "run_id": str(run_id)} if ids.canonical(thread_id) == thread_id:
            with log_lines.about(thread_id=thread_id, run_id=run_id):
                wake = _wake(thread_id, thread_objects)
                return await _attempt(wake, message.attempts, "could not wake the thread's object")
        case {"webhook": str(run_id)}:
            with log_lines.about(run_id=run_id):
                return await _attempt(_send(run_id, send_webhook), message.attempts, "could not send the webhook")
        case _:
            return await _attempt(_keep(message, keep), message.attempts, "could not keep a message")


async def _attempt(delivery: Awaitable[Verdict], attempts: int, failed: str) -> Verdict:
    try:
        return await delivery
    except Exception:  # whatever it was, the row (or the message itself) is still there: try again later
        seconds = min(RETRY_SECONDS * 2 ** (attempts - 1), MAX_RETRY_SECONDS)
        about = {"event": "message_retried", "delivery": attempts}
        logger.warning("%s; the queue tries again in %d s", failed, seconds, exc_info=True, extra=about)
        return Verdict("retry", seconds)


async def _wake(thread_id: str, thread_objects: ThreadObjects) -> Verdict:
    await thread_objects.wake(thread_id)
    return ACK


async def _send(run_id: str, send_webhook: SendWebhook) -> Verdict:
    seconds = await send_webhook(run_id)
    return ACK if seconds is None else Verdict("retry", seconds)


async def _keep(message: QueuedMessage, keep: Keep) -> Verdict:
    await keep(message.id, message.body)
    return ACK
