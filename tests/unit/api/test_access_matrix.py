"""Every operation of the route table, called by its owner, a colleague, a stranger and nobody.

A new operation needs a line in `CASES`: the test fails without one. The owner's rows contain `SECRET`, so that a
response which shows any of them to somebody else is found, whatever its form.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from api.routes import ROUTES
from api.routing import Route
from auth import api_keys
from auth.api_keys import ApiKeys
from auth.gatekeeper import Gatekeeper
from auth.handlers import Handlers
from http_messages import HttpResponse, Passthrough
from tests.support import owners
from tests.support.http_api import Api

SECRET = "the owner's own words"

RUN = {"assistant_id": "sequence", "input": {"topic": "x"}}
OWN_RUN = {"assistant_id": "{assistant_id}", "input": {"topic": "x"}}
NOT_FOUND = (404, None)


@dataclass(frozen=True, kw_only=True)
class Case:
    """How an operation is asked for, and what those get who have no business with the owner's rows."""

    body: Any = None
    query: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    #: The stranger's answer: a status, and its whole body where that matters.
    stranger: tuple[int, str | None] = NOT_FOUND
    #: Whether a colleague of the same tenant may: what concerns the tenant's assistants.
    is_shared: bool = False

    #: Nothing of it is anybody's: every caller gets the stranger's answer.
    is_everybodys: bool = False


EMPTY = (200, "[]")
ZERO = (200, "0")

CASES: dict[str, Case] = {
    "POST /assistants": Case(
        body={"graph_id": "sequence", "assistant_id": "{assistant_id}", "if_exists": "do_nothing"},
        stranger=(409, None),
        is_shared=True,
    ),
    "POST /assistants/search": Case(body={}, stranger=EMPTY, is_shared=True),
    "POST /assistants/count": Case(body={}, stranger=ZERO, is_shared=True),
    "GET /assistants/{assistant_id}": Case(is_shared=True),
    "PATCH /assistants/{assistant_id}": Case(body={"name": "mine"}, is_shared=True),
    "DELETE /assistants/{assistant_id}": Case(is_shared=True, query="delete_threads=true"),
    "GET /assistants/{assistant_id}/graph": Case(is_shared=True),
    "GET /assistants/{assistant_id}/schemas": Case(is_shared=True),
    "GET /assistants/{assistant_id}/subgraphs": Case(is_shared=True),
    "GET /assistants/{assistant_id}/subgraphs/{namespace}": Case(is_shared=True),
    "POST /assistants/{assistant_id}/versions": Case(body={}, is_shared=True),
    "POST /assistants/{assistant_id}/latest": Case(body={"version": 1}, is_shared=True),
    "POST /threads": Case(body={"thread_id": "{thread_id}", "if_exists": "do_nothing"}, stranger=(409, None)),
    "POST /threads/search": Case(body={}, stranger=EMPTY),
    "POST /threads/count": Case(body={}, stranger=ZERO),
    "POST /threads/prune": Case(body={"thread_ids": ["{thread_id}"]}, stranger=(200, '{"pruned_count":0}')),
    "GET /threads/{thread_id}": Case(),
    "PATCH /threads/{thread_id}": Case(body={"metadata": {"x": 1}}),
    "DELETE /threads/{thread_id}": Case(),
    "POST /threads/{thread_id}/copy": Case(stranger=(409, None)),
    "GET /threads/{thread_id}/storage": Case(),
    "GET /threads/{thread_id}/state": Case(),
    "POST /threads/{thread_id}/state": Case(body={"values": {"topic": "y"}}),
    "GET /threads/{thread_id}/state/{checkpoint_id}": Case(),
    "POST /threads/{thread_id}/state/checkpoint": Case(body={"checkpoint": {"checkpoint_id": "{checkpoint_id}"}}),
    "GET /threads/{thread_id}/history": Case(),
    "POST /threads/{thread_id}/history": Case(body={"limit": 10}),
    "GET /threads/{thread_id}/stream": Case(stranger=(200, None)),
    "POST /threads/{thread_id}/runs": Case(body=RUN),
    "GET /threads/{thread_id}/runs": Case(),
    "POST /threads/{thread_id}/runs/stream": Case(body=RUN),
    "POST /threads/{thread_id}/runs/wait": Case(body=RUN),
    "GET /threads/{thread_id}/runs/{run_id}": Case(),
    "DELETE /threads/{thread_id}/runs/{run_id}": Case(),
    "GET /threads/{thread_id}/runs/{run_id}/timeline": Case(),
    "GET /threads/{thread_id}/runs/{run_id}/join": Case(),
    "GET /threads/{thread_id}/runs/{run_id}/stream": Case(stranger=(200, None)),
    "POST /threads/{thread_id}/runs/{run_id}/cancel": Case(),
    "POST /runs": Case(body=OWN_RUN, is_shared=True),
    "POST /runs/stream": Case(body=OWN_RUN, is_shared=True),
    "POST /runs/wait": Case(body=OWN_RUN, is_shared=True),
    "POST /runs/batch": Case(body=[RUN, OWN_RUN], is_shared=True),
    "GET /runs/dead-letters": Case(stranger=EMPTY),
    "POST /runs/dead-letters/redrive": Case(
        body={"run_ids": ["{run_id}", "{dead_run_id}"]},
        stranger=(200, None),
    ),
    "POST /runs/cancel": Case(body={"thread_id": "{thread_id}", "run_ids": ["{run_id}"]}),
    "POST /runs/crons": Case(body={**OWN_RUN, "schedule": "0 0 1 1 *"}, is_shared=True),
    "POST /threads/{thread_id}/runs/crons": Case(body={**RUN, "schedule": "0 0 1 1 *"}),
    "POST /runs/crons/search": Case(body={}, stranger=EMPTY),
    "POST /runs/crons/count": Case(body={}, stranger=ZERO),
    "GET /runs/crons/{cron_id}": Case(),
    "GET /runs/crons/{cron_id}/fires": Case(),
    "PATCH /runs/crons/{cron_id}": Case(body={"enabled": False}),
    "DELETE /runs/crons/{cron_id}": Case(),
    "GET /runs/webhooks": Case(stranger=EMPTY),
    "POST /runs/webhooks/redeliver": Case(body={"run_ids": ["{run_id}"]}, stranger=(200, '{"redelivered":[]}')),
    "PUT /store/items": Case(
        body={"namespace": ["notes"], "key": "k", "value": {"a": 1}},
        stranger=(204, None),
    ),
    "GET /store/items": Case(query="namespace=notes&key=k", stranger=(200, "null")),
    "DELETE /store/items": Case(body={"namespace": ["notes"], "key": "k"}, stranger=(204, None)),
    "POST /store/items/search": Case(body={"namespace_prefix": []}, stranger=(200, '{"items":[]}')),
    "POST /store/namespaces": Case(body={}, stranger=(200, '{"namespaces":[]}')),
    "POST /threads/{thread_id}/commands": Case(
        body={"id": 1, "method": "run.start", "params": RUN},
        stranger=(
            200,
            '{"type":"error","id":1,"error":"unknown_error","message":"404: Thread or assistant not found."}',
        ),
    ),
    "POST /threads/{thread_id}/stream/events": Case(body={"channels": ["lifecycle"]}),
    "GET /threads/{thread_id}/stream/events": Case(headers={"upgrade": "websocket"}),
    "POST /a2a/{assistant_id}": Case(
        body={
            "jsonrpc": "2.0",
            "id": 1,
            "method": "message/send",
            "params": {"message": {"messageId": "m", "parts": [{"data": {"topic": "x"}}]}},
        },
        stranger=(200, None),
        is_shared=True,
    ),
    "GET /a2a/{assistant_id}": Case(stranger=(400, None), is_shared=True),
    "GET /a2a/{assistant_id}/.well-known/agent-card.json": Case(stranger=(400, None), is_shared=True),
    "GET /.well-known/agent-card.json": Case(query="assistant_id={assistant_id}", stranger=(400, None), is_shared=True),
    "POST /mcp": Case(
        body={"jsonrpc": "2.0", "id": 1, "method": "tools/list"},
        headers={"accept": "application/json"},
        stranger=(200, None),
        is_shared=True,
    ),
    "POST /ui/{graph_id}": Case(body={"name": "x"}, is_everybodys=True),
    "GET /ui/{graph_id}/{file}": Case(is_everybodys=True),
}

PUBLIC = {"GET /ok", "GET /", "GET /info", "GET /metrics", "GET /docs", "GET /openapi.json"}


@dataclass(frozen=True, kw_only=True)
class Gate:
    """A way to be authenticated: its gatekeeper, and the headers of those who call."""

    gatekeeper: Callable[[], Gatekeeper]
    owner: dict[str, str]
    #: Another user of the owner's tenant; None where a tenant is all there is.
    colleague: dict[str, str] | None
    stranger: dict[str, str]
    #: System assistants are everybody's to see.
    shows_system: bool


GATES = {
    "handlers": Gate(
        gatekeeper=lambda: Handlers(owners.handlers()),
        owner=owners.bearer(owners.OWNER),
        colleague=owners.bearer(owners.COLLEAGUE),
        stranger=owners.bearer(owners.STRANGER),
        shows_system=False,
    ),
    "keys": Gate(
        gatekeeper=lambda: ApiKeys(api_keys.parse(f"acme:{'a' * 16},globex:{'g' * 16}")),
        owner={"x-api-key": "a" * 16},
        colleague=None,
        stranger={"authorization": f"Bearer {'g' * 16}"},
        shows_system=True,
    ),
}


def name(route: Route) -> str:
    return f"{route.method} {route.path}"


SERVED = [route for route in ROUTES if route.answers != "never" and not route.is_public]


@dataclass(frozen=True)
class World:
    """A server with one of everything, all of it the owner's."""

    api: Api
    ids: dict[str, str]

    async def ask(self, route: Route, caller: dict[str, str]) -> HttpResponse | Passthrough:
        case = CASES[name(route)]
        url = self.filled(route.path + (f"?{case.query}" if case.query else ""))
        return await self.api.ask(route.method, url, self.filled(case.body), headers={**case.headers, **caller})

    def filled(self, value: Any) -> Any:
        """With the ids of the owner's rows in place of `{…_id}`."""
        if isinstance(value, str):
            return re.sub(r"\{(\w+)\}", lambda found: self.ids[found[1]], value)
        if isinstance(value, dict):
            return {key: self.filled(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.filled(item) for item in value]
        return value

    def owned(self) -> dict[str, list[tuple[Any, ...]]]:
        """All rows that were there at the beginning, as they are now."""
        connection = self.api.db.connection
        tables = [row["name"] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        return {
            table: [tuple(row) for row in connection.execute(f'SELECT * FROM "{table}"') if _is_owned(row, self.ids)]
            for table in tables
        }


def _is_owned(row: Any, ids: dict[str, str]) -> bool:
    text = "\0".join(str(cell) for cell in row)
    return SECRET in text or ids["thread_id"] in text


async def world(gate: Gate) -> World:
    api, owner = Api(gatekeeper=gate.gatekeeper()), gate.owner
    own = {"metadata": {"note": SECRET}}
    assistant = await api.json("POST", "/assistants", {"graph_id": "sequence", "name": SECRET, **own}, **owner)
    thread = await api.json("POST", "/threads", own, **owner)
    thread_id = thread["thread_id"]
    config: Any = {"configurable": {"thread_id": thread_id}}
    graph = api.registry.graphs["sequence"].copy({"checkpointer": api.saver})
    await graph.ainvoke({"topic": SECRET}, config)
    checkpoint: Any = (await graph.aget_state(config)).config
    body = {**RUN, **own, "config": {"configurable": {"note": SECRET}}}
    run = await api.json("POST", f"/threads/{thread_id}/runs", body, status=202, **owner)
    dead = await api.json("POST", "/runs", {**body, "on_completion": "keep"}, status=202, **owner)
    _tell(api, dead["run_id"])
    item = {"namespace": ["notes"], "key": "k", "value": {"note": SECRET}}
    await api.json("PUT", "/store/items", item, status=204, **owner)
    ids = {
        "assistant_id": assistant["assistant_id"],
        "thread_id": thread_id,
        "run_id": run["run_id"],
        "dead_run_id": dead["run_id"],
        "checkpoint_id": checkpoint["configurable"]["checkpoint_id"],
        "namespace": "child",
        "graph_id": "sequence",
        "file": "x.js",
    }
    cron = await api.ask("POST", "/runs/crons", {**RUN, **own, "schedule": "0 0 1 1 *"}, headers=owner)
    if isinstance(cron, HttpResponse) and cron.status == 200:
        ids["cron_id"] = re.findall(r'"cron_id":"([0-9a-f-]{36})"', cron.body)[0]
    api.queue.sent.clear()
    api.thread_objects.opened.clear()
    return World(api, ids)


def _tell(api: Api, dead_run_id: str) -> None:
    """Webhooks of all runs, which were given up, and dead letters of all: one of them gave up."""
    api.db.connection.execute(
        "INSERT INTO dead_letters (run_id, thread_id, graph_id, reason, message, created_at) "
        "SELECT run_id, thread_id, 'sequence', json_object('error', 'E', 'message', ?), "
        "CASE WHEN run_id <> ? THEN '{}' END, created_at FROM runs",
        (SECRET, dead_run_id),
    )
    api.db.connection.execute("UPDATE runs SET status = 'error' WHERE run_id = ?", (dead_run_id,))
    api.db.connection.execute(
        "INSERT INTO webhooks (run_id, delivery_id, thread_id, metadata, url, body) "
        "SELECT run_id, 'd', thread_id, metadata, 'https://hooks.example.com', '{}' FROM runs"
    )


def test_every_operation_has_its_line() -> None:
    assert {name(route) for route in SERVED} - set(CASES) == set()
    assert {name(route) for route in ROUTES if route.is_public} == PUBLIC


@pytest.fixture(params=GATES)
def gate(request: pytest.FixtureRequest) -> Gate:
    return GATES[request.param]


@pytest.mark.parametrize("route", [route for route in ROUTES if not route.is_public], ids=name)
async def test_nobody_gets_anything(gate: Gate, route: Route) -> None:
    api = Api(gatekeeper=gate.gatekeeper())
    answer = await api.ask(route.method, route.path.replace("{", "").replace("}", ""), {})
    assert isinstance(answer, HttpResponse)
    assert answer.status == 401
    assert api.db.round_trips == 0


@pytest.mark.parametrize("route", SERVED, ids=name)
async def test_the_owner_gets_what_they_ask_for(gate: Gate, route: Route) -> None:
    here, case = await world(gate), CASES[name(route)]
    answer = await here.ask(route, gate.owner)
    if case.is_everybodys:
        assert isinstance(answer, HttpResponse)
        assert answer.status == case.stranger[0]
        return
    # The thread has an unfinished run, which forbids some things for now.
    assert isinstance(answer, Passthrough) or answer.status in {200, 202, 204, 409}, answer.body


@pytest.mark.parametrize("route", SERVED, ids=name)
async def test_a_stranger_finds_nothing_and_changes_nothing(gate: Gate, route: Route) -> None:
    here = await world(gate)
    await refused(here, route, gate.stranger, shows_system=gate.shows_system)


@pytest.mark.parametrize("route", SERVED, ids=name)
async def test_a_colleague_shares_what_is_the_tenants(route: Route) -> None:
    gate = GATES["handlers"]
    here = await world(gate)
    assert gate.colleague
    if not CASES[name(route)].is_shared:
        await refused(here, route, gate.colleague, shows_system=False)
        return
    answer = await here.ask(route, gate.colleague)
    assert isinstance(answer, Passthrough) or answer.status < 300, answer.body


async def refused(here: World, route: Route, caller: dict[str, str], *, shows_system: bool) -> None:
    before = here.owned()
    answer = await here.ask(route, caller)
    assert isinstance(answer, HttpResponse), "an object was opened"
    status, body = CASES[name(route)].stranger
    assert answer.status == status, answer.body
    if body is not None and not (shows_system and route.on == "assistants.search"):
        assert answer.body == body
    assert SECRET not in answer.body
    assert SECRET not in str(answer.headers)
    assert here.owned() == before
    reached = {thread_id for thread_id, _ in [*here.api.thread_objects.opened, *here.api.queue.sent]}
    assert here.ids["thread_id"] not in reached
