"""A successful request for each operation, and a server on which everything that those requests name exists."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from api.routes import ROUTES
from api.routing import Route
from http_messages import HttpResponse, Passthrough
from tests.support.http_api import Api

RUN = {"assistant_id": "sequence", "input": {"topic": "t"}}
CRON = {"assistant_id": "sequence", "schedule": "0 0 1 1 *"}
ITEM = {"namespace": ["n"], "key": "k"}
PING = {"jsonrpc": "2.0", "id": 1, "method": "ping"}

#: Operations that a server without an interface for its graphs refuses, as the protocols say; and with what.
REFUSED = {
    "PATCH /threads/{thread_id}/state": 405,
    "GET /threads/{thread_id}/stream/events": 405,  # without an Upgrade
    "GET /mcp": 405,
    "DELETE /mcp": 404,
    "POST /ui/{graph_id}": 404,
    "GET /ui/{graph_id}/{file}": 404,
}

#: What each request has.
HEADERS = {"accept": "application/json"}

#: What follows the path of an operation.
QUERIES = {
    "GET /store/items": "?namespace=n&key=k",
    "GET /.well-known/agent-card.json": "?assistant_id={assistant_id}",
    "POST /threads/{thread_id}/runs/{run_id}/cancel": "?wait=0",
}

#: Operations on a thread that is busy, or that has what they are about; others get one that ran and is idle.
ON_A_BUSY_THREAD = ("/runs/{run_id}",)


def served() -> list[Route]:
    """The operations that have a handler, and succeed."""
    return [route for route in ROUTES if route.answers != "never"]


def name(route: Route) -> str:
    """Method and path template."""
    return f"{route.method} {route.path}"


@dataclass(frozen=True, slots=True)
class World:
    """A server and the ids of what is on it."""

    api: Api
    #: A thread that ran and has states.
    idle: str
    #: A thread with a run that is pending.
    busy: str
    ids: Mapping[str, str]

    async def ask(self, route: Route) -> HttpResponse | Passthrough:
        """The answer to the operation's request."""
        return await self.api.ask(route.method, self.url(route), self.body(route), headers=HEADERS)

    def url(self, route: Route) -> str:
        """Its path and query."""
        is_busy = any(part in route.path for part in ON_A_BUSY_THREAD)
        ids = {**self.ids, "thread_id": self.busy if is_busy else self.idle}
        return (route.path + QUERIES.get(name(route), "")).format(**ids)

    def body(self, route: Route) -> Any:
        """Its body; None for none."""
        return self._bodies().get(name(route))

    def _bodies(self) -> dict[str, Any]:
        """By operation; one that is not here sends `{}` if it takes a body at all."""
        bodies: dict[str, Any] = {name(route): {} for route in ROUTES if route.body}
        parts = [{"kind": "data", "data": {"topic": "hi"}}]
        message = {"role": "user", "messageId": "1", "kind": "message", "parts": parts}
        return {
            **bodies,
            **dict.fromkeys((name(route) for route in ROUTES if route.on == "threads.create_run"), RUN),
            "POST /assistants": {"graph_id": "sequence"},
            "POST /assistants/{assistant_id}/latest": {"version": 1},
            "POST /threads/prune": {"thread_ids": [self.idle]},
            "POST /threads/{thread_id}/state": {"values": {"topic": "u"}, "as_node": "plan"},
            "POST /threads/{thread_id}/state/checkpoint": {"checkpoint": {"checkpoint_id": self.ids["checkpoint_id"]}},
            "POST /runs/batch": [RUN, RUN],
            "POST /runs/cancel": {"thread_id": self.busy, "run_ids": [self.ids["run_id"]]},
            "POST /runs/crons": CRON,
            "POST /threads/{thread_id}/runs/crons": CRON,
            "PATCH /runs/crons/{cron_id}": {"enabled": False},
            "POST /runs/dead-letters/redrive": {"run_ids": [self.ids["run_id"]]},
            "POST /runs/webhooks/redeliver": {"run_ids": [self.ids["run_id"]]},
            "PUT /store/items": {**ITEM, "value": {"a": 2}},
            "DELETE /store/items": ITEM,
            "POST /threads/{thread_id}/stream/events": {"channels": ["values"]},
            "POST /threads/{thread_id}/commands": {"id": 1, "method": "run.start", "params": RUN},
            "POST /mcp": PING,
            "POST /ui/{graph_id}": {"name": "sequence"},
            "POST /a2a/{assistant_id}": {**PING, "method": "message/send", "params": {"message": message}},
        }


async def world() -> World:
    """A fresh server with everything on it."""
    api = Api()
    idle = await _ran(api, "sequence")
    busy = await _ran(api, "sequence")
    run = await api.json("POST", f"/threads/{busy}/runs", RUN, status=202)
    assistant = await api.json("POST", "/assistants", {"graph_id": "sequence", "metadata": {"made": 1}})
    state = await api.json("GET", f"/threads/{idle}/state")
    await api.json("PUT", "/store/items", {**ITEM, "value": {"a": 1}}, status=204)
    cron = await api.ask("POST", "/runs/crons", CRON)
    assert isinstance(cron, HttpResponse)
    ids = {
        "assistant_id": assistant["assistant_id"],
        "run_id": run["run_id"],
        "checkpoint_id": state["checkpoint"]["checkpoint_id"],
        "cron_id": json.loads(cron.body).get("cron_id", ""),
        "namespace": "child",
        "graph_id": "sequence",
        "file": "entrypoint.js",
    }
    return World(api, idle, busy, ids)


async def _ran(api: Api, graph_id: str) -> str:
    thread_id = await api.new_thread(metadata={"graph_id": graph_id})
    graph = api.registry.graphs[graph_id].copy(update={"checkpointer": api.saver})
    await graph.ainvoke({"topic": "t"}, {"configurable": {"thread_id": thread_id}})
    return thread_id
