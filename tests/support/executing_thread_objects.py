"""Thread objects that execute: the runs of an `Api` with everything real but the platform."""

import asyncio
from collections.abc import AsyncGenerator

from runs.thread_object import object_paths
from runs.thread_object.object_paths import RunRequest
from streaming.fanout import From
from tests.support.http_api import Api, ThreadObjectNotes
from tests.support.thread_object_in_memory import ThreadObjectInMemory


class ExecutingThreadObjects(ThreadObjectNotes):
    """`ports.ThreadObjects` whose answers come from runs."""

    def __init__(self, api: Api) -> None:
        super().__init__()
        self._api = api
        self._objects: dict[str, ThreadObjectInMemory] = {}

    def object(self, thread_id: str) -> ThreadObjectInMemory:
        """The object of a thread."""
        return self._objects.setdefault(thread_id, ThreadObjectInMemory(self._api, thread_id))

    async def read(self, thread_id: str, path: str) -> AsyncGenerator[str]:
        """See `ports.ThreadObjects`."""
        if self.failures:
            raise self.failures.pop(0)
        thread, wanted = self.object(thread_id), object_paths.parse(path)
        assert isinstance(wanted, RunRequest)
        work = asyncio.ensure_future(thread.runner.work())
        if wanted.kind != "stream":
            yield await thread.streams.result(wanted.run_id)
        else:
            subscription = thread.streams.subscribe(wanted.run_id, From.START, wanted.stream_modes)
            while (chunk := await subscription.next_chunk()) is not None:
                yield chunk
            subscription.close()
        await work


def executing_api() -> Api:
    """A server whose runs are executed when somebody waits for them."""
    return Api(thread_objects=ExecutingThreadObjects)
