"""Calls from the Worker to the Durable Object of a thread.

A stub that raised an error may stay broken, so every call makes its own stub. `fetch` is called on the raw stub,
because the SDK's wrapper would read the body of a stream that must pass through untouched.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from typing import Any

from js import Object, TextDecoderStream
from pyodide.ffi import to_js
from workers import env

from bindings.answers import HINT_SECONDS, answer

#: Durable Objects need an absolute URL; only its path is used.
ORIGIN = "http://thread"


def thread_objects() -> "ThreadObjectsBinding":
    """The thread objects of this Worker."""
    return ThreadObjectsBinding(env.THREADS)


class ThreadObjectsBinding:
    """`ports.ThreadObjects` over the `THREADS` namespace."""

    def __init__(self, binding: Any) -> None:
        self._binding = getattr(binding, "_binding", binding)

    async def wake(self, thread_id: str) -> None:
        """See `ports.ThreadObjects.wake`."""
        await self._ask(thread_id, lambda stub: stub.wake(), HINT_SECONDS)

    async def state_updated(self, thread_id: str, state: str) -> None:
        """See `ports.ThreadObjects.state_updated`."""
        await self._ask(thread_id, lambda stub: stub.state_updated(state), HINT_SECONDS)

    async def open(self, thread_id: str, path: str) -> object:
        """See `ports.ThreadObjects.open`."""
        return await self._ask(thread_id, lambda stub: stub.fetch(ORIGIN + path))

    async def read(self, thread_id: str, path: str) -> AsyncGenerator[str]:
        """See `ports.ThreadObjects.read`."""
        response: Any = await self.open(thread_id, path)
        reader = response.body.pipeThrough(TextDecoderStream.new()).getReader()
        try:
            while not (part := await answer(reader.read, None, _failed(thread_id))).done:
                yield part.value
        finally:
            reader.cancel()

    async def connect(self, thread_id: str, path: str, headers: Mapping[str, str]) -> object:
        """See `ports.ThreadObjects.connect`."""
        options = to_js({"headers": dict(headers)}, dict_converter=Object.fromEntries)
        return await self._ask(thread_id, lambda stub: stub.fetch(ORIGIN + path, options))

    async def run_slice(self, thread_id: str, run_id: str, attempt: int) -> bool:
        """Execute one slice of a long run; returns whether it needs another."""
        return bool(await self._ask(thread_id, lambda stub: stub.run_slice(run_id, attempt)))

    async def _ask(self, thread_id: str, call: Callable[[Any], Awaitable[Any]], seconds: float | None = None) -> Any:
        """No limit for what may take long: it ends with its caller, a client's request or a Workflow's step."""
        return await answer(lambda: call(self._binding.getByName(thread_id)), seconds, _failed(thread_id))


def _failed(thread_id: str) -> str:
    return f"the object of thread {thread_id} did not answer"
