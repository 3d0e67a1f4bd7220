"""A queued run → its thread object, a queued webhook → its receiver: ack, retry later, or give up.

A message only says "look at this row", so it may come twice, late or never: looking at what has nothing to do costs one
call, and the sweeper finds what no message named.
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

#: As wrangler.toml names it: where the platform moves what was retried too often, and where runs that gave up are told
#: of.
DEAD_LETTER_QUEUE: Final = "superstep-dead-letters"

#: The first retry waits this long, each further one twice as long.
RETRY_SECONDS = 5
MAX_RETRY_SECONDS = 3600

#: An object that has not answered by then is asked again later.
WAKE_SECONDS = 20

#: `webhooks.delivery.Courier.deliver`: when to look again, in seconds.
SendWebhook: TypeAlias = Callable[[str], Awaitable[int | None]]

#: `runs.dead_letters.keep_message` for the id and the body of a message.
Keep: TypeAlias = Callable[[str, Any], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of one delivery."""

    action: Literal["ack", "retry"]
    delay_seconds: int = 0


ACK = Verdict("ack")


async def deliver_batch(
    messages: Iterable[QueuedMessage], thread_objects: ThreadObjects, send_webhook: SendWebhook, keep: Keep
) -> None:
    """Deliver each message by itself: none that fails or hangs keeps another one from its end."""
    await _settle(messages, lambda message: deliver(message, thread_objects, send_webhook, keep))


async def keep_batch(messages: Iterable[QueuedMessage], keep: Keep) -> None:
    """Keep each message of the dead-letter queue, with the runs that gave up."""
    await _settle(messages, lambda message: _keep(message, keep))


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
    """Do what a message says; idempotent by (thread_id, run_id).

    One that names no run is kept for an operator: no later delivery can make sense of it, and an object of any other
    name would be one that nobody ever looks for. Raises nothing.
    """
    attempts = message.attempts
    match message.body:
        case {"thread_id": str(thread_id), "run_id": str(run_id)} if ids.canonical(thread_id) == thread_id:
            with log_lines.about(thread_id=thread_id, run_id=run_id):
                return await _wake(thread_id, attempts, thread_objects)
        case {"webhook": str(run_id)}:
            with log_lines.about(run_id=run_id):
                return await _send(run_id, attempts, send_webhook)
        case _:
            return await _keep(message, keep)


async def _keep(message: QueuedMessage, keep: Keep) -> Verdict:
    try:
        await keep(message.id, message.body)
    except Exception:  # whatever it was, nobody has seen the message: try again later
        logger.warning("could not keep a message; retrying", exc_info=True, extra=_about(message.attempts))
        return _later(message.attempts)
    return ACK


async def _wake(thread_id: str, attempts: int, thread_objects: ThreadObjects) -> Verdict:
    try:
        async with asyncio.timeout(WAKE_SECONDS):
            await thread_objects.wake(thread_id)
    except Exception:  # whatever the object answered, the row is still there: try again later
        logger.warning("could not wake the thread's object; retrying", exc_info=True, extra=_about(attempts))
        return _later(attempts)
    return ACK


async def _send(run_id: str, attempts: int, send_webhook: SendWebhook) -> Verdict:
    try:
        seconds = await send_webhook(run_id)
    except Exception:  # whatever it was, the row is still there: try again later
        logger.warning("could not send the webhook; retrying", exc_info=True, extra=_about(attempts))
        return _later(attempts)
    return ACK if seconds is None else Verdict("retry", seconds)


def _later(attempts: int) -> Verdict:
    return Verdict("retry", min(RETRY_SECONDS * 2 ** (attempts - 1), MAX_RETRY_SECONDS))


def _about(attempts: int) -> dict[str, Any]:
    return {"event": "message_retried", "delivery": attempts}
