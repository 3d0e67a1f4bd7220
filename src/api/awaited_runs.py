"""Runs whose outcome this Worker reads itself, to tell it in the words of another protocol (MCP, A2A)."""

import json
import logging
from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Any

from api import authorization
from api.context import Call
from api.thread_runs import OPEN_TRIES
from errors import Unavailable
from runs import creation, thread_object_paths
from runs.thread_object_paths import Kind, RunRequest
from streaming import sse
from tables.runs import Run
from wire.runs import RunCreate

logger = logging.getLogger(__name__)


async def create(call: Call[Any, Any], request: RunCreate, thread_id: str | None) -> Run:
    """Create a run on a thread, or without one. Raises what refuses any run, see `runs.creation.create_run`."""
    path = {} if thread_id is None else {"thread_id": thread_id}
    asked = await authorization.authorized("threads.create_run", replace(call, body=request, path=path))
    services = call.services
    by = await asked.creator()
    return await creation.create_run(services.db, services.graphs(), asked.body, thread_id=thread_id, by=by)


async def result(call: Call[Any, Any], run: Run) -> Any:
    """What `/wait` answers for a run that was just created: its final values, `__interrupt__` or `__error__`."""
    for _ in range(OPEN_TRIES - 1):
        try:
            return await _result(call, run)
        except Unavailable:
            # An error would make the caller start a second run; reading has no effect.
            logger.exception("run %s of thread %s could not be awaited; trying again", run.run_id, run.thread_id)
    return await _result(call, run)


async def events(call: Call[Any, Any], run: Run) -> AsyncGenerator[tuple[str, Any]]:
    """The events of a run that was just created, to its end, as (name, data)."""
    async for name, data in sse.read(_read(call, run, "stream")):
        yield name, json.loads(data)


async def _result(call: Call[Any, Any], run: Run) -> Any:
    return json.loads("".join([part async for part in _read(call, run, "wait")]))


def _read(call: Call[Any, Any], run: Run, kind: Kind) -> AsyncGenerator[str]:
    path = f"/threads/{run.thread_id}/runs/{run.run_id}"
    request = RunRequest(run_id=run.run_id, kind=kind, location=path, content_location=path)
    return call.services.thread_objects.read(run.thread_id, thread_object_paths.build(request))
