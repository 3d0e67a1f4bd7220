"""Creates runs: whether they may be created, and what happens to the unfinished runs before them.

This takes two round trips to D1, one to read and one to write. The write repeats, as SQL conditions, what the read
found. If the thread is deleted or becomes busy in between, nothing of the run is stored.
"""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Final

from langgraph_sdk.schema import CancelAction

import clock
import ids
from compact_json import compact_json
from errors import BadRequest, Conflict, NotFound, Unprocessable
from ports import Database, Row, Statement
from project_config.sections import WebhookUrlPolicy
from runs import admission, cancellation, run_lines, run_row
from runs.run_row import Creator, Surroundings
from tables import assistants, idempotency_keys, run_stops, runs, thread_engagement, threads
from tables.access import EVERYTHING
from tables.assistants import Assistant
from tables.run_history import Stamp
from tables.runs import Run
from webhooks import url as webhook_url
from webhooks.url import STRICT_URLS
from wire.runs import RunCreate

logger = logging.getLogger(__name__)

#: The graphs of `langgraph.json`, each with its description.
Graphs = Mapping[str, str | None]

#: Statements to write together with a run.
Alongside = Callable[[Run], Sequence[Statement]]

_THREAD_OR_ASSISTANT: Final = "Thread or assistant not found."
_BUSY: Final = "Thread is already running a task. Wait for it to finish or choose a different multitask strategy."
BOTH_CONTEXTS: Final = (
    "Cannot specify both configurable and context: "
    "give context alone, which replaces configurable since LangGraph 0.6.0."
)


async def create_run(
    db: Database,
    graphs: Graphs,
    request: RunCreate,
    *,
    thread_id: str | None,
    by: Creator,
    webhook_urls: WebhookUrlPolicy = STRICT_URLS,
    alongside: Alongside | None = None,
) -> Run:
    """Create a run on a thread or, with `thread_id` None, on a new thread of its own.

    The statements `alongside` run in the same transaction, after those that create the run; if they fail, there is no
    run. They run even if these find that the run cannot be created.
    Raises Unprocessable, NotFound, Conflict or BadRequest with the reason, and leaves nothing of the run behind.
    """
    [run] = await _create(db, graphs, [(request, by)], thread_id, webhook_urls, alongside)
    return run


async def create_stateless_runs(
    db: Database, graphs: Graphs, requests: Sequence[tuple[RunCreate, Creator]], *, webhook_urls: WebhookUrlPolicy
) -> list[Run]:
    """Create runs, each on a new thread of its own: all of them or none. Raises as `create_run` does."""
    return await _create(db, graphs, requests, None, webhook_urls)


async def _create(
    db: Database,
    graphs: Graphs,
    requests: Sequence[tuple[RunCreate, Creator]],
    thread_id: str | None,
    webhook_urls: WebhookUrlPolicy,
    alongside: Alongside | None = None,
) -> list[Run]:
    for request, _ in requests:
        _check(request, webhook_urls)
    reads = [_reads(graphs, request, thread_id, by) for request, by in requests]
    found = await _batches(db, reads)
    created: list[tuple[Run, Surroundings]] = []
    writes: list[list[Statement]] = []
    for (request, by), rows in zip(requests, found, strict=True):
        surroundings = _surroundings(graphs, request, thread_id, by, rows)
        run = run_row.new_run(request, surroundings, thread_id or ids.time_ordered())
        created.append((run, surroundings))
        writes.append(_writes(request, run, surroundings))
    also = [statement for run, _ in created for statement in alongside(run)] if alongside else []
    remembered = _remembered(requests[0][1], [run for run, _ in created])
    *results, _, _ = await _batches(db, [*writes, also, remembered])
    for *_, engaged, head in results:
        if not engaged:
            raise Conflict(_BUSY) if head else NotFound(_THREAD_OR_ASSISTANT)
    for run, _ in created:
        run_lines.accepted(logger, run)
    return [run for run, _ in created]


def _remembered(by: Creator, created: Sequence[Run]) -> list[Statement]:
    made = [(run.thread_id, run.run_id) for run in created]
    place = {"thread_id": created[0].thread_id, "run_id": created[0].run_id}
    return idempotency_keys.remember_made(by.key, made, ("runs", place))


async def _batches(db: Database, groups: Sequence[Sequence[Statement]]) -> list[list[list[Row]]]:
    """Run groups of statements in one transaction; the results of each group."""
    results = iter(await db.batch([statement for group in groups for statement in group]))
    return [list(islice(results, len(group))) for group in groups]


def _check(request: RunCreate, webhook_urls: WebhookUrlPolicy) -> None:
    if request.webhook is not None:
        webhook_url.check(request.webhook, webhook_urls)
    if request.context and request.config and request.config.configurable:
        raise BadRequest(BOTH_CONTEXTS)


def _reads(graphs: Graphs, request: RunCreate, thread_id: str | None, by: Creator) -> list[Statement]:
    assistant_id, system_graph = resolve_assistant(graphs, request.assistant_id)
    assistant = assistants.select(assistant_id, by.assistants if system_graph is None else EVERYTHING)
    if thread_id is None:
        return [assistant]
    return [assistant, threads.select_head(thread_id, by.threads), runs.unfinished_of_thread(thread_id)]


def _surroundings(
    graphs: Graphs, request: RunCreate, thread_id: str | None, by: Creator, found: Sequence[list[Row]]
) -> Surroundings:
    """What the `_reads` have found. Raises NotFound or Conflict if the run cannot be created."""
    stored = assistants.first_from_rows(found[0])
    assistant = stored or _system_assistant(graphs, resolve_assistant(graphs, request.assistant_id)[1])
    if assistant.graph_id not in graphs:
        raise NotFound(
            f"Assistant {assistant.assistant_id} runs graph '{assistant.graph_id}', which is not served here."
        )
    heads: list[Row] = []
    stop = None
    if thread_id is not None:
        _, heads, unfinished = found
        stop = _admitted(request, heads, unfinished)
    return Surroundings(
        assistant=assistant,
        assistant_is_stored=stored is not None,
        thread_metadata=json.loads(heads[0]["metadata"]) if heads else {},
        thread_config=json.loads(heads[0]["config"]) if heads else {},
        is_stateless=thread_id is None,
        stop=stop,
        creator=by,
    )


def resolve_assistant(graphs: Graphs, name_or_id: str) -> tuple[str, str | None]:
    """The assistant id that a caller means, and its graph if it is a system assistant."""
    if name_or_id in graphs:
        return ids.system_assistant(name_or_id), name_or_id
    assistant_id = ids.canonical(name_or_id)
    if assistant_id is None:
        raise Unprocessable(
            f"Invalid assistant: {name_or_id[:100]!a}. Must be either:\n- A valid assistant UUID, or\n"
            f"- One of the registered graphs: {', '.join(graphs)}"
        )
    return assistant_id, next((graph for graph in graphs if ids.system_assistant(graph) == assistant_id), None)


def _system_assistant(graphs: Graphs, graph_id: str | None) -> Assistant:
    if graph_id is None:
        raise NotFound(_THREAD_OR_ASSISTANT)
    return assistants.system(graph_id, description=graphs[graph_id], now=clock.now_iso())


def _admitted(request: RunCreate, heads: list[Row], unfinished: list[Row]) -> CancelAction | None:
    """How the thread's unfinished runs are asked to stop, if at all. Raises NotFound or Conflict."""
    if not heads and request.if_not_exists != "create":
        raise NotFound(_THREAD_OR_ASSISTANT)
    match admission.admit(request.multitask_strategy or "enqueue", is_busy=bool(unfinished)):
        case admission.Refused():
            raise Conflict(_BUSY)
        case admission.Admitted(stop=stop):
            return stop


def _writes(request: RunCreate, run: Run, surroundings: Surroundings) -> list[Statement]:
    """Statements that create the run. The last but one returns a row if they did, the last one if the thread exists."""
    before: list[Statement] = []
    if not surroundings.assistant_is_stored:
        before.append(assistants.ensure([surroundings.assistant]))
    # A temporary thread belongs to the creator of its run, whatever its metadata says.
    access = EVERYTHING if surroundings.is_stateless else surroundings.creator.threads
    metadata = request.metadata or {}
    if (surroundings.is_stateless or request.if_not_exists == "create") and access.admits(metadata):
        ttl = run_row.thread_ttl(request, surroundings)
        new = threads.new(run.thread_id, metadata=compact_json(metadata), config="{}", now=run.created_at, ttl=ttl)
        before.append(threads.insert(new))
    engage = thread_engagement.engage(
        run, graph_id=surroundings.assistant.graph_id, config=compact_json(run_row.thread_config(request, surroundings))
    )
    insert = runs.insert(run, access, only_if_idle=run.multitask_strategy == "reject")
    stop: list[Statement] = []
    if surroundings.stop:
        stamp = Stamp(run.created_at, surroundings.creator.version)
        stop.append(run_stops.ask_others(cancellation.replaced(surroundings.stop), run, stamp))
    return [*before, *insert, *stop, engage, threads.select_head(run.thread_id, access)]
