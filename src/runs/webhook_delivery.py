"""Webhooks: told at least once, in the background, how a run ended.

The batch that ends a run leaves a row in `webhooks`; a queue message is only the hint that it is there. A row that no
message speaks of any more is announced by the sweeper, and goes when its receiver has answered, or never will.
"""

import json
import logging
import os
import re
from typing import Final

import clock
from compact_json import compact_json
from errors import Unavailable, Unprocessable
from ports import Database, WebhookQueue, WebhookSender
from project_config import ProjectConfig
from runs import webhook_url
from tables import webhooks
from tables.runs import Run
from tables.webhooks import Webhook

logger = logging.getLogger(__name__)

#: A receiver that does not answer with a 2xx is asked again after 5, 10, 20 … seconds, so often in all.
MAX_ATTEMPTS: Final = 8
FIRST_RETRY_SECONDS: Final = 5

#: Longer than a receiver may take to answer: until then a delivery is under way, after it the sender has died.
LEASE_SECONDS: Final = 120

#: How many overdue webhooks are announced at once, and how often a minute.
PAGE_WEBHOOKS: Final = 500
MAX_PAGES: Final = 40

_VARIABLE: Final = re.compile(r"\$\{\{\s*env\.(\w+)\s*\}\}")


async def announce(queue: WebhookQueue, run: Run) -> None:
    """Let the webhook of a run that has ended, if it has one, be sent at once; the sweeper finds it otherwise."""
    if not json.loads(run.kwargs).get("webhook"):
        return
    try:
        await queue.send_batch([run.run_id])
    except Unavailable:
        logger.exception("the webhook of run %s is stored and was not announced", run.run_id)


async def deliver(db: Database, sender: WebhookSender, config: ProjectConfig, run_id: str) -> int | None:
    """Send the webhook of a run if it is due; in how many seconds to look again, None for never. Idempotent."""
    now = clock.now_iso()
    webhook = await webhooks.take(db, run_id, until=clock.shifted(now, LEASE_SECONDS), now=now)
    if webhook is None:
        return None
    if await _is_settled(webhook, sender, config):
        await db.batch(webhooks.delete(run_id))
        return None
    seconds = FIRST_RETRY_SECONDS * 2 ** (webhook.attempts - 1)
    await db.batch([webhooks.postpone(run_id, due_at=clock.shifted(clock.now_iso(), seconds))])
    return seconds


async def _is_settled(webhook: Webhook, sender: WebhookSender, config: ProjectConfig) -> bool:
    """Whether nothing is left to do: the receiver has it, or is never going to."""
    if config.http.disable_webhooks:
        return True
    try:
        # Once more: the rules may be stricter than when the run was created.
        webhook_url.check(webhook.url, config.webhooks.url)
        status = await sender.post(webhook.url, _headers(config), _body(webhook))
        problem = f"answered {status}"
        if 200 <= status < 300:
            return True
    except Unprocessable as error:
        logger.error("webhook of run %s: %s; it is not sent", webhook.run_id, error)
        return True
    except Unavailable as error:
        problem = str(error)
    if webhook.attempts < MAX_ATTEMPTS:
        logger.warning("webhook of run %s: attempt %d %s", webhook.run_id, webhook.attempts, problem)
        return False
    logger.error("webhook of run %s: gave up after attempt %d %s", webhook.run_id, webhook.attempts, problem)
    return True


def _headers(config: ProjectConfig) -> dict[str, str]:
    """What langgraph.json adds, with its variables; only those with the prefix, so that no other secret gets out."""
    prefix = config.webhooks.env_prefix

    def value(found: re.Match[str]) -> str:
        name = found[1]
        return os.environ.get(name, "") if name.startswith(prefix) else ""

    given = {name: _VARIABLE.sub(value, text) for name, text in config.webhooks.headers.items()}
    return {**given, "content-type": "application/json"}


def _body(webhook: Webhook) -> str:
    return f'{webhook.body.removesuffix("}")},"webhook_sent_at":{compact_json(clock.now_iso())}}}'


async def announce_overdue(db: Database, queue: WebhookQueue, *, now: str) -> int:
    """Send a queue message for each webhook that should have been sent a while ago; how many."""
    before = clock.shifted(now, -LEASE_SECONDS / 2)
    after, sent = "", 0
    for _ in range(MAX_PAGES):
        page = await webhooks.overdue(db, before, after=after, limit=PAGE_WEBHOOKS)
        if page:
            await queue.send_batch(page)
            sent += len(page)
        if len(page) < PAGE_WEBHOOKS:
            break
        after = page[-1]
    return sent
