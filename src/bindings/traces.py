"""Gives a thread's object its exporter of spans."""

import logging
import os
from functools import lru_cache
from typing import Any, Final

import workers

from bindings import process_environment
from bindings.http_sender import FetchSender
from tracing.destinations import Tracing
from tracing.exporter import Exporter

logger = logging.getLogger(__name__)

#: Keeps a coroutine alive after the response or the alarm that began it.
_wait_until: Final[Any] = workers.wait_until


def exporter() -> Exporter | None:
    """An exporter for one object; None if no destination is configured."""
    tracing = _tracing()
    return Exporter(tracing, FetchSender(), _wait_until) if tracing else None


@lru_cache(maxsize=1)
def _tracing() -> Tracing | None:
    try:
        return Tracing.from_environment(os.environ, process_environment.worker_version())
    except ValueError as error:
        # The Worker serves all the same: only the traces are missing.
        logger.error("no traces are sent: %s", error, extra={"event": "traces_misconfigured"})
        return None
