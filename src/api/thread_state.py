"""The state of a thread, now and at earlier checkpoints, as its graph reads it from the checkpointer."""

import json
import logging
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Any, Final, cast

from langchain_core.runnables import RunnableConfig
from langgraph.types import Interrupt, PregelTask, StateSnapshot
from pydantic import Field

from api.context import Call
from api.creates import Create
from api.threads import thread_not_found
from checkpoints import selection
from checkpoints.selection import Question
from compact_json import compact_json
from errors import BadRequest, NotFound, SuperstepError, Unavailable
from http_messages import Reply, json_response
from langgraph_terms import Graph, checkpoint_address
from runs.threads import state_update
from streaming.json_text import described, dumps
from tables import threads
from wire.bodies import MAX_LIMIT, JsonObject
from wire.queries import Query
from wire.state_updates import StateUpdate
from wire.thread_state import CheckpointRef, ConfigRef, HistorySearch, StateAtCheckpoint

logger = logging.getLogger(__name__)

_NEVER_RUN: Final = StateSnapshot(
    values={}, next=(), config={}, metadata=None, created_at=None, parent_config=None, tasks=(), interrupts=()
)


class StateQuery(Query):
    """The query of GET /threads/{thread_id}/state."""

    subgraphs: bool = False


class HistoryQuery(Query):
    """The query of GET /threads/{thread_id}/history."""

    limit: int = Field(1, ge=1, le=MAX_LIMIT)
    before: str | None = None


async def get(call: Call[None, StateQuery]) -> Reply:
    """The latest state."""
    return await _answer_state(call, CheckpointRef(), subgraphs=call.query.subgraphs)


async def get_at(call: Call[None, StateQuery]) -> Reply:
    """The state at a checkpoint; empty if the checkpoint does not exist."""
    ref = CheckpointRef(checkpoint_id=call.path["checkpoint_id"])
    return await _answer_state(call, ref, subgraphs=call.query.subgraphs)


async def get_at_checkpoint(call: Call[StateAtCheckpoint, None]) -> Reply:
    """The state at a checkpoint that may be a subgraph's."""
    return await _answer_state(call, call.body.checkpoint, subgraphs=bool(call.body.subgraphs))


async def history(call: Call[None, HistoryQuery]) -> Reply:
    """States, newest first."""
    search = HistorySearch(limit=call.query.limit, before=call.query.before)
    return await _answer_history(call, search)


async def search_history(call: Call[HistorySearch, None]) -> Reply:
    """States, newest first."""
    return await _answer_history(call, call.body)


async def _update(call: Call[StateUpdate, None]) -> Mapping[str, Any]:
    """Write to the state as a node would; returns the new checkpoint."""
    body = call.body
    address = body.checkpoint.model_dump(exclude_none=True) if body.checkpoint else {}
    if body.checkpoint_id is not None:
        address["checkpoint_id"] = body.checkpoint_id
    state = await state_update.update(
        call.services.db,
        partial(call.open_graph, access="threads.update"),
        call.path["thread_id"],
        call.access,
        address,
        [[(body.values, body.as_node)]],
        call.key,
    )
    await _tell_followers(call, state.snapshot)
    return state.checkpoint


async def _find(call: Call[StateUpdate, None], made: JsonObject) -> JsonObject | None:
    [head] = await call.services.db.batch([threads.select_head(call.path["thread_id"], call.access)])
    return made if head else None


async def _answer(_call: Call[StateUpdate, None], made: Mapping[str, Any]) -> Reply:
    return json_response(
        compact_json({"checkpoint": made, "configurable": made, "checkpoint_id": made["checkpoint_id"]})
    )


update: Final = Create(_update, _find, _answer)


async def _tell_followers(call: Call[Any, Any], snapshot: StateSnapshot) -> None:
    """Tell the thread's followers; a failure is only logged, since an error would make the caller write again."""
    thread_id = call.path["thread_id"]
    try:
        await call.services.thread_objects.state_updated(thread_id, dumps(state_object(snapshot)))
    except Unavailable:
        said = "the thread's followers were not told that its state was changed"
        logger.warning(said, exc_info=True, extra={"thread_id": thread_id})


async def _answer_state(call: Call[Any, Any], ref: CheckpointRef, *, subgraphs: bool) -> Reply:
    thread_id = call.path["thread_id"]
    config = _config(thread_id, ref)
    async with _graph(call, config, selection.one(config)) as graph:
        if graph is None:
            return json_response(dumps(state_object(_NEVER_RUN)))
        with _answering_what_it_raises():
            state = await graph.aget_state(config, subgraphs=subgraphs)
        return json_response(dumps(state_object(state)))


async def _answer_history(call: Call[Any, Any], search: HistorySearch) -> Reply:
    thread_id = call.path["thread_id"]
    ref = search.checkpoint or CheckpointRef()
    config = _config(thread_id, ref.model_copy(update={"checkpoint_ns": ref.checkpoint_ns or ""}))
    before, limit = _before(thread_id, search), search.limit or 1
    first = selection.page(config, filter=search.metadata, before=before, limit=limit)
    async with _graph(call, config, first) as graph:
        if graph is None:
            return json_response("[]")
        snapshots = graph.aget_state_history(config, filter=search.metadata, before=before, limit=limit)
        with _answering_what_it_raises():
            states = [state_object(snapshot) async for snapshot in snapshots]
        return json_response(dumps(states))


@asynccontextmanager
async def _graph(call: Call[Any, Any], config: RunnableConfig, first: Question) -> AsyncGenerator[Graph | None]:
    """The thread's graph with a checkpointer, or None if the thread has never had a graph.

    The graph's first question to the checkpointer is read together with the thread.
    """
    services, thread_id = call.services, call.path["thread_id"]
    saver = services.checkpointer()
    [rows] = await saver.read_ahead([first], also=[threads.select_head(thread_id, call.access)])
    if not rows:
        raise thread_not_found(thread_id)
    graph_id = json.loads(rows[0]["metadata"]).get("graph_id")
    if graph_id is None:
        yield None
        return
    if graph_id not in services.registry.graph_ids():
        raise NotFound(f"Thread {thread_id} belongs to graph {graph_id!r}, which is not served here.")
    async with call.open_graph(graph_id, config, "threads.read") as graph:
        yield graph.copy(update={"checkpointer": saver})


@contextmanager
def _answering_what_it_raises() -> Generator[None]:
    """Answer with the graph's error if its state cannot be shown, for example because its schema refuses it."""
    try:
        yield
    except SuperstepError:
        raise
    except Exception as error:
        raise BadRequest(f"The graph cannot show this: {type(error).__name__}: {described(error)}") from error


def _config(thread_id: str, ref: CheckpointRef) -> RunnableConfig:
    """The config of a checkpoint of this thread, whatever thread the caller's reference names."""
    return {"configurable": {**ref.model_dump(exclude_none=True), "thread_id": thread_id}}


def _before(thread_id: str, search: HistorySearch) -> RunnableConfig | None:
    match search.before:
        case None:
            return None
        case str(checkpoint_id):
            ref = CheckpointRef(checkpoint_id=checkpoint_id)
        case ConfigRef(configurable=ref) | (CheckpointRef() as ref):
            pass
    return _config(thread_id, ref) if ref.checkpoint_id else None


def state_object(snapshot: StateSnapshot) -> JsonObject:
    """A snapshot in the form that callers read."""
    checkpoint, parent = checkpoint_address(snapshot.config), checkpoint_address(snapshot.parent_config)
    return {
        "values": snapshot.values,
        "next": snapshot.next,
        "tasks": [_task_object(task) for task in snapshot.tasks],
        "metadata": snapshot.metadata,
        "created_at": snapshot.created_at,
        "checkpoint": checkpoint,
        "parent_checkpoint": parent,
        "interrupts": [_interrupt_object(interrupt) for interrupt in snapshot.interrupts],
        "checkpoint_id": checkpoint and checkpoint["checkpoint_id"],
        "parent_checkpoint_id": parent and parent["checkpoint_id"],
    }


def _task_object(task: PregelTask) -> JsonObject:
    nested = task.state if isinstance(task.state, StateSnapshot) else None
    config = None if nested else cast(RunnableConfig | None, task.state)
    return {
        "id": task.id,
        "name": task.name,
        "path": task.path,
        "error": None if task.error is None else _error_text(task.error),
        "interrupts": [_interrupt_object(interrupt) for interrupt in task.interrupts],
        "checkpoint": config and config.get("configurable"),
        "state": nested and state_object(nested),
        "result": task.result,
    }


def _error_text(error: object) -> str:
    """A failed task's error, as the checkpoint holds it: the `repr` of the exception."""
    return error if isinstance(error, str) else repr(error)


def _interrupt_object(interrupt: Interrupt) -> JsonObject:
    return {"id": interrupt.id, "value": interrupt.value}
