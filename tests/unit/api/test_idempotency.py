"""Requests that are sent again with their `Idempotency-Key`: whatever became of the first answer, one thing is made."""

import asyncio
import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import clock
import each_minute
from api.creates import REPLAYED, Create
from api.routes import ROUTES
from api.routing import Route
from auth import api_keys
from auth.api_keys import ApiKeys
from errors import DatabaseError
from http_messages import HttpResponse, Reply
from ports import Row, Statement
from project_config.sections import ProjectConfig
from runs.thread_object.object_paths import parse
from settings import Settings
from tests.support import every_operation
from tests.support.every_operation import RUN
from tests.support.http_api import Api
from wire.json_rpc import JsonRpcMessage

KEY = {"idempotency-key": "5f1b7ab2-7a5e-4a0c-9a55-4d5e2f6c7b10"}
SEQUENCE = {"graph_id": "sequence"}
CREATES = [route for route in ROUTES if isinstance(route.handler, Create)]
WITH_KEY = [*CREATES, *(route for route in ROUTES if route.reads is JsonRpcMessage)]
TABLES = ("assistants", "assistant_versions", "threads", "runs", "crons", "checkpoints", "idempotency_keys")
CALL_TOOL = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "sequence", "arguments": {}}}


def rows(api: Api) -> dict[str, int]:
    return {table: api.rows(table) for table in TABLES}


def shown(reply: Reply) -> tuple[Any, ...]:
    """What two answers to the same request have in common."""
    headers = {name: value for name, value in reply.headers.items() if name not in ("x-request-id", REPLAYED)}
    return (reply.status, headers, reply.body) if isinstance(reply, HttpResponse) else (headers, reply)


def is_replay(reply: Reply) -> bool:
    return reply.headers.get(REPLAYED) == "true"


async def tell(api: Api, path: str, body: object, **headers: str) -> HttpResponse:
    reply = await api.ask("POST", path, body, headers={**KEY, **headers})
    assert isinstance(reply, HttpResponse)
    return reply


async def makes_more(route: Route, headers: dict[str, str]) -> bool:
    """Whether there is more in the database after the operation's request was sent again."""
    world = await every_operation.world()
    body = CALL_TOOL if route.path == "/mcp" else world.body(route)

    async def ask() -> dict[str, int]:
        answer = await world.api.ask(
            route.method, world.url(route), body, headers={**every_operation.HEADERS, **headers}
        )
        assert not isinstance(answer, HttpResponse) or '"jsonrpc"' not in answer.body or '"result"' in answer.body
        found = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT GLOB 'store_texts_*'"
        return {table: world.api.rows(table) for (table,) in world.api.db.connection.execute(found).fetchall()}

    once, twice = await ask(), await ask()
    return any(twice[table] > once[table] for table in once)


@pytest.mark.parametrize("route", [route for route in ROUTES if route.method != "GET"], ids=every_operation.name)
async def test_what_makes_more_when_it_is_asked_again_takes_a_key(route: Route) -> None:
    """Everything else comes to the same, however often it is sent, and needs none."""
    assert await makes_more(route, {}) == (route in WITH_KEY)
    assert not await makes_more(route, KEY)


@pytest.mark.parametrize("route", CREATES, ids=every_operation.name)
async def test_a_retry_gets_the_first_answer(route: Route) -> None:
    world = await every_operation.world()
    api, url, body = world.api, world.url(route), world.body(route)
    before, trips = rows(api), api.db.round_trips
    without_key = await api.ask(route.method, url, body)
    trips_without, written = api.db.round_trips - trips, rows(api)
    first = await api.ask(route.method, url, body, headers=KEY)
    assert api.db.round_trips - trips - trips_without == trips_without
    after = rows(api)
    growth = {table: after[table] - written[table] for table in TABLES}
    assert growth == {table: written[table] - before[table] for table in TABLES} | {"idempotency_keys": 1}
    second = await api.ask(route.method, url, body, headers=KEY)
    assert rows(api) == after
    assert (is_replay(without_key), is_replay(first), is_replay(second)) == (False, False, True)
    if isinstance(first, HttpResponse):
        assert shown(second) == shown(first)
    else:
        # The same question to the same object: it shows the run from its first event.
        one, two = [parse(path) for _, path in api.thread_objects.opened[-2:]]
        assert one == two
        assert api.thread_objects.opened[-1][0] == api.thread_objects.opened[-2][0]


@pytest.mark.parametrize("route", CREATES, ids=every_operation.name)
async def test_a_key_belongs_to_one_request(route: Route) -> None:
    world = await every_operation.world()
    await world.api.ask(route.method, world.url(route), world.body(route), headers=KEY)
    before = rows(world.api)
    body = json.dumps(world.body(route)).replace("sequence", "approval", 1) + " "
    answer = await world.api.ask(route.method, world.url(route), body, headers=KEY)
    assert isinstance(answer, HttpResponse)
    assert not is_replay(answer)
    told = json.loads(answer.body)
    # The protocol has an envelope for what is wrong.
    refused = told.get("message") or f"{answer.status}: {told['detail']}"
    assert refused.startswith("422: Idempotency-Key: ")
    assert rows(world.api) == before


async def test_a_key_belongs_to_one_path() -> None:
    api = Api()
    first, second = await api.new_thread(), await api.new_thread()
    await tell(api, f"/threads/{first}/runs", RUN)
    assert (await tell(api, f"/threads/{second}/runs", RUN)).status == 422
    assert api.rows("runs") == 1


@pytest.mark.parametrize("key", ["", "   ", "x" * 256, "tab\tin it", "ä", "line\nend"])
async def test_what_is_no_key_is_refused(key: str) -> None:
    api = Api()
    answer = await api.ask("POST", "/threads", {}, headers={"idempotency-key": key})
    assert isinstance(answer, HttpResponse)
    assert answer.status == 400
    assert json.loads(answer.body)["detail"].startswith("Idempotency-Key: ")
    assert api.rows("threads") == 0


@pytest.mark.parametrize(
    "key", ["x", "x" * 255, "order 17 / attempt", '"8e03978e-40d5-43dd-bc93-6894a57f9324"', " padded "]
)
async def test_any_printable_key_is_taken(key: str) -> None:
    api = Api()
    threads = [await api.ask("POST", "/threads", {}, headers={"idempotency-key": key}) for _ in range(2)]
    assert [is_replay(answer) for answer in threads] == [False, True]
    assert api.rows("threads") == 1


async def test_a_key_of_an_earlier_release_which_hashed_the_whole_body_is_known() -> None:
    """As long as the retry has the same bytes; the number of a message counted then."""
    api = Api()
    path = f"/threads/{await api.new_thread()}/commands"
    body = json.dumps({"id": 1, "method": "run.start", "params": RUN})
    assert not is_replay(await tell(api, path, body))
    hashed = hashlib.sha256(f"POST {path}\n{body}".encode()).hexdigest()
    api.db.connection.execute("UPDATE idempotency_keys SET fingerprint = ?", (hashed,))
    assert is_replay(await tell(api, path, body))
    assert not is_replay(await tell(api, path, body.replace('"id": 1', '"id": 2')))
    assert api.rows("runs") == 1


async def test_each_caller_has_keys_of_their_own() -> None:
    api = Api(gatekeeper=ApiKeys(api_keys.parse(f"acme:{'a' * 16}, acme:{'b' * 16}, globex:{'g' * 16}, {'o' * 16}")))
    answers = [await tell(api, "/threads", {}, **{"x-api-key": letter * 16}) for letter in "agoab"]
    assert [is_replay(answer) for answer in answers] == [False, False, False, True, True]
    acme, globex, operator, again, other_key = [json.loads(answer.body)["thread_id"] for answer in answers]
    assert len({acme, globex, operator}) == 3
    assert acme == again == other_key


async def test_a_create_that_failed_may_be_repeated() -> None:
    api = Api()
    thread_id = await api.new_thread()
    await api.json("POST", f"/threads/{thread_id}/runs", RUN, status=202)
    refused = await tell(api, f"/threads/{thread_id}/runs", {**RUN, "multitask_strategy": "reject"})
    assert refused.status == 409
    assert (await tell(api, "/threads", {"thread_id": thread_id})).status == 409
    assert (await tell(api, "/runs", {"assistant_id": "00000000-0000-4000-8000-000000000000"})).status == 404
    assert api.rows("idempotency_keys") == 0
    assert (await tell(api, "/threads", {})).status == 200
    assert api.rows("idempotency_keys") == 1


async def test_a_retry_finds_its_run_where_another_would_be_refused() -> None:
    api = Api()
    thread_id = await api.new_thread()
    body = {**RUN, "multitask_strategy": "reject"}
    first, second = [await tell(api, f"/threads/{thread_id}/runs", body) for _ in range(2)]
    assert (first.status, second.status) == (202, 202)
    assert shown(first) == shown(second)


async def test_a_retry_replaces_no_other_run() -> None:
    api = Api()
    thread_id = await api.new_thread()
    body = {**RUN, "multitask_strategy": "interrupt"}
    await tell(api, f"/threads/{thread_id}/runs", body)
    other = await api.json("POST", f"/threads/{thread_id}/runs", RUN, status=202)
    assert is_replay(await tell(api, f"/threads/{thread_id}/runs", body))
    [row] = api.db.connection.execute("SELECT cancel_action FROM runs WHERE run_id = ?", (other["run_id"],))
    assert row["cancel_action"] is None


async def test_a_thread_that_was_there_already_is_found_again_without_a_row() -> None:
    api = Api()
    body = {"thread_id": await api.new_thread(), "if_exists": "do_nothing"}
    first, second = [await tell(api, "/threads", body) for _ in range(2)]
    assert shown(first) == shown(second)
    assert api.rows("idempotency_keys") == 0


async def test_a_retry_of_a_half_success_is_told_what_went_wrong() -> None:
    api = Api()
    steps = [{"updates": [{"values": {"topic": 1}, "as_node": "nobody"}]}]
    body = {"metadata": {"graph_id": "sequence"}, "supersteps": steps}
    first, second = [await tell(api, "/threads", body) for _ in range(2)]
    assert first.status == 201
    assert shown(first) == shown(second)
    assert api.rows("threads") == 1


async def test_what_has_been_deleted_is_not_made_again() -> None:
    api = Api()
    thread_id = json.loads((await tell(api, "/threads", {})).body)["thread_id"]
    await api.json("DELETE", f"/threads/{thread_id}", status=204)
    answer = await tell(api, "/threads", {})
    assert (answer.status, is_replay(answer)) == (404, False)
    assert "deleted" in json.loads(answer.body)["detail"]
    assert api.rows("threads") == 0


async def test_a_state_of_a_deleted_thread_is_not_said_to_be_there() -> None:
    api = Api()
    thread_id = await api.new_thread(metadata=SEQUENCE)
    path, body = f"/threads/{thread_id}/state", {"values": {"topic": "t"}, "as_node": "plan"}
    assert (await tell(api, path, body)).status == 200
    await api.json("DELETE", f"/threads/{thread_id}", status=204)
    answer = await tell(api, path, body)
    assert (answer.status, is_replay(answer), api.rows("checkpoints")) == (404, False, 0)


@pytest.mark.parametrize(
    ("chosen", "headers", "temporary", "ttl_minutes"),
    [(None, {}, True, None), (None, KEY, False, 1440), ("delete", KEY, True, None), ("keep", KEY, False, None)],
)
async def test_a_run_without_a_thread_stays_as_long_as_its_key(
    chosen: str | None, headers: dict[str, str], temporary: bool, ttl_minutes: float | None
) -> None:
    api = Api()
    run = await api.json("POST", "/runs", {**RUN, "on_completion": chosen}, status=202, **headers)
    assert run["kwargs"]["temporary"] is temporary
    [row] = api.db.connection.execute("SELECT ttl_minutes, ttl_strategy FROM threads")
    assert tuple(row) == (ttl_minutes, ttl_minutes and "delete")


async def test_a_retry_is_announced_again() -> None:
    """Whoever died between the first one's row and its message need not wait for the sweeper."""
    api = Api()
    for _ in range(2):
        await tell(api, "/runs", RUN)
    [(first, second)] = [api.queue.sent]
    assert first == second


async def test_a_key_counts_for_creates_only() -> None:
    api = Api()
    for _ in range(2):
        assert not is_replay(await tell(api, "/threads/search", {}))
    assert api.rows("idempotency_keys") == 0


async def test_scripts_of_other_sites_may_send_keys_and_see_replays() -> None:
    api = Api()
    preflight = {"origin": "https://a.example", "access-control-request-headers": "idempotency-key,content-type"}
    allowed = await api.ask("OPTIONS", "/threads", headers=preflight)
    assert "idempotency-key" in allowed.headers["access-control-allow-headers"]
    answer = await tell(api, "/threads", {}, origin="https://a.example")
    assert "idempotent-replayed" in answer.headers["access-control-expose-headers"]


async def test_openapi_knows_the_header() -> None:
    paths = (await Api().json("GET", "/openapi.json"))["paths"]
    with_key = {
        f"{method.upper()} {path}"
        for path, operations in paths.items()
        for method, operation in operations.items()
        if any(parameter["name"] == "Idempotency-Key" for parameter in operation["parameters"])
    }
    assert with_key == {every_operation.name(route) for route in WITH_KEY}


class UnreliableDatabase:
    """Loses some batches, before they are committed or their answers after that, and takes a while for all."""

    def __init__(self, api: Api, fates: Sequence[str]) -> None:
        self._database = api.db
        self._fates = iter(fates)

    async def batch(self, statements: Sequence[Statement]) -> list[list[Row]]:
        fate = next(self._fates, "fine")
        if fate == "late":
            for _ in range(5):
                await asyncio.sleep(0)
        if fate == "lost":
            raise DatabaseError("D1 did not run a batch: network connection lost")
        results = await self._database.batch(statements)
        if fate == "unanswered":
            raise DatabaseError("D1 did not answer: network connection lost")
        return results


FATES = st.sampled_from(["fine", "fine", "late", "lost", "unanswered"])
#: An operation, a body, and what they make.
CALLS = st.sampled_from(
    [
        ("POST /threads", {}, {"threads": 1}),
        ("POST /threads/{thread_id}/copy", None, {"threads": 1}),
        ("POST /assistants", {"graph_id": "sequence"}, {"assistants": 1}),
        ("POST /threads/{thread_id}/state", {"values": {"topic": "u"}, "as_node": "plan"}, {"checkpoints": 1}),
        ("PATCH /assistants/{assistant_id}", {"name": "new"}, {"assistant_versions": 1}),
        ("POST /runs", RUN, {"threads": 1, "runs": 1}),
        ("POST /runs/batch", [RUN, RUN], {"threads": 2, "runs": 2}),
        ("POST /runs/crons", every_operation.CRON, {"crons": 1}),
        ("POST /threads/{thread_id}/runs", {**RUN, "multitask_strategy": "reject"}, {"runs": 1}),
        ("POST /threads/{thread_id}/runs", {**RUN, "multitask_strategy": "interrupt"}, {"runs": 1}),
        ("POST /threads/{thread_id}/runs/wait", RUN, {"runs": 1}),
        ("POST /threads/{thread_id}/commands", {"id": 1, "method": "run.start", "params": RUN}, {"runs": 1}),
    ]
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(call=CALLS, fates=st.lists(FATES, max_size=12), callers=st.integers(1, 4))
def test_one_thing_is_made_however_many_ask_and_whatever_is_lost(
    call: tuple[str, Any, dict[str, int]], fates: list[str], callers: int
) -> None:
    async def scenario() -> None:
        api = Api()
        operation, body, expected = call
        assistant = await api.json("POST", "/assistants", SEQUENCE)  # and those of the graphs
        ids = {"thread_id": await api.new_thread(metadata=SEQUENCE), "assistant_id": assistant["assistant_id"]}
        method, path = operation.format(**ids).split()
        before, reliable = rows(api), api.services
        api.services = replace(reliable, db=UnreliableDatabase(api, fates))
        answers = await asyncio.gather(*(api.ask(method, path, body, headers=KEY) for _ in range(callers)))
        api.services = reliable
        last = await api.ask(method, path, body, headers=KEY)
        answered = [answer for answer in answers if not (isinstance(answer, HttpResponse) and answer.status == 503)]
        assert rows(api) == {table: before[table] + expected.get(table, 0) for table in TABLES} | {
            "idempotency_keys": 1
        }
        if isinstance(last, HttpResponse):
            assert last.status in (200, 202)
            assert all(shown(answer) == shown(last) for answer in answered)
        else:
            assert len(set(api.thread_objects.opened)) == 1
        assert sum(not is_replay(answer) for answer in answered) <= 1

    asyncio.run(scenario())


async def test_of_two_keys_whose_runs_exclude_each_other_one_stays_unused() -> None:
    """Both see a thread that rests; only the database can tell the second one that it does not any more."""
    api = Api()
    path, body = f"/threads/{await api.new_thread()}/runs", {**RUN, "multitask_strategy": "reject"}
    asked = [api.ask("POST", path, body, headers={"idempotency-key": key}) for key in ("one", "two")]
    won, lost = await asyncio.gather(*asked)
    assert isinstance(won, HttpResponse)
    assert isinstance(lost, HttpResponse)
    assert (won.status, lost.status) == (202, 409)
    assert (api.rows("runs"), api.rows("idempotency_keys")) == (1, 1)


async def test_two_keys_that_change_an_assistant_at_once_both_do() -> None:
    """The one that comes second is tried again: it must not take its own key for that of an earlier request."""
    api = Api()
    assistant_id = (await api.json("POST", "/assistants", SEQUENCE))["assistant_id"]
    changes = {"one": {"name": "new"}, "two": {"description": "better"}}
    asked = [
        api.ask("PATCH", f"/assistants/{assistant_id}", change, headers={"idempotency-key": key})
        for key, change in changes.items()
    ]
    assert [is_replay(answer) for answer in await asyncio.gather(*asked)] == [False, False]
    changed = await api.json("GET", f"/assistants/{assistant_id}")
    assert (changed["name"], changed["description"], changed["version"]) == ("new", "better", 3)
    assert api.rows("idempotency_keys") == 2


async def test_keys_are_forgotten_after_a_day_share_by_share(monkeypatch: pytest.MonkeyPatch) -> None:
    api = Api(Settings(idempotency_key_seconds=60), ProjectConfig())
    for number in range(300):
        await api.json("POST", "/threads", {}, **{"idempotency-key": f"old {number}"})
    later = clock.shifted(clock.now_iso(), 61)
    with monkeypatch.context() as patched:
        patched.setattr(clock, "now_iso", lambda: later)
        await api.json("POST", "/threads", {}, **KEY)
        for minute in range(256):
            tick = each_minute.Tick(services=api.services, minute=minute)
            await each_minute.sweep_idempotency_keys(tick)
    assert api.rows("idempotency_keys") == 1
    assert is_replay(await tell(api, "/threads", {}))
