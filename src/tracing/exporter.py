"""Sends spans in the background of their runs: best effort, bounded, and never delaying a run."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final

import clock
from errors import Unavailable
from ports import HttpSender
from tracing.destinations import Destination, Tracing
from tracing.spans import Span, request_body

logger = logging.getLogger(__name__)

#: How many spans go into one request; as soon as there are this many, one is sent.
BATCH_SPANS: Final = 200

#: How many spans, and characters, may wait to be sent; further spans are lost.
MAX_WAITING_SPANS: Final = 2000
MAX_WAITING_CHARACTERS: Final = 4_000_000

#: A span with longer content is sent without it; a longer error message is cut.
MAX_CONTENT_CHARACTERS: Final = 200_000
MAX_MESSAGE_CHARACTERS: Final = 10_000

#: After these statuses the request is sent once more.
_RETRYABLE: Final = frozenset({429, 502, 503, 504})
RETRY_SECONDS: Final = 1.0


class Exporter:
    """The spans of one thread's runs, on their way to all destinations."""

    def __init__(
        self,
        tracing: Tracing,
        sender: HttpSender,
        keep_alive: Callable[[Coroutine[Any, Any, None]], object],
    ) -> None:
        self._tracing = tracing
        self._sender = sender
        self._keep_alive = keep_alive
        self._waiting: list[Span] = []
        self._characters = 0
        self._since_ms = 0
        self._lost = 0
        self._is_sending = False

    @property
    def captures_content(self) -> bool:
        """Whether any destination takes the content of spans."""
        return any(destination.content for destination in self._tracing.destinations)

    def take(self, span: Span) -> None:
        """Take a span that has ended, to be sent with others; returns at once."""
        if not span.trace.is_sampled:
            return
        is_full = len(self._waiting) >= MAX_WAITING_SPANS or self._characters > MAX_WAITING_CHARACTERS
        if is_full:
            self._lost += 1
            return
        if span.characters > MAX_CONTENT_CHARACTERS:
            span.omit_content()
        if span.error:
            kind, message = span.error
            span.error = kind, message[:MAX_MESSAGE_CHARACTERS]
        if not self._waiting:
            self._since_ms = clock.now_ms()
        self._waiting.append(span)
        self._characters += span.characters
        if len(self._waiting) >= BATCH_SPANS or clock.now_ms() - self._since_ms >= self._tracing.max_wait_ms:
            self.flush()

    def flush(self) -> None:
        """Begin to send the waiting spans; returns at once."""
        if self._waiting and not self._is_sending:
            self._is_sending = True
            self._keep_alive(self._send())

    async def _send(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:BATCH_SPANS], self._waiting[BATCH_SPANS:]
                self._characters = sum(span.characters for span in self._waiting)
                for destination in self._tracing.destinations:
                    await self._deliver(destination, batch)
        finally:
            self._is_sending = False
            if self._lost:
                logger.warning(
                    "%d spans were lost: their receivers take them too slowly",
                    self._lost,
                    extra={"event": "spans_lost"},
                )
                self._lost = 0

    async def _deliver(self, destination: Destination, batch: Sequence[Span]) -> None:
        fields = {"event": "spans_lost", "destination": destination.place}
        try:
            if problem := await self._problem(destination, batch):
                logger.warning("%d spans were lost: the receiver %s", len(batch), problem, extra=fields)
        except Exception:  # nobody awaits this, and the other receivers still get theirs
            logger.warning("%d spans could not be sent", len(batch), exc_info=True, extra=fields)

    async def _problem(self, destination: Destination, batch: Sequence[Span]) -> str | None:
        content = destination.content
        body = request_body(batch, self._tracing.resource, for_langsmith=destination.is_langsmith, content=content)
        problem, passes = await self._post(destination, body)
        if problem and passes:
            await asyncio.sleep(RETRY_SECONDS)
            problem, _ = await self._post(destination, body)
        return problem

    async def _post(self, destination: Destination, body: str) -> tuple[str | None, bool]:
        """Send a request once; returns what went wrong, if anything, and whether trying again may help."""
        headers = {**destination.headers, "content-type": "application/json"}
        try:
            status = (await self._sender.post(destination.url, headers, body)).status
        except Unavailable as error:
            return f"did not answer: {error}", True
        return (None if 200 <= status < 300 else f"answered {status}"), status in _RETRYABLE
