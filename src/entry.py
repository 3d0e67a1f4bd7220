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

import schedule
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
from runs import webhook_delivery
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
            services = self._services()
        except ValueError as error:
            return to_js_response(app.misconfigured(error))
        asked = await read_request(request.js_object, services.settings.max_body_bytes)
        return to_js_response(await app.handle(asked, services))

    def _services(self) -> Services:
        """Raises ValueError for variables that are wrong."""
        return Services(
            db=database(),
            queue=RunQueueBinding(self.env.RUN_QUEUE),
            thread_objects=ThreadObjectsBinding(self.env.THREADS),
            registry=REGISTRY,
            settings=process_environment.read_settings(),
            config=CONFIG,
            ui=UI,
            gatekeeper=_gatekeeper(),
            checkpointer=lambda: D1Saver(database()),
            store=store(),
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

    async def scheduled(self, controller: Any, _env: Any = None, _ctx: Any = None) -> None:
        """Do what is due at this minute."""
        webhooks = WebhookQueueBinding(self.env.WEBHOOK_QUEUE)
        await schedule.tick(self._services(), webhooks, scheduled_ms=int(controller.scheduledTime))
