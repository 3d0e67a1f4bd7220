"""Webhooks: delivered at least once, in the background, with how a run ended.

The batch that ends a run inserts a row into `webhooks`; a queue message is only a hint to look at it. The sweeper
announces rows without a message, until their receiver has accepted or their day is over.
"""

import json
import logging
import math
import os
import random
import re
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import clock
import log_lines
import trace_context
from compact_json import compact_json
from errors import Unavailable, Unprocessable
from ports import Database, DnsResolver, HttpAnswer, HttpSender, WebhookQueue
from project_config.sections import ProjectConfig
from tables import webhooks
from tables.runs import Run
from tables.webhooks import Webhook
from webhooks import schedule, signature, target

logger = logging.getLogger(__name__)

#: Longer than the resolver and the receiver may take together, so after that the sender of an attempt has died.
LEASE_SECONDS: Final = 60

#: A message that comes on time must not find its webhook due a moment later by the clock of another machine.
CLOCK_SKEW_SECONDS: Final = 1

#: Far more attempts than a day has, so that a webhook whose sender dies each time is given up, too.
MAX_ATTEMPTS: Final = 100

#: A queue message waits for an attempt that is at most this far off; for later ones the sweeper sends another message.
MAX_DELAY_SECONDS: Final = 300

#: For how long delivered webhooks, and those given up, are kept for the operator.
DELIVERED_KEPT_SECONDS: Final = 7 * 24 * 3600
DEAD_KEPT_SECONDS: Final = 30 * 24 * 3600
MAX_FORGOTTEN: Final = 1000

_MAX_PROBLEM_CHARS: Final = 300

_VARIABLE: Final = re.compile(r"\$\{\{\s*env\.(\w+)\s*\}\}")


async def announce(queue: WebhookQueue, run: Run) -> None:
    """Let the webhook of a run that has ended, if it has one, be sent at once."""
    if run.arguments.get("webhook"):
        await hint(queue, [run.run_id])


async def hint(queue: WebhookQueue, run_ids: Sequence[str]) -> None:
    """Announce that webhooks of these runs are due; if the queue refuses, the sweeper finds them."""
    try:
        await queue.send_batch(run_ids)
    except Unavailable:
        said = "the webhooks of %d runs, %s first, are due and were not announced; the sweeper finds them"
        logger.warning(said, len(run_ids), run_ids[0], exc_info=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Attempt:
    """The result of sending a webhook once."""

    answer: HttpAnswer | None = None
    problem: str | None = None
    #: Whether another attempt would have the same result.
    is_final: bool = False

    @property
    def is_delivered(self) -> bool:
        return self.answer is not None and 200 <= self.answer.status < 300

    def json(self) -> str:
        """The result in the webhook's history, besides its time."""
        status = {"status": self.answer.status} if self.answer else {}
        problem = {"problem": self.problem[:_MAX_PROBLEM_CHARS]} if self.problem else {}
        return compact_json({**status, **problem})


@dataclass(frozen=True, slots=True, kw_only=True)
class Courier:
    """Delivers webhooks to their receivers."""

    db: Database
    sender: HttpSender
    resolver: DnsResolver
    config: ProjectConfig
    #: The keys that sign webhooks; without any, they are unsigned.
    secrets: Sequence[bytes]

    async def deliver(self, run_id: str) -> int | None:
        """Send the due webhooks of a run. Idempotent.

        Returns after how many seconds to call again; None for never.
        """
        now = clock.now_iso()
        due_by, until = clock.shifted(now, CLOCK_SKEW_SECONDS), clock.shifted(now, LEASE_SECONDS)
        taken = await webhooks.take(self.db, run_id, due_by=due_by, until=until, now=now)
        waits: list[int | None] = []
        for webhook in taken:
            with _about(webhook):
                waits.append(await self._deliver(webhook))
        return min((seconds for seconds in waits if seconds is not None), default=None)

    async def _deliver(self, webhook: Webhook) -> int | None:
        if self.config.http.disable_webhooks:
            await self.db.batch(webhooks.delete(webhook))
            return None
        attempt = await self._attempt(webhook)
        now = clock.now_iso()
        if attempt.is_delivered:
            await self.db.batch(webhooks.delivered(webhook, attempt.json(), now=now))
            _log(webhook, attempt, None)
            return None
        due_at = None if attempt.is_final else _next_attempt(webhook, attempt, now)
        await self.db.batch([webhooks.postpone(webhook, attempt.json(), due_at=due_at)])
        _log(webhook, attempt, due_at)
        return _delay(now, due_at) if due_at else None

    async def _attempt(self, webhook: Webhook) -> _Attempt:
        if webhook.attempts > MAX_ATTEMPTS:
            return _Attempt(problem=f"gave up after {MAX_ATTEMPTS} attempts", is_final=True)
        try:
            # The rules may be stricter than when the run was created, and names may resolve to other addresses.
            await target.check(webhook.url, self.config.webhooks.url, self.resolver)
            body = f'{webhook.body.removesuffix("}")},"webhook_sent_at":{compact_json(clock.now_iso())}}}'
            answer = await self.sender.post(webhook.url, self._headers(webhook, body), body)
        except Unprocessable as error:
            return _Attempt(problem=str(error), is_final=True)
        except Unavailable as error:
            return _Attempt(problem=str(error))
        except Exception as error:  # whatever it is, the next attempt is to come later, and the last one to be the last
            logger.warning("the webhook could not be sent", exc_info=True)
            return _Attempt(problem=f"{type(error).__name__}: {error}")
        if 300 <= answer.status < 400:
            return _Attempt(answer=answer, problem="redirects are not followed")
        return _Attempt(answer=answer, is_final=answer.status == 410)

    def _headers(self, webhook: Webhook, body: str) -> dict[str, str]:
        """Our headers and those of langgraph.json, which may use variables only with the prefix: no secret leaks."""
        prefix = self.config.webhooks.env_prefix

        def value(found: re.Match[str]) -> str:
            name = found[1]
            return os.environ.get(name, "") if name.startswith(prefix) else ""

        at = clock.now_ms() // 1000
        own = {
            **trace_context.outgoing(),
            "content-type": "application/json",
            **signature.headers(webhook.message_id, body, secrets=self.secrets, at=at),
        }
        given = self.config.webhooks.headers.items()
        return {**{name: _VARIABLE.sub(value, text) for name, text in given if name.lower() not in own}, **own}


def _next_attempt(webhook: Webhook, attempt: _Attempt, now: str) -> str | None:
    return schedule.next_attempt(
        webhook.attempts,
        since=webhook.since,
        now=now,
        chance=random.SystemRandom().random(),
        status=attempt.answer and attempt.answer.status,
        retry_after=attempt.answer and attempt.answer.retry_after,
    )


def _delay(now: str, due_at: str) -> int | None:
    """How long a queue message waits for an attempt; None if the sweeper should send another message."""
    seconds = math.ceil((clock.epoch_ms(due_at) - clock.epoch_ms(now)) / 1000)
    return seconds if seconds <= MAX_DELAY_SECONDS else None


@contextmanager
def _about(webhook: Webhook) -> Generator[None]:
    """Log lines and requests of the block belong to the trace of the webhook's run."""
    run_id, body = webhook.run_id, json.loads(webhook.body)
    configurable = body["kwargs"]["config"]["configurable"]
    trace = trace_context.of_run(run_id, configurable)
    span_id = trace_context.span_of(run_id, body.get("run_started_at"))
    lines = log_lines.about(thread_id=configurable.get("thread_id"), run_id=run_id, trace_id=trace.trace_id)
    with lines, trace_context.within(trace, span_id):
        yield


def _log(webhook: Webhook, attempt: _Attempt, due_at: str | None) -> None:
    fields = {"webhook_id": webhook.message_id, "webhook_attempt": webhook.attempts}
    if attempt.is_delivered:
        logger.info("webhook delivered", extra={"event": "webhook_delivered", **fields})
    elif due_at is None:
        said = "webhook given up: %s; POST /runs/webhooks/redeliver sends it once more"
        logger.error(said, attempt.json(), extra={"event": "webhook_given_up", **fields})
    else:
        fields["next_attempt_at"] = due_at
        logger.warning("webhook not delivered: %s", attempt.json(), extra={"event": "webhook_postponed", **fields})


async def forget_settled(db: Database, *, now: str) -> int:
    """Delete webhooks that were settled long ago; returns how many. Call it again while there are many."""
    statements = webhooks.delete_settled(
        delivered_before=clock.shifted(now, -DELIVERED_KEPT_SECONDS),
        dead_before=clock.shifted(now, -DEAD_KEPT_SECONDS),
        limit=MAX_FORGOTTEN,
    )
    *_, dead, delivered = await db.batch(statements)
    return len(dead) + len(delivered)
