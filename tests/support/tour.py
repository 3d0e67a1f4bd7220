"""Records which method of the official client called which operation, to prove that a test covers all of them."""

from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import httpx
from langgraph_sdk.client import LangGraphClient

from tools import operations
from tools.differential.recording import RecordingTransport

#: In place of a method: plain HTTP, for operations that the client has none for.
HTTP = ""


@dataclass(frozen=True, slots=True)
class Visit:
    """One answer that a tour got."""

    method: str
    operation: str
    status: int


class Tour:
    """A client for one server, which notes what it does."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._transport = RecordingTransport()
        self.http = httpx.AsyncClient(base_url=url, transport=self._transport, timeout=60)
        client = LangGraphClient(self.http)
        self.assistants: Any = _Noted(self, "assistants", client.assistants)
        self.threads: Any = _Noted(self, "threads", client.threads)
        self.runs: Any = _Noted(self, "runs", client.runs)
        self.crons: Any = _Noted(self, "crons", client.crons)
        self.store: Any = _Noted(self, "store", client.store)
        #: Which method was called, and how many requests had been sent before.
        self._calls: list[tuple[int, str]] = []
        self._elsewhere: set[Visit] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.http.aclose()

    async def ask(self, method: str, path: str, body: object = None, **headers: str) -> Any:
        """Plain HTTP; the decoded answer, or its text."""
        self.calls(HTTP)
        answer = await self.http.request(method, path, json=body, headers=headers)
        is_json = answer.headers.get("content-type", "").startswith("application/json") and answer.content.strip()
        return answer.json() if is_json else answer.text

    def calls(self, method: str) -> None:
        """From now on requests are those of `method`."""
        self._calls.append((len(self._transport.exchanges), method))

    def visited(self, visit: Visit) -> None:
        """Note what did not go through HTTP."""
        self._elsewhere.add(visit)

    def visits(self) -> set[Visit]:
        """All answers so far."""
        noted = set(self._elsewhere)
        for number, exchange in enumerate(self._transport.exchanges):
            method = next(name for before, name in reversed(self._calls) if before <= number)
            noted.add(Visit(method, operations.asked_for(exchange.method, exchange.path), exchange.status))
        return noted


class _Noted:
    """A resource of the client; getting one of its methods is calling it."""

    def __init__(self, tour: Tour, name: str, resource: Any) -> None:
        self._tour = tour
        self._name = name
        self._resource = resource

    def __getattr__(self, method: str) -> Any:
        self._tour.calls(f"{self._name}.{method}")
        return getattr(self._resource, method)
