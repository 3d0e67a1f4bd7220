"""Assembles the services of this Worker from its bindings, variables and project."""

from functools import lru_cache

from api.context import Services
from auth import configured
from auth.gatekeeper import Gatekeeper
from bindings import process_environment
from bindings.d1 import database
from bindings.dns_resolver import DnsOverHttps
from bindings.http_sender import FetchSender
from bindings.queues import run_queue, webhook_queue
from bindings.store import store
from bindings.thread_objects import thread_objects
from d1_checkpointer import D1Saver
from graphs.deployed import AUTH, CONFIG, REGISTRY, UI
from webhooks.delivery import Courier


@lru_cache(maxsize=1)
def gatekeeper() -> Gatekeeper:
    """The gatekeeper for external requests, chosen at an isolate's first one.

    Raises ValueError if none can be configured.
    """
    return configured.gatekeeper(CONFIG.auth, AUTH, process_environment.read_settings())


def services(decides: Gatekeeper) -> Services:
    """The services of the API. Raises ValueError for invalid variables."""
    return Services(
        db=database(),
        queue=run_queue(),
        webhook_queue=webhook_queue(),
        thread_objects=thread_objects(),
        registry=REGISTRY,
        settings=process_environment.read_settings(),
        config=CONFIG,
        ui=UI,
        gatekeeper=decides,
        checkpointer=lambda: D1Saver(database()),
        store=store(database()),
        version=process_environment.worker_version(),
    )


def courier() -> Courier:
    """The courier that delivers webhooks. Raises ValueError for invalid variables."""
    settings = process_environment.read_settings()
    return Courier(
        db=database(),
        sender=FetchSender(),
        resolver=DnsOverHttps(settings.dns_resolver_url),
        config=CONFIG,
        secrets=settings.webhook_secrets,
    )
