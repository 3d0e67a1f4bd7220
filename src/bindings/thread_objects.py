"""Calls from the Worker to the Durable Object of a thread.

A stub that raised an error may stay broken, so every call makes its own stub. `fetch` is called on the raw stub,
because the SDK's wrapper would read the body of a stream that must pass through untouched.
"""

from collections.abc import AsyncGenerator, Awaitable, Mapping
from typing import Any

from js import Object, TextDecoderStream
from pyodide.ffi import JsException, to_js
from workers import env

from errors import Unavailable

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
        await _answer(thread_id, self._binding.getByName(thread_id).wake())

    async def state_updated(self, thread_id: str, state: str) -> None:
        """See `ports.ThreadObjects.state_updated`."""
        await _answer(thread_id, self._binding.getByName(thread_id).state_updated(state))

    async def open(self, thread_id: str, path: str) -> object:
        """See `ports.ThreadObjects.open`."""
        return await _answer(thread_id, self._binding.getByName(thread_id).fetch(ORIGIN + path))

    async def read(self, thread_id: str, path: str) -> AsyncGenerator[str]:
        """See `ports.ThreadObjects.read`."""
        answer: Any = await self.open(thread_id, path)
        reader = answer.body.pipeThrough(TextDecoderStream.new()).getReader()
        try:
            while not (part := await _answer(thread_id, reader.read())).done:
                yield part.value
        finally:
            reader.cancel()

    async def connect(self, thread_id: str, path: str, headers: Mapping[str, str]) -> object:
        """See `ports.ThreadObjects.connect`."""
        options = to_js({"headers": dict(headers)}, dict_converter=Object.fromEntries)
        return await _answer(thread_id, self._binding.getByName(thread_id).fetch(ORIGIN + path, options))

    async def run_slice(self, thread_id: str, run_id: str, attempt: int) -> bool:
        """Execute one slice of a long run; returns whether it needs another."""
        return bool(await _answer(thread_id, self._binding.getByName(thread_id).run_slice(run_id, attempt)))


async def _answer(thread_id: str, call: Awaitable[Any]) -> Any:
    try:
        return await call
    except JsException as error:
        raise Unavailable(f"the object of thread {thread_id} did not answer: {error.message}") from error
