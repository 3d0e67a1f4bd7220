"""The table of all operations, one line each."""
# ruff: noqa: E501 - one line for each operation

from typing import Final

from api import (
    a2a,
    assistant_graphs,
    assistants,
    crons,
    dead_letters,
    documentation,
    mcp,
    metrics,
    protocol,
    run_endings,
    stateless_runs,
    store,
    system,
    thread_runs,
    thread_state,
    thread_stream,
    threads,
    timeline,
    ui,
    webhooks,
)
from api.routing import Route, Router
from wire.agent_cards import AgentCardObject
from wire.assistants import (
    AssistantCount,
    AssistantCreate,
    AssistantLatest,
    AssistantObject,
    AssistantPatch,
    AssistantSearch,
    AssistantVersionObject,
    AssistantVersionSearch,
    DrawnGraphObject,
    GraphSchemasObject,
    SchemasObject,
)
from wire.crons import CronCount, CronCreate, CronFireObject, CronFiresQuery, CronObject, CronPatch, CronSearch
from wire.dead_letters import DeadLetterObject, DeadLettersQuery, DeadLettersRedrive, DeadLettersRedriven
from wire.json_rpc import JsonRpcAnswer, JsonRpcMessage
from wire.protocol import CommandMessage
from wire.runs import RunBatch, RunCreate, RunObject, RunsCancel
from wire.state_updates import StateUpdate, StateUpdated
from wire.store import (
    FoundItems,
    FoundNamespaces,
    ItemDelete,
    ItemObject,
    ItemPut,
    ItemQuery,
    ItemSearch,
    NamespaceSearch,
)
from wire.thread_state import HistorySearch, StateAtCheckpoint, ThreadStateObject
from wire.threads import (
    ThreadCount,
    ThreadCreate,
    ThreadObject,
    ThreadPatch,
    ThreadPrune,
    ThreadQuery,
    ThreadSearch,
    ThreadsPruned,
    ThreadStorage,
)
from wire.timeline import TimelineObject
from wire.ui import ComponentRequest
from wire.webhooks import WebhookObject, WebhooksQuery, WebhooksRedeliver, WebhooksRedelivered

ASSISTANT: Final = "/assistants/{assistant_id}"
THREAD: Final = "/threads/{thread_id}"
RUN: Final = "/threads/{thread_id}/runs/{run_id}"


async def _openapi(call: documentation.AnyCall) -> documentation.Reply:
    """This table as an OpenAPI document."""
    return documentation.openapi(ROUTES, call.services.config, call.services.mount_prefix)


async def _docs(_call: documentation.AnyCall) -> documentation.Reply:
    """This table as a page."""
    return documentation.page(ROUTES)


# fmt: off
ROUTES: Final[tuple[Route, ...]] = (
    Route("GET", "/ok", "Whether the server is up", system.ok, query=system.OkQuery, returns=dict[str, object], is_public=True),
    Route("GET", "/", "Whether the server is up", system.ok, query=system.OkQuery, returns=dict[str, object], is_public=True),
    Route("GET", "/info", "Versions and features", system.info, returns=dict[str, object], is_public=True),
    Route("GET", "/metrics", "How much work is waiting", metrics.metrics, query=metrics.MetricsQuery, returns=metrics.MetricsObject, answers="text_or_json", is_public=True),
    Route("GET", "/docs", "This API as a page", _docs, answers="html", is_public=True),
    Route("GET", "/openapi.json", "This API as an OpenAPI document", _openapi, returns=dict[str, object], is_public=True),

    Route("POST", "/assistants", "Create an assistant", assistants.create, body=AssistantCreate, returns=AssistantObject, on="assistants.create"),
    Route("POST", "/assistants/search", "Search assistants", assistants.search, body=AssistantSearch, returns=list[AssistantObject], on="assistants.search"),
    Route("POST", "/assistants/count", "Count assistants", assistants.count, body=AssistantCount, returns=int, on="assistants.search"),
    Route("GET", ASSISTANT, "Get an assistant", assistants.get, returns=AssistantObject, on="assistants.read"),
    Route("PATCH", ASSISTANT, "Make the next version of an assistant", assistants.update, body=AssistantPatch, returns=AssistantObject, on="assistants.update"),
    Route("DELETE", ASSISTANT, "Delete an assistant", assistants.delete, query=assistants.DeleteQuery, answers="empty", on="assistants.delete"),
    Route("GET", f"{ASSISTANT}/graph", "Draw an assistant's graph", assistant_graphs.draw, query=assistant_graphs.GraphQuery, returns=DrawnGraphObject, takes_graph_names=True, on="assistants.read"),
    Route("GET", f"{ASSISTANT}/schemas", "Get an assistant's schemas", assistant_graphs.schemas, returns=GraphSchemasObject, on="assistants.read"),
    Route("GET", f"{ASSISTANT}/subgraphs", "List an assistant's subgraphs", assistant_graphs.subgraphs, query=assistant_graphs.SubgraphsQuery, returns=dict[str, SchemasObject], on="assistants.read"),
    Route("GET", f"{ASSISTANT}/subgraphs/{{namespace}}", "Get an assistant's subgraph", assistant_graphs.subgraphs, query=assistant_graphs.SubgraphsQuery, returns=dict[str, SchemasObject], on="assistants.read"),
    Route("POST", f"{ASSISTANT}/versions", "List an assistant's versions", assistants.versions, body=AssistantVersionSearch, returns=list[AssistantVersionObject], on="assistants.read"),
    Route("POST", f"{ASSISTANT}/latest", "Choose an assistant's version", assistants.set_latest, body=AssistantLatest, returns=AssistantObject, on="assistants.update"),

    Route("POST", "/threads", "Create a thread", threads.create, body=ThreadCreate, returns=ThreadObject, answers="created", on="threads.create"),
    Route("POST", "/threads/search", "Search threads", threads.search, body=ThreadSearch, returns=list[ThreadObject], on="threads.search"),
    Route("POST", "/threads/count", "Count threads", threads.count, body=ThreadCount, returns=int, on="threads.search"),
    Route("POST", "/threads/prune", "Prune threads", threads.prune, body=ThreadPrune, returns=ThreadsPruned, on="threads.delete"),
    Route("GET", THREAD, "Get a thread", threads.get, query=ThreadQuery, returns=ThreadObject, on="threads.read"),
    Route("PATCH", THREAD, "Set keys of a thread's metadata", threads.update, body=ThreadPatch, returns=ThreadObject, on="threads.update"),
    Route("DELETE", THREAD, "Delete a thread", threads.delete, answers="empty", on="threads.delete"),
    Route("POST", f"{THREAD}/copy", "Copy a thread", threads.copy, returns=ThreadObject, on="threads.read"),
    Route("GET", f"{THREAD}/storage", "Measure a thread's storage", threads.storage, returns=ThreadStorage, on="threads.read"),

    Route("GET", f"{THREAD}/state", "Get a thread's state", thread_state.get, query=thread_state.StateQuery, returns=ThreadStateObject, on="threads.read"),
    Route("POST", f"{THREAD}/state", "Update a thread's state", thread_state.update, body=StateUpdate, returns=StateUpdated, on="threads.update"),
    Route("GET", f"{THREAD}/state/{{checkpoint_id}}", "Get the state at a checkpoint", thread_state.get_at, query=thread_state.StateQuery, returns=ThreadStateObject, on="threads.read"),
    Route("POST", f"{THREAD}/state/checkpoint", "Get the state at a checkpoint", thread_state.get_at_checkpoint, body=StateAtCheckpoint, returns=ThreadStateObject, on="threads.read"),
    Route("GET", f"{THREAD}/history", "List a thread's states", thread_state.history, query=thread_state.HistoryQuery, returns=list[ThreadStateObject], on="threads.read"),
    Route("POST", f"{THREAD}/history", "List a thread's states", thread_state.search_history, body=HistorySearch, returns=list[ThreadStateObject], on="threads.read"),
    Route("GET", f"{THREAD}/stream", "Stream what happens on a thread", thread_stream.stream, query=thread_stream.ThreadStreamQuery, answers="events", on="threads.read"),

    Route("POST", f"{THREAD}/runs", "Create a background run", thread_runs.create, body=RunCreate, returns=RunObject, answers="accepted", on="threads.create_run"),
    Route("GET", f"{THREAD}/runs", "List a thread's runs", thread_runs.list_runs, query=thread_runs.ListQuery, returns=list[RunObject], on="threads.read"),
    Route("POST", f"{THREAD}/runs/stream", "Create a run and stream its events", thread_runs.create_and_stream, body=RunCreate, answers="events", on="threads.create_run"),
    Route("POST", f"{THREAD}/runs/wait", "Create a run and wait for its values", thread_runs.create_and_wait, body=RunCreate, answers="long_poll", on="threads.create_run"),
    Route("GET", RUN, "Get a run", thread_runs.get, returns=RunObject, on="threads.read"),
    Route("DELETE", RUN, "Delete a run", run_endings.delete, answers="empty", on="threads.delete"),
    Route("GET", f"{RUN}/timeline", "Tell what happened to a run", timeline.get, query=timeline.TimelineQuery, returns=TimelineObject, answers="json_or_html", on="threads.read"),
    Route("GET", f"{RUN}/join", "Wait for a run's values", thread_runs.join, query=thread_runs.JoinQuery, answers="long_poll", on="threads.read"),
    Route("GET", f"{RUN}/stream", "Stream a run's events", thread_runs.join_stream, query=thread_runs.StreamQuery, answers="events", on="threads.read"),
    Route("POST", f"{RUN}/cancel", "Cancel a run", run_endings.cancel, query=run_endings.CancelQuery, answers="stopping", on="threads.update"),

    Route("POST", "/runs", "Create a stateless background run", thread_runs.create, body=RunCreate, returns=RunObject, answers="accepted", on="threads.create_run"),
    Route("POST", "/runs/stream", "Create a stateless run and stream its events", thread_runs.create_and_stream, body=RunCreate, answers="events", on="threads.create_run"),
    Route("POST", "/runs/wait", "Create a stateless run and wait for its values", thread_runs.create_and_wait, body=RunCreate, answers="long_poll", on="threads.create_run"),
    Route("POST", "/runs/batch", "Create several stateless runs", stateless_runs.create_batch, body=RunBatch, returns=list[RunObject]),
    Route("GET", "/runs/dead-letters", "List runs that gave up", dead_letters.list_letters, query=DeadLettersQuery, returns=list[DeadLetterObject], on="threads.search"),
    Route("POST", "/runs/dead-letters/redrive", "Let runs that gave up go on", dead_letters.redrive, body=DeadLettersRedrive, returns=DeadLettersRedriven, on="threads.update"),
    Route("POST", "/runs/cancel", "Cancel several runs", run_endings.cancel_many, body=RunsCancel, query=run_endings.ActionQuery, answers="empty", on="threads.update"),

    Route("POST", "/runs/crons", "Create a cron", crons.create, body=CronCreate, returns=CronObject, on="crons.create"),
    Route("POST", f"{THREAD}/runs/crons", "Create a cron on a thread", crons.create, body=CronCreate, returns=CronObject, on="crons.create"),
    Route("POST", "/runs/crons/search", "Search crons", crons.search, body=CronSearch, returns=list[CronObject], on="crons.search"),
    Route("POST", "/runs/crons/count", "Count crons", crons.count, body=CronCount, returns=int, on="crons.search"),
    Route("GET", "/runs/crons/{cron_id}", "Get a cron", crons.get, returns=CronObject, on="crons.read"),
    Route("GET", "/runs/crons/{cron_id}/fires", "List what came of a cron's times", crons.list_fires, query=CronFiresQuery, returns=list[CronFireObject], on="crons.read"),
    Route("PATCH", "/runs/crons/{cron_id}", "Update a cron", crons.update, body=CronPatch, returns=CronObject, on="crons.update"),
    Route("DELETE", "/runs/crons/{cron_id}", "Delete a cron", crons.delete, answers="empty", on="crons.delete"),

    Route("GET", "/runs/webhooks", "List webhooks and what became of them", webhooks.list_webhooks, query=WebhooksQuery, returns=list[WebhookObject], on="threads.search"),
    Route("POST", "/runs/webhooks/redeliver", "Deliver webhooks once more", webhooks.redeliver, body=WebhooksRedeliver, returns=WebhooksRedelivered, on="threads.update"),

    Route("PUT", "/store/items", "Put an item into the store", store.put, body=ItemPut, answers="empty"),
    Route("GET", "/store/items", "Get an item from the store", store.get, query=ItemQuery, returns=ItemObject | None),
    Route("DELETE", "/store/items", "Delete an item from the store", store.delete, body=ItemDelete, answers="empty"),
    Route("POST", "/store/items/search", "Search the store", store.search, body=ItemSearch, returns=FoundItems),
    Route("POST", "/store/namespaces", "List the store's namespaces", store.list_namespaces, body=NamespaceSearch, returns=FoundNamespaces),

    Route("POST", f"{THREAD}/commands", "Send a command of the thread streaming protocol", protocol.carry_out, reads=CommandMessage, returns=dict[str, object]),
    Route("POST", f"{THREAD}/stream/events", "Subscribe to the thread streaming protocol", protocol.events, answers="events", on="threads.read"),
    Route("GET", f"{THREAD}/stream/events", "Open a WebSocket of the thread streaming protocol", protocol.open_socket, answers="events", on="threads.read"),

    Route("POST", "/mcp", "Speak MCP", mcp.post, reads=JsonRpcMessage, returns=JsonRpcAnswer, answers="json_rpc"),
    Route("GET", "/mcp", "Open an MCP stream: there is nothing to hear", mcp.open_stream, answers="never"),
    Route("DELETE", "/mcp", "End an MCP session: there are none", mcp.end_session, answers="never"),
    Route("POST", "/a2a/{assistant_id}", "Speak A2A", a2a.post, reads=JsonRpcMessage, returns=JsonRpcAnswer, answers="json_rpc_or_events", takes_graph_names=True),
    Route("GET", "/a2a/{assistant_id}", "Get an assistant's A2A card", a2a.get_card, returns=AgentCardObject, takes_graph_names=True),
    Route("GET", "/a2a/{assistant_id}/.well-known/agent-card.json", "Get an assistant's A2A card", a2a.get_card, returns=AgentCardObject, takes_graph_names=True),
    Route("GET", "/.well-known/agent-card.json", "Get an assistant's A2A card", a2a.get_card_by_query, query=a2a.CardQuery, returns=AgentCardObject),
    Route("POST", "/ui/{graph_id}", "Load a graph's UI", ui.component, body=ComponentRequest, answers="html"),
    Route("GET", "/ui/{graph_id}/{file}", "Get a file of a graph's UI", ui.file, answers="script"),
)
# fmt: on

ROUTER: Final = Router(ROUTES)
