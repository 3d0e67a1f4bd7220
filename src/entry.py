"""The Worker's entry: requests to `api`, queue messages to `queue_consumer`, the minute's cron to the sweepers.

Builds the adapters from `env` for each invocation and holds no state. Cloudflare finds the other two classes here too.
"""

import logging
from functools import lru_cache, partial
from typing import Any

# isort: off
from bindings import (
    blocking_calls,
    logs,
    process_environment,
)  # first: LangGraph and graphs read os.environ when they are imported
# isort: on

from workers import Request, WorkerEntrypoint

import clock
from api import app
from api.context import Services
from auth import configured
from auth.gatekeeper import Gatekeeper
from bindings.d1 import database
from bindings.http import read_request, to_js_response
from bindings.queues import RunQueueBinding, WebhookQueueBinding
from bindings.store import store
from bindings.thread_objects import ThreadObjectsBinding
from bindings.webhook_sender import FetchWebhookSender
from d1_checkpointer import D1Saver
from durable_thread import ThreadObject
from graphs.deployed import AUTH, CONFIG, REGISTRY, UI
from queue_consumer import deliver
from runs import sweep, webhook_delivery
from workflow_steps import RunWorkflow

__all__ = ["Default", "RunWorkflow", "ThreadObject"]

logs.install()
blocking_calls.install()
logger = logging.getLogger(__name__)


@lru_cache(maxsize=1)
def _gatekeeper() -> Gatekeeper:
    """Who decides about requests, chosen at an isolate's first one."""
    return configured.gatekeeper(CONFIG.auth, AUTH, process_environment.read_settings())


class Default(WorkerEntrypoint):
    """The Worker."""

    async def fetch(self, request: Request) -> Any:
        """Answer an HTTP request."""
        try:
            settings, gatekeeper = process_environment.read_settings(), _gatekeeper()
        except ValueError as error:
            return to_js_response(app.misconfigured(error))
        services = Services(
            db=database(),
            queue=RunQueueBinding(self.env.RUN_QUEUE),
            thread_objects=ThreadObjectsBinding(self.env.THREADS),
            registry=REGISTRY,
            settings=settings,
            config=CONFIG,
            ui=UI,
            gatekeeper=gatekeeper,
            checkpointer=lambda: D1Saver(database()),
            store=store(),
        )
        return to_js_response(
            await app.handle(await read_request(request.js_object, settings.max_body_bytes), services)
        )

    async def queue(self, batch: Any, _env: Any = None, _ctx: Any = None) -> None:
        """Deliver a batch of queue messages."""
        process_environment.read_settings()  # secrets that webhooks carry
        threads = ThreadObjectsBinding(self.env.THREADS)
        send_webhook = partial(webhook_delivery.deliver, database(), FetchWebhookSender(), CONFIG)
        for message in batch.messages:
            verdict = await deliver(message.body, int(message.attempts), threads, send_webhook)
            if verdict.action == "ack":
                message.ack()
            else:
                message.retry({"delaySeconds": verdict.delay_seconds})

    async def scheduled(self, _controller: Any, _env: Any = None, _ctx: Any = None) -> None:
        """Each minute: announce runs that nobody works on, and webhooks that nobody sends."""
        announced = await sweep.announce_stale(database(), RunQueueBinding(self.env.RUN_QUEUE), now=clock.now_iso())
        if announced:
            logger.warning("announced %d threads with unfinished runs again", announced)
        webhooks = WebhookQueueBinding(self.env.WEBHOOK_QUEUE)
        await webhook_delivery.announce_overdue(database(), webhooks, now=clock.now_iso())
