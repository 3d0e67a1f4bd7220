"""The Worker's entry: requests go to `api`, queue messages to `queue_consumer`, the minute's tick to `each_minute`.

It builds the adapters for each invocation and holds no state. Cloudflare finds the other two classes here as well.
"""

from functools import partial
from typing import Any

# isort: off
# These go first: when LangGraph and the graphs are imported, they read os.environ and may make an SDK client.
from bindings import blocking_calls, logs, native_libraries, process_environment, timers  # noqa: F401  # pyright: ignore[reportUnusedImport]
import in_process_client  # noqa: F401  # pyright: ignore[reportUnusedImport]
# isort: on

from workers import Request, WorkerEntrypoint

import deployment
import each_minute
import garbage
from api import app
from bindings.d1 import database
from bindings.http import read_request, to_js_response
from bindings.queues import ReceivedMessage
from bindings.thread_objects import thread_objects
from durable_thread import ThreadObject
from queue_consumer import DEAD_LETTER_QUEUE, deliver_batch, keep_batch
from runs import dead_letters
from workflow_steps import RunWorkflow

__all__ = ["Default", "RunWorkflow", "ThreadObject"]

logs.install()
blocking_calls.install()
timers.install()


class Default(WorkerEntrypoint):
    """The Worker."""

    async def fetch(self, request: Request) -> Any:
        """Answer an HTTP request."""
        garbage.collect_if_due()
        try:
            services = deployment.services(deployment.gatekeeper())
        except ValueError as error:
            return to_js_response(app.misconfigured(error))
        asked = await read_request(request.js_object, services.settings.max_body_bytes)
        return to_js_response(await app.handle(asked, services))

    async def queue(self, batch: Any, _env: Any = None, _ctx: Any = None) -> None:
        """Deliver a batch of queue messages."""
        messages = [ReceivedMessage(message) for message in batch.messages]
        keep = partial(dead_letters.keep_message, database())
        if batch.queue == DEAD_LETTER_QUEUE:
            await keep_batch(messages, keep)
        else:
            await deliver_batch(messages, thread_objects(), deployment.courier().deliver, keep)

    async def scheduled(self, controller: Any, _env: Any = None, _ctx: Any = None) -> None:
        """Do what is due each minute."""
        services = deployment.services(deployment.gatekeeper())
        await each_minute.tick(services, scheduled_ms=int(controller.scheduledTime))


garbage.keep_what_is_there()
