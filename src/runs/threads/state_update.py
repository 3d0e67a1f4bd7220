"""Changing a thread's state from outside of a run: new checkpoints, and the thread that shows them, in one batch.

What the change begins with is read before, so the batch fails unless that still holds: nobody works on the thread, and
its latest checkpoints are those that were read. Then everything is read and applied again.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from langchain_core.runnables import RunnableConfig
from langgraph.errors import InvalidUpdateError
from langgraph.types import StateSnapshot, StateUpdate

import clock
from checkpoints import selection
from checkpoints.group_commit import MAX_BATCH_CHARS, GroupCommit
from errors import BadRequest, Conflict, DatabaseError, NotFound, SuperstepError
from langgraph_terms import Graph, checkpoint_address
from ports import Database, Row, Statement
from runs import outcome
from runs.threads.state_draft import DraftSaver
from streaming.json_text import described, dumps
from tables import checkpoints, runs, thread_guard, threads
from tables.access import Access
from tables.idempotency_keys import IdempotencyKey, remember_made
from tables.threads import Thread

#: Opens a graph by its id, for a config.
OpenGraph: TypeAlias = Callable[[str, RunnableConfig], AbstractAsyncContextManager[Graph]]

#: What nodes wrote, super-step by super-step: values (or a Command), and the node; None for the one that wrote last.
Supersteps: TypeAlias = Sequence[Sequence[tuple[Any, str | None]]]

#: How often a change is applied anew when others change the thread at the same moment.
_TRIES: Final = 5

_NO_GRAPH: Final = (
    "Thread {!r} has no assigned graph ID: no run was made on it. "
    "Run a graph on it, or set 'graph_id' in its metadata, before its state can be updated."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewState:
    """A state that was written, or is about to be."""

    #: The checkpoint that the change has made, as callers see it.
    checkpoint: Mapping[str, Any]
    #: The thread's state with it.
    snapshot: StateSnapshot


async def update(
    db: Database,
    open_graph: OpenGraph,
    thread_id: str,
    access: Access,
    address: Mapping[str, Any],
    steps: Supersteps,
    key: IdempotencyKey | None = None,
) -> NewState:
    """Apply updates to a thread that rests, from its latest checkpoint on or from the one at `address`.

    `key` remembers the checkpoint. Raises NotFound, Conflict or BadRequest with the reason; then nothing was written.
    """
    namespaces = list(dict.fromkeys(["", address.get("checkpoint_ns", "")]))
    for _ in range(_TRIES):
        saver = DraftSaver(db)
        config: RunnableConfig = {"configurable": {**address, "thread_id": thread_id}}
        latest_of = [_config(thread_id, namespace) for namespace in namespaces]
        heads, unfinished, latest = await saver.read_ahead(
            [selection.one(each) for each in (config, *latest_of)],
            also=[
                threads.select_head(thread_id, access),
                runs.unfinished_of_thread(thread_id),
                thread_guard.select_latest(thread_id, namespaces),
            ],
        )
        _check(thread_id, heads, unfinished)
        state = await _drafted(saver, open_graph, heads[0]["metadata"], config, steps)
        guard = thread_guard.rests(thread_id, thread_guard.latest_of(latest))
        drafted = [*saver.statements, *_remembered(key, thread_id, state.checkpoint)]
        if await _commit(db, [guard], drafted, _shown(thread_id, state.snapshot)):
            return state
    raise Conflict(f"Thread {thread_id} is being changed by others; try again.")


def _remembered(key: IdempotencyKey | None, thread_id: str, made: Mapping[str, Any]) -> list[Statement]:
    ids = {name: made[name] for name in ("checkpoint_ns", "checkpoint_id")}
    return remember_made(key, made, ("checkpoints", {"thread_id": thread_id, **ids}))


async def create(
    db: Database, open_graph: OpenGraph, thread: Thread, steps: Supersteps, alongside: Sequence[Statement] = ()
) -> bool:
    """Insert a thread with the state that the updates give it; False if its id is taken.

    The statements `alongside` go before it in the same transaction.
    Raises NotFound or BadRequest with the reason; then nothing was written.
    """
    saver = DraftSaver(db)
    state = await _drafted(saver, open_graph, thread.metadata, _config(thread.thread_id, ""), steps)
    new = [thread_guard.is_new(thread.thread_id), *alongside, threads.insert(thread)]
    return await _commit(db, new, saver.statements, _shown(thread.thread_id, state.snapshot))


def _config(thread_id: str, namespace: str) -> RunnableConfig:
    return {"configurable": {"thread_id": thread_id, "checkpoint_ns": namespace}}


def _check(thread_id: str, heads: Sequence[Row], unfinished: Sequence[Row]) -> None:
    if not heads:
        raise NotFound(f"Thread with ID {thread_id} not found")
    if unfinished:
        run_ids = [row["run_id"] for row in unfinished]
        raise Conflict(f"Thread {thread_id} has in-flight runs: {run_ids}; wait for them, or cancel them.")


async def _drafted(
    saver: DraftSaver, open_graph: OpenGraph, metadata: str, config: RunnableConfig, steps: Supersteps
) -> NewState:
    configurable = config.get("configurable", {})
    thread_id, graph_id = configurable["thread_id"], json.loads(metadata).get("graph_id")
    if graph_id is None:
        raise BadRequest(_NO_GRAPH.format(thread_id))
    if not isinstance(graph_id, str):
        raise NotFound(f"Thread {thread_id} belongs to graph {graph_id!r}, which is not served here.")
    config = {"configurable": {**configurable, "graph_id": graph_id}}
    async with open_graph(graph_id, config) as opened:
        graph = opened.copy(update={"checkpointer": saver})
        try:
            updates = [[StateUpdate(values, as_node) for values, as_node in step] for step in steps]
            made = await graph.abulk_update_state(config, updates)
            snapshot = await graph.aget_state(_config(thread_id, ""))
        except SuperstepError:
            raise
        except (InvalidUpdateError, ValueError) as error:
            raise BadRequest(str(error)) from error
        except Exception as error:
            raise BadRequest(f"The graph refuses this: {type(error).__name__}: {described(error)}") from error
    return NewState(checkpoint=checkpoint_address(made) or {}, snapshot=snapshot)


def _shown(thread_id: str, snapshot: StateSnapshot) -> list[Statement]:
    return threads.refresh(
        thread_id,
        status="interrupted" if snapshot.next else "idle",
        values=dumps(snapshot.values),
        interrupts=outcome.interrupts_of(snapshot),
        now=clock.now_iso(),
    )


async def _commit(
    db: Database, guards: Sequence[Statement], drafted: Sequence[Statement], shown: Sequence[Statement]
) -> bool:
    """False, and nothing was written, if a guard refused."""
    batch = [*guards, *drafted, *shown]
    if sum(len(param) for statement in batch for param in statement.params if isinstance(param, str)) > MAX_BATCH_CHARS:
        # Values that no checkpoint names yet are seen by nobody.
        await GroupCommit(db).commit([each for each in drafted if each.sql == checkpoints.INSERT_BLOB])
        batch = [each for each in batch if each.sql != checkpoints.INSERT_BLOB]
    try:
        await db.batch(batch)
    except DatabaseError as error:
        if thread_guard.REFUSED in str(error):
            return False
        raise
    return True
