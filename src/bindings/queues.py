"""The run queue. A message is the JSON `{"thread_id", "run_id"}`; everything else is in D1."""

import json
from collections.abc import Sequence
from typing import Any

from js import JSON
from pyodide.ffi import JsException

from errors import Unavailable

#: Queues take at most this many messages in one call.
MAX_MESSAGES_PER_CALL = 100


class RunQueueBinding:
    """`ports.RunQueue` over a queue producer binding."""

    def __init__(self, binding: Any) -> None:
        self._binding = getattr(binding, "_binding", binding)

    async def send(self, thread_id: str, run_id: str) -> None:
        """See `ports.RunQueue.send`."""
        try:
            await self._binding.send(JSON.parse(_body(thread_id, run_id)))
        except JsException as error:
            raise Unavailable(f"the queue did not take run {run_id}: {error.message}") from error

    async def send_batch(self, runs: Sequence[tuple[str, str]]) -> None:
        """See `ports.RunQueue.send_batch`."""
        for start in range(0, len(runs), MAX_MESSAGES_PER_CALL):
            messages = ",".join(f'{{"body":{_body(*run)}}}' for run in runs[start : start + MAX_MESSAGES_PER_CALL])
            await self._binding.sendBatch(JSON.parse(f"[{messages}]"))


def _body(thread_id: str, run_id: str) -> str:
    return json.dumps({"thread_id": thread_id, "run_id": run_id})
