"""Runs whose outcome this Worker reads itself, to answer in another protocol (MCP, A2A)."""

import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import replace
from typing import Any, TypeAlias

from api import authorization
from api.context import Call
from api.creates import Find, once
from api.thread_runs import patiently, run_path
from errors import AccessRefused, SuperstepError
from runs import creation
from runs.thread_object import object_paths
from runs.thread_object.object_paths import Kind, RunRequest
from streaming import sse
from tables.runs import Run
from wire.json_rpc import INVALID_PARAMS, RpcRefusal
from wire.runs import RunCreate

#: What is to run, and on which thread: None for one of its own.
Wanted: TypeAlias = Callable[[], Awaitable[tuple[RunCreate, str | None]]]


async def create(call: Call[Any, Any], wanted: Wanted, find: Find[Run]) -> Run:
    """Create the run that is wanted, or `find` the one that an earlier request with its key has created.

    RpcRefusal says what is wrong with the request.
    """

    async def make(call: Call[Any, Any]) -> Run:
        request, thread_id = await wanted()
        return await _create(call, request, thread_id)

    try:
        return await once(call, make, find)
    except (AccessRefused, RpcRefusal):
        raise
    except SuperstepError as error:
        if error.status >= 500:
            raise
        raise RpcRefusal(INVALID_PARAMS, str(error)) from error


async def _create(call: Call[Any, Any], request: RunCreate, thread_id: str | None) -> Run:
    path = {} if thread_id is None else {"thread_id": thread_id}
    asked = await authorization.authorized("threads.create_run", replace(call, body=request, path=path))
    services = call.services
    by = await asked.creator()
    return await creation.create_run(services.db, services.graphs(), asked.body, thread_id=thread_id, by=by)


async def result(call: Call[Any, Any], run: Run) -> Any:
    """The answer of `/wait` for a run that was just created: its final values, `__interrupt__` or `__error__`."""
    return await patiently(lambda: _result(call, run), run.thread_id, run.run_id)


async def events(call: Call[Any, Any], run: Run) -> AsyncGenerator[tuple[str, Any] | None]:
    """The events of a run that was just created, to its end, as (name, data); None while nothing happens."""
    async for event in sse.read(_read(call, run.thread_id, run.run_id, "stream")):
        yield (event[0], json.loads(event[1])) if event else None


async def stopped(call: Call[Any, Any], thread_id: str, run_id: str) -> None:
    """Wait until a run that was asked to stop has ended."""
    async for _ in _read(call, thread_id, run_id, "cancel"):
        pass


async def _result(call: Call[Any, Any], run: Run) -> Any:
    return json.loads("".join([part async for part in _read(call, run.thread_id, run.run_id, "wait")]))


def _read(call: Call[Any, Any], thread_id: str, run_id: str, kind: Kind) -> AsyncGenerator[str]:
    path = run_path(thread_id, run_id)
    request = RunRequest(run_id=run_id, kind=kind, joins=kind == "cancel", location=path, content_location=path)
    return call.services.thread_objects.read(thread_id, object_paths.build(request))
