"""Receivers of spans, and exporters that send to them."""

import asyncio
from collections.abc import Coroutine, Mapping
from typing import Any

from ports import HttpAnswer
from tests.support.otlp import ReceivedSpan, spans_of
from tracing.destinations import Destination, Tracing
from tracing.exporter import Exporter

COLLECTOR = Destination(url="http://c/v1/traces", headers={"k": "v"}, content=frozenset({"inputs"}))
LANGSMITH = Destination(url="http://l/otel/v1/traces", headers={}, is_langsmith=True, content=frozenset({"outputs"}))


class Receiver:
    """Answers with `answers` one after the other, 200 after that."""

    def __init__(self, *answers: int | Exception) -> None:
        self.answers = list(answers)
        self.requests: list[tuple[str, Mapping[str, str], list[ReceivedSpan]]] = []

    async def post(self, url: str, headers: Mapping[str, str], body: str) -> HttpAnswer:
        """See `ports.HttpSender`."""
        await asyncio.sleep(0)
        self.requests.append((url, headers, spans_of(body)))
        answer = self.answers.pop(0) if self.answers else 200
        if isinstance(answer, Exception):
            raise answer
        return HttpAnswer(answer)


class Way:
    """An exporter and what it began."""

    def __init__(self, receiver: Receiver, *destinations: Destination) -> None:
        self._begun: list[asyncio.Future[None]] = []
        tracing = Tracing(destinations=destinations or (COLLECTOR,), resource={"service.name": "s"})
        self.exporter = Exporter(tracing, receiver, self._keep_alive)

    def _keep_alive(self, coroutine: Coroutine[Any, Any, None]) -> None:
        self._begun.append(asyncio.ensure_future(coroutine))

    async def done(self) -> None:
        """Return when everything was sent."""
        await asyncio.gather(*self._begun)
