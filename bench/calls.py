"""The HTTP calls of a benchmark: as little client as possible around each request."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx


class Calls:
    """One benchmark client; every call raises when the answer is not the wanted one."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def create_thread(self) -> str:
        """A fresh thread's id."""
        return (await self._post("/threads", {}))["thread_id"]

    async def create_run(self, thread_id: str, graph: str, graph_input: Any) -> str:
        """A background run's id."""
        return (await self._post(f"/threads/{thread_id}/runs", {"assistant_id": graph, "input": graph_input}))["run_id"]

    async def run_status(self, thread_id: str, run_id: str) -> str:
        """The status in the run's row."""
        return (await self.get(f"/threads/{thread_id}/runs/{run_id}"))["status"]

    async def join(self, thread_id: str, run_id: str) -> Any:
        """The run's values when it has ended."""
        return checked(await self.get(f"/threads/{thread_id}/runs/{run_id}/join"))

    async def wait(self, thread_id: str, graph: str, graph_input: Any, **body: Any) -> Any:
        """Run and return the final values."""
        request = {"assistant_id": graph, "input": graph_input, **body}
        return checked(await self._post(f"/threads/{thread_id}/runs/wait", request))

    async def stream(self, thread_id: str, graph: str, graph_input: Any, mode: str) -> AsyncIterator[str]:
        """Run and yield the name of each event as it arrives."""
        request = {"assistant_id": graph, "input": graph_input, "stream_mode": mode}
        async with self._http.stream("POST", f"/threads/{thread_id}/runs/stream", json=request) as response:
            response.raise_for_status()
            async for line in response.aiter_lines():
                if line.startswith("event: "):
                    if line == "event: error":
                        raise RuntimeError(f"a run of {graph} failed")
                    yield line[len("event: ") :]

    async def search(self, body: dict[str, Any]) -> Any:
        """A page of threads."""
        return await self._post("/threads/search", body)

    async def get(self, path: str) -> Any:
        """The decoded answer of a GET."""
        response = await self._http.get(path)
        response.raise_for_status()
        return json.loads(response.content)

    async def _post(self, path: str, body: Any) -> Any:
        response = await self._http.post(path, json=body)
        response.raise_for_status()
        return json.loads(response.content)


def checked(values: Any) -> Any:
    """The values of a run that did not fail."""
    if isinstance(values, dict) and "__error__" in values:
        raise RuntimeError(f"a run failed: {values['__error__']}")
    return values
