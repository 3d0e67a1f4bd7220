"""Ends runs on request: cancels them one by one or many at once, or deletes them."""

import logging
from typing import Final

from langgraph_sdk.schema import CancelAction

from api.context import Call, Services
from api.thread_runs import open_run, run_path
from errors import NotFound, Unavailable
from http_messages import HttpResponse, Reply
from runs import cancellation
from runs.thread_object.object_paths import RunRequest
from runs.threads import run_deletion
from runs.threads.graph_reader import GraphReader
from wire.queries import Query
from wire.runs import RunsCancel

logger = logging.getLogger(__name__)

_UNKNOWN: Final = "No runs found to cancel."
_ENDED: Final = (
    "No matching runs to cancel. Please verify the thread ID and run IDs are correct, "
    "and the runs haven't been deleted or completed."
)
_GONE: Final = "Run not found"


class ActionQuery(Query):
    """The query of POST /runs/cancel."""

    action: CancelAction = "interrupt"


class CancelQuery(ActionQuery):
    """The query of POST …/cancel."""

    wait: bool = False


async def cancel(call: Call[None, CancelQuery]) -> Reply:
    """Cancel a run, and keep its effect (interrupt) or undo it (rollback)."""
    thread_id, run_id = call.path["thread_id"], call.path["run_id"]
    await ask_to_stop(call, thread_id, [run_id], call.query.action)
    if not call.query.wait:
        return HttpResponse(202)
    path = run_path(thread_id, run_id)
    request = RunRequest(run_id=run_id, kind="cancel", joins=True, location=f"{path}/join", content_location=path)
    return await open_run(call, thread_id, request)


async def cancel_many(call: Call[RunsCancel, ActionQuery]) -> Reply:
    """Cancel some runs of a thread, or all runs with a status."""
    body, action = call.body, call.query.action
    if body.thread_id is not None and body.run_ids is not None:
        await ask_to_stop(call, body.thread_id, body.run_ids, action)
    elif body.status is not None:
        stop = cancellation.cancelled_by_caller(action)
        found, threads = await cancellation.ask_many(
            call.services.db, body.status, stop, call.access, call.services.stamp()
        )
        if not found:
            raise NotFound(_UNKNOWN)
        try:
            await call.services.queue.send_batch(threads)
        except Unavailable:
            # As for one thread: the wishes are stored, and the sweeper announces runs that nobody looks at.
            said = "the objects of %d threads were not told that runs are to stop; the sweeper tells them"
            logger.warning(said, len(threads), exc_info=True)
    return HttpResponse(204)


async def delete(call: Call[None, None]) -> Reply:
    """Delete a run with its checkpoints; an unfinished run is rolled back."""
    services, thread_id, run_id = call.services, call.path["thread_id"], call.path["run_id"]
    stop = cancellation.wish("rollback", "run deleted via DELETE /threads/{thread_id}/runs/{run_id}")
    match await cancellation.ask(services.db, thread_id, [run_id], stop, call.access, services.stamp()):
        case "unknown":
            raise NotFound(_GONE)
        case "asked":
            await _tell(services, thread_id)
            path = run_path(thread_id, run_id)
            request = RunRequest(run_id=run_id, kind="delete", joins=True, location=path, content_location=path)
            return await open_run(call, thread_id, request)
        case "ended":
            graphs = GraphReader(services.registry, services.store)
            await run_deletion.delete_ended(services.db, graphs, thread_id, run_id)
            return HttpResponse(204)


async def ask_to_stop(call: Call[object, object], thread_id: str, run_ids: list[str], action: CancelAction) -> None:
    """Ask runs of one thread to stop, and its object to look at them. Raises NotFound if none of them can stop."""
    stop = cancellation.cancelled_by_caller(action)
    match await cancellation.ask(call.services.db, thread_id, run_ids, stop, call.access, call.services.stamp()):
        case "unknown":
            raise NotFound(_UNKNOWN)
        case "ended":
            raise NotFound(_ENDED)
        case "asked":
            await _tell(call.services, thread_id)


async def _tell(services: Services, thread_id: str) -> None:
    try:
        await services.thread_objects.wake(thread_id)
    except Unavailable:
        # The wish is stored, and whoever reads the rows next carries it out, at the latest after the sweeper's message.
        said = "the thread's object was not told that runs are to stop; the sweeper tells it"
        logger.warning(said, exc_info=True, extra={"thread_id": thread_id})
