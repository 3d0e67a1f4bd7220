"""What a script works with: one server, over plain HTTP and through the official SDK, and waiting for conditions."""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from types import TracebackType
from typing import Any, Final, Self
from uuid import uuid4

import httpx
from langgraph_sdk.client import LangGraphClient

from tools.differential.recording import UNRECORDED, Exchange, RecordingTransport, frames

POLL_SECONDS: Final = 0.05
PATIENCE_SECONDS: Final = 30

Frames = list[dict[str, Any]]


class Session:
    """One server while one script runs."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._transport = RecordingTransport()
        self._http = httpx.AsyncClient(
            base_url=url,
            transport=self._transport,
            timeout=PATIENCE_SECONDS,
            headers={"accept-encoding": "identity"},  # what is noted is what is meant
        )
        #: The official client.
        self.sdk = LangGraphClient(self._http)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    @property
    def exchanges(self) -> list[Exchange]:
        """All exchanges so far."""
        return self._transport.exchanges

    def becomes(self, name: str | None) -> None:
        """Call as this user from now on; None calls without credentials. For scripts of the guarded project."""
        self._http.headers.pop("authorization", None)
        if name:
            self._http.headers["authorization"] = f"Bearer {name}"

    @staticmethod
    def new_id() -> str:
        """An id that no server has seen."""
        return str(uuid4())

    async def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        headers: dict[str, str] | None = None,
        content: bytes | None = None,
    ) -> httpx.Response:
        """Send any request, whatever its answer is; `content` is sent as it is, `body` as JSON."""
        return await self._http.request(method, path, json=body, headers=headers, content=content)

    async def get(self, path: str) -> Any:
        """The decoded answer."""
        return _decoded(await self.ask("GET", path))

    async def post(self, path: str, body: object) -> Any:
        """The decoded answer; of a stream that ends, its frames."""
        return _decoded(await self.ask("POST", path, body))

    async def put(self, path: str, body: object) -> Any:
        """The decoded answer."""
        return _decoded(await self.ask("PUT", path, body))

    async def patch(self, path: str, body: object) -> Any:
        """The decoded answer."""
        return _decoded(await self.ask("PATCH", path, body))

    async def delete(self, path: str, body: object = None) -> Any:
        """The decoded answer."""
        return _decoded(await self.ask("DELETE", path, body))

    async def new_thread(self, **body: object) -> str:
        """The id of a new thread."""
        return (await self.post("/threads", body))["thread_id"]

    @contextlib.asynccontextmanager
    async def listening(
        self, path: str, *, method: str = "GET", body: object = None, headers: dict[str, str] | None = None
    ) -> AsyncGenerator["Listener"]:
        """A stream that the server may never end; it is left at the end of the block."""
        async with self._http.stream(method, path, json=body, headers=headers) as response:
            yield Listener(response)

    async def refused(self, call: Awaitable[Any]) -> str:
        """The name of the error that a call of the SDK raises."""
        try:
            return f"no error: {await call!r}"
        except httpx.HTTPError as error:
            return type(error).__name__

    async def settled(self, thread_id: str, run_id: str) -> Any:
        """A run once it has ended; the polling in between is not recorded."""
        return await self._until(f"/threads/{thread_id}/runs/{run_id}", lambda run: run["status"] not in UNFINISHED)

    async def running(self, thread_id: str, run_id: str) -> Any:
        """A run once it runs."""
        return await self._until(f"/threads/{thread_id}/runs/{run_id}", lambda run: run["status"] == "running")

    async def idle(self, thread_id: str) -> Any:
        """A thread once nothing runs on it."""
        return await self._until(f"/threads/{thread_id}", lambda thread: thread["status"] != "busy")

    async def asleep(self, thread_id: str) -> None:
        """Return once the graph `slow` has completed its first node; not recorded."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        state: Any = {}
        while state.get("next") != ["sleep"] and time.monotonic() < deadline:
            state = (await self._http.get(f"/threads/{thread_id}/state", extensions={UNRECORDED: True})).json()

    async def gone(self, thread_id: str) -> Any:
        """The answer for a thread once it no longer exists."""
        return await self._until(f"/threads/{thread_id}", lambda _: False)

    async def _until(self, path: str, holds: Callable[[Any], bool]) -> Any:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            answer = await self._http.get(path, extensions={UNRECORDED: True})
            if not answer.is_success or holds(answer.json()) or time.monotonic() > deadline:
                return await self.get(path)
            await asyncio.sleep(POLL_SECONDS)


UNFINISHED: Final = ("pending", "running")


class Listener:
    """The frames of an open stream."""

    def __init__(self, response: httpx.Response) -> None:
        self._chunks = response.aiter_text()
        self._text = ""

    async def until(self, holds: Callable[[Frames], bool], seconds: float = PATIENCE_SECONDS) -> Frames:
        """All frames so far, once `holds` is true, the stream has ended, or the time is up."""
        with contextlib.suppress(TimeoutError, StopAsyncIteration):
            async with asyncio.timeout(seconds):
                while not holds(frames(self._text)):
                    self._text += await anext(self._chunks)
        return frames(self._text)

    async def to_the_end(self) -> Frames:
        """All frames, once the server has closed the stream."""
        return await self.until(lambda _: False)

    async def until_event(self, event: str) -> Frames:
        """All frames so far, once there is one of this name."""
        return await self.until(lambda seen: any(frame.get("event") == event for frame in seen))


def _decoded(response: httpx.Response) -> Any:
    kind = response.headers.get("content-type", "")
    if kind.startswith("text/event-stream"):
        return frames(response.text)
    return response.json() if kind.startswith("application/json") and response.content.strip() else response.text
