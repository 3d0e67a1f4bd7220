"""Authorization over the whole API: a project's handlers decide, and rows out of reach do not exist."""

import json
from typing import Any
from uuid import UUID

import pytest

import clock
import ids
from api import cron_fires
from auth.handlers import Handlers
from tests.support import owners
from tests.support.http_api import Api

ALICE, BOB, EVE = map(owners.bearer, (owners.OWNER, owners.COLLEAGUE, owners.STRANGER))


@pytest.fixture
def api() -> Api:
    return Api(gatekeeper=Handlers(owners.handlers()))


async def test_a_run_cannot_be_created_on_anothers_thread_by_creating_it_conditionally(api: Api) -> None:
    thread = await api.json("POST", "/threads", {}, **ALICE)
    body = {"assistant_id": "sequence", "if_not_exists": "create"}
    path = f"/threads/{thread['thread_id']}/runs"
    answer = await api.json("POST", path, body, status=404, **EVE)
    assert answer == {"detail": "Thread or assistant not found."}
    assert api.rows("runs") == 0


async def test_what_a_handler_writes_into_metadata_is_stored(api: Api) -> None:
    thread = await api.json("POST", "/threads", {"metadata": {"x": 1}}, **ALICE)
    assert thread["metadata"] == {"x": 1, "owner": owners.OWNER}


async def test_a_run_carries_its_caller(api: Api) -> None:
    body = {
        "assistant_id": "sequence",
        "config": {"configurable": {"langgraph_auth_user_id": "root", "user_id": "root"}},
    }
    run = await api.json("POST", "/runs", body, status=202, **ALICE)
    configurable = run["kwargs"]["config"]["configurable"]
    assert configurable["langgraph_auth_user"] == {
        "identity": owners.OWNER,
        "is_authenticated": True,
        "display_name": "Acme/Alice",
        "tenant": "acme",
        "permissions": ["p1"],
    }
    assert configurable["langgraph_auth_user_id"] == configurable["user_id"] == owners.OWNER
    assert configurable["langgraph_auth_permissions"] == ["p1"]
    assert run["metadata"]["owner"] == owners.OWNER


async def test_nobody_gets_in_without_credentials_and_browsers_can_read_why(api: Api) -> None:
    for method, path in (("POST", "/threads"), ("GET", "/nope"), ("PUT", "/threads"), ("POST", "/mcp")):
        answer: Any = await api.ask(method, path, {}, headers={"origin": "https://a.example"})
        assert (answer.status, answer.body) == (401, '{"detail":"Missing token"}')
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.headers["access-control-allow-origin"] == "*"


async def test_a_websocket_is_refused_with_403(api: Api) -> None:
    path = "/threads/01a1fc60-905c-7390-9fc1-ed6b2aa6090c/stream/events"
    answer: Any = await api.ask("GET", path, headers={"upgrade": "websocket"})
    assert answer.status == 403


async def test_public_operations_ask_nobody(api: Api) -> None:
    for path in ("/", "/ok", "/info", "/docs", "/openapi.json"):
        answer: Any = await api.ask("GET", path)
        assert answer.status == 200


async def test_a_taken_id_is_refused_also_with_a_state(api: Api) -> None:
    thread_id = await thread_that_ran(api)
    steps = [{"updates": [{"values": {"topic": "eve's"}, "as_node": "plan"}]}]
    body = {
        "thread_id": thread_id,
        "if_exists": "do_nothing",
        "metadata": {"graph_id": "sequence"},
        "supersteps": steps,
    }
    before = list(map(tuple, api.db.connection.execute("SELECT * FROM checkpoints")))
    await api.json("POST", "/threads", body, status=409, **EVE)
    assert list(map(tuple, api.db.connection.execute("SELECT * FROM checkpoints"))) == before
    state = await api.json("GET", f"/threads/{thread_id}/state", **ALICE)
    assert state["values"]["topic"] == "alice's"


async def test_a_checkpoint_of_anothers_thread_cannot_be_named(api: Api) -> None:
    victim = await thread_that_ran(api)
    state = await api.json("GET", f"/threads/{victim}/state", **ALICE)
    foreign = {"thread_id": victim, "checkpoint_ns": "", "checkpoint_id": state["checkpoint"]["checkpoint_id"]}
    own = (await api.json("POST", "/threads", {"metadata": {"graph_id": "sequence"}}, **EVE))["thread_id"]
    for path, body in (
        (f"/threads/{own}/state/checkpoint", {"checkpoint": foreign}),
        (f"/threads/{own}/history", {"checkpoint": foreign}),
        (f"/threads/{own}/history", {"before": {"configurable": foreign}}),
        (f"/threads/{own}/history", {"before": foreign}),
    ):
        assert "alice's" not in str(await api.json("POST", path, body, **EVE))
    found = await api.json("GET", f"/threads/{own}/state/{foreign['checkpoint_id']}", **EVE)
    assert "alice's" not in str(found)
    for body in ({"checkpoint": foreign}, {"config": {"configurable": foreign}}):
        run = await api.json("POST", f"/threads/{own}/runs", {"assistant_id": "sequence", **body}, status=202, **EVE)
        assert run["kwargs"]["config"]["configurable"]["thread_id"] == run["thread_id"] == own
        stateless = await api.json("POST", "/runs", {"assistant_id": "sequence", **body}, status=202, **EVE)
        assert stateless["kwargs"]["config"]["configurable"]["thread_id"] == stateless["thread_id"] != victim


async def test_deleting_an_assistant_deletes_no_thread_of_others(api: Api) -> None:
    assistant = await api.json("POST", "/assistants", {"graph_id": "sequence"}, **ALICE)
    thread = await api.json("POST", "/threads", {"metadata": {"assistant_id": assistant["assistant_id"]}}, **ALICE)
    bobs = await api.json("POST", "/threads", {"metadata": {"assistant_id": assistant["assistant_id"]}}, **BOB)
    await api.json("DELETE", f"/assistants/{assistant['assistant_id']}?delete_threads=true", status=204, **BOB)
    await api.json("GET", f"/threads/{thread['thread_id']}", **ALICE)
    await api.json("GET", f"/threads/{bobs['thread_id']}", status=404, **BOB)


async def test_no_search_can_ask_for_rows_of_others(api: Api) -> None:
    thread_id = await thread_that_ran(api)
    for body in (
        {"metadata": {"owner": owners.OWNER}},
        {"ids": [thread_id]},
        {"values": {"topic": "alice's"}},
        {"extract": {"topic": "values.topic"}},
        {"sort_by": "created_at"},
        {"status": "idle"},
    ):
        assert await api.json("POST", "/threads/search", body, **EVE) == []
        assert len(await api.json("POST", "/threads/search", {**body, "metadata": {}}, **ALICE)) == 1


async def test_nobody_can_give_a_thread_away_or_take_one(api: Api) -> None:
    thread_id = await thread_that_ran(api)
    body = {"metadata": {"owner": owners.STRANGER}}
    thread = await api.json("PATCH", f"/threads/{thread_id}", body, **ALICE)
    assert thread["metadata"]["owner"] == owners.OWNER
    await api.json("PATCH", f"/threads/{thread_id}", body, status=404, **EVE)


async def test_a_thread_that_its_creator_could_not_see_is_not_made(api: Api) -> None:
    """A filter that `threads.create_run` does not write into the metadata."""
    auth = owners.handlers()

    @auth.on.threads.create_run
    async def only_own(ctx: Any, value: Any) -> dict[str, str]:
        return {"owner": ctx.user.identity}

    api = Api(gatekeeper=Handlers(auth))
    path = "/threads/01a1fc60-905c-7390-9fc1-ed6b2aa6090c/runs"
    await api.json("POST", path, {"assistant_id": "sequence", "if_not_exists": "create"}, status=404, **ALICE)
    assert (api.rows("threads"), api.rows("runs")) == (0, 0)
    run = await api.json("POST", "/runs", {"assistant_id": "sequence"}, status=202, **ALICE)
    assert run["status"] == "pending"


async def test_a_handler_that_denies_assistants_still_lets_graphs_run(api: Api) -> None:
    auth = owners.handlers()

    @auth.on.assistants.read
    async def nobody(ctx: Any, value: Any) -> bool:
        return False

    api = Api(gatekeeper=Handlers(auth))
    await api.json("POST", "/runs", {"assistant_id": "sequence"}, status=202, **ALICE)
    body = {"assistant_id": "01a1fc60-905c-7390-9fc1-ed6b2aa6090c"}
    assert await api.json("POST", "/runs", body, status=403, **ALICE) == {"detail": "Forbidden"}
    assert api.rows("runs") == 1


async def test_what_a_handler_changes_in_a_run_counts(api: Api) -> None:
    auth = owners.handlers()

    @auth.on.threads.create_run
    async def changed(ctx: Any, value: Any) -> None:
        assert value["assistant_id"] == UUID(ids.system_assistant("sequence"))
        assert value["thread_id"] is None
        assert value["prevent_insert_if_inflight"] is False
        value["metadata"]["owner"] = ctx.user.identity
        value["kwargs"]["config"]["configurable"] = {"tenant": ctx.user["tenant"]}
        value["kwargs"]["input"] = {"topic": "allowed"}

    api = Api(gatekeeper=Handlers(auth))
    run = await api.json("POST", "/runs", {"assistant_id": "sequence", "input": {"topic": "x"}}, status=202, **ALICE)
    assert run["kwargs"]["input"] == {"topic": "allowed"}
    assert run["kwargs"]["config"]["configurable"]["tenant"] == "acme"
    assert run["metadata"]["owner"] == owners.OWNER


async def test_what_a_handler_changes_in_the_store_counts(api: Api) -> None:
    item = {"namespace": ["notes"], "key": "k", "value": {"a": 1}}
    await api.json("PUT", "/store/items", item, status=204, **ALICE)
    found = await api.json("GET", "/store/items?namespace=notes&key=k", **ALICE)
    assert found["namespace"] == [owners.OWNER, "notes"]
    assert await api.json("GET", f"/store/items?namespace={owners.OWNER}.notes&key=k", **EVE) is None


async def thread_that_ran(api: Api) -> str:
    """The id of a thread of Alice's, on which the graph `sequence` ran to its end."""
    thread = await api.json("POST", "/threads", {"metadata": {"graph_id": "sequence"}}, **ALICE)
    config: Any = {"configurable": {"thread_id": thread["thread_id"]}}
    graph = api.registry.graphs["sequence"].copy({"checkpointer": api.saver})
    await graph.ainvoke({"topic": "alice's"}, config)
    api.db.connection.execute("UPDATE threads SET values_json = ?", ('{"topic":"alice\'s"}',))
    return thread["thread_id"]


async def test_cancelling_all_runs_cancels_ones_own(api: Api) -> None:
    thread_id = (await api.json("POST", "/threads", {}, **ALICE))["thread_id"]
    await api.json("POST", f"/threads/{thread_id}/runs", {"assistant_id": "sequence"}, status=202, **ALICE)
    before = list(map(tuple, api.db.connection.execute("SELECT * FROM runs")))
    for status in ("all", "pending", "running"):
        await api.json("POST", "/runs/cancel", {"status": status}, status=404, **EVE)
    assert list(map(tuple, api.db.connection.execute("SELECT * FROM runs"))) == before
    await api.json("POST", "/runs/cancel", {"status": "all"}, status=204, **ALICE)
    assert list(map(tuple, api.db.connection.execute("SELECT * FROM runs"))) != before


async def test_all_that_was_given_up_is_ones_own(api: Api) -> None:
    run = await api.json("POST", "/runs", {"assistant_id": "sequence", "on_completion": "keep"}, status=202, **ALICE)
    api.db.connection.execute("UPDATE runs SET status = 'error'")
    api.db.connection.executescript(
        "INSERT INTO dead_letters SELECT run_id, thread_id, 'sequence', '{}', NULL, created_at FROM runs;"
        "INSERT INTO webhooks (run_id, thread_id, metadata, url, body) "
        "SELECT run_id, thread_id, metadata, 'https://hooks.example.com', '{}' FROM runs"
    )
    for caller, found in ((EVE, 0), (ALICE, 1)):
        redelivered = await api.json("POST", "/runs/webhooks/redeliver", {"status": "dead"}, **caller)
        assert len(redelivered["redelivered"]) == found
        redriven = await api.json("POST", "/runs/dead-letters/redrive", {"filter": {}}, **caller)
        assert len(redriven["redriven"]) == found
        shown = await api.json("GET", f"/threads/{run['thread_id']}/runs/{run['run_id']}", **ALICE)
        assert shown["status"] == ("pending" if found else "error")


async def test_a_retry_gets_only_what_its_caller_may_still_do_and_see() -> None:
    auth, may_create = owners.handlers(), True

    @auth.on.threads.create_run
    async def only_while_allowed(ctx: Any, value: Any) -> dict[str, Any] | bool:
        return {"owner": ctx.user.identity} if may_create else False

    api = Api(gatekeeper=Handlers(auth))
    thread_id = (await api.json("POST", "/threads", {}, **ALICE))["thread_id"]
    request = ("POST", f"/threads/{thread_id}/runs", {"assistant_id": "sequence"})
    key = {**ALICE, "idempotency-key": "k"}
    run = await api.json(*request, status=202, **key)
    assert await api.json(*request, status=202, **key) == run
    start = {"id": 1, "method": "run.start", "params": {"assistant_id": "sequence"}}
    command = ("POST", f"/threads/{thread_id}/commands", start)
    other_key = {**ALICE, "idempotency-key": "other"}
    assert (await api.json(*command, **other_key))["type"] == "success"
    may_create = False
    await api.json(*request, status=403, **key)
    await api.json(*command, status=403, **other_key)
    may_create = True
    api.db.connection.execute("UPDATE threads SET metadata = json_set(metadata, '$.owner', ?)", (owners.STRANGER,))
    await api.json(*request, status=404, **key)


async def test_a_handler_knows_which_runs_are_to_stop() -> None:
    auth, asked = owners.handlers(), []

    @auth.on.threads.update
    async def note(ctx: Any, value: Any) -> None:
        asked.append(value)

    api = Api(gatekeeper=Handlers(auth))
    run_id = UUID("01a1fc60-905c-7390-9fc1-ed6b2aa6090c")
    await api.json("POST", f"/threads/{run_id}/runs/{run_id}/cancel?action=rollback", status=404, **ALICE)
    await api.json("POST", "/runs/cancel", {"status": "all"}, status=404, **ALICE)
    assert [(value["thread_id"], value["action"], value["metadata"]) for value in asked] == [
        (run_id, "rollback", {"run_ids": [run_id], "status": None}),
        (None, "interrupt", {"run_ids": None, "status": "all"}),
    ]


async def test_a_batch_is_refused_as_a_whole(api: Api) -> None:
    assistant = await api.json("POST", "/assistants", {"graph_id": "sequence"}, **ALICE)
    bodies = [{"assistant_id": "sequence"}, {"assistant_id": assistant["assistant_id"]}]
    await api.json("POST", "/runs/batch", bodies, status=404, **EVE)
    assert (api.rows("runs"), api.rows("threads")) == (0, 0)
    runs = await api.json("POST", "/runs/batch", bodies, **BOB)
    assert [run["metadata"]["owner"] for run in runs] == [owners.COLLEAGUE] * 2


async def test_a_cron_runs_as_the_user_who_made_it_and_only_while_they_may(api: Api) -> None:
    thread_id = (await api.json("POST", "/threads", {}, **ALICE))["thread_id"]
    body = {"assistant_id": "sequence", "schedule": "* * * * *"}
    await api.json("POST", f"/threads/{thread_id}/runs/crons", body, status=404, **EVE)
    pretended = {"configurable": {"thread_id": thread_id, "user_id": owners.OWNER, "langgraph_auth_user_id": "x"}}
    foreign = await api.json("POST", "/runs/crons", {**body, "config": pretended}, **EVE)
    cron = await api.json("POST", f"/threads/{thread_id}/runs/crons", body, **ALICE)
    assert (foreign["user_id"], cron["user_id"]) == (owners.STRANGER, owners.OWNER)
    assert "tenant" not in str(cron)

    async def fire() -> int:
        now = clock.now_iso()
        api.db.connection.execute("UPDATE crons SET next_run_date = ?", (now,))
        return await cron_fires.fire_due(api.services, before=clock.shifted(now, 0.001))

    assert await fire() == 2
    [run] = await api.json("GET", f"/threads/{thread_id}/runs", **ALICE)
    configurable = run["kwargs"]["config"]["configurable"]
    assert (run["metadata"]["owner"], configurable["user_id"]) == (owners.OWNER, owners.OWNER)
    assert configurable["langgraph_auth_user"]["tenant"] == "acme"
    [thread] = await api.json("POST", "/threads/search", {}, **EVE)
    assert thread["thread_id"] != thread_id
    [run] = await api.json("GET", f"/threads/{thread['thread_id']}/runs", **EVE)
    configurable = run["kwargs"]["config"]["configurable"]
    assert (configurable["user_id"], configurable["thread_id"]) == (owners.STRANGER, thread["thread_id"])

    api.db.connection.execute("UPDATE threads SET metadata = '{}' WHERE thread_id = ?", (thread_id,))
    assert await fire() == 1


async def test_interrupts_of_others_cannot_be_answered(api: Api) -> None:
    thread_id = (await api.json("POST", "/threads", {}, **ALICE))["thread_id"]
    waiting = '{"task":[{"id":"i1","value":"?"}]}'
    api.db.connection.execute("UPDATE threads SET status = 'interrupted', interrupts = ?", (waiting,))
    body = {"id": 1, "method": "input.respond", "params": {"interrupt_id": "i1", "response": "yes"}}
    answer = await api.json("POST", f"/threads/{thread_id}/commands", body, **EVE)
    assert answer["error"] == "no_such_interrupt"
    assert api.rows("runs") == 0


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("message/send", {"message": {"messageId": "m", "contextId": "{thread}", "parts": [{"data": {"topic": "x"}}]}}),
        ("message/send", {"message": {"messageId": "m", "taskId": "{thread}:{run}", "parts": [{"text": "x"}]}}),
        ("tasks/get", {"id": "{thread}:{run}"}),
        ("tasks/cancel", {"id": "{thread}:{run}"}),
        ("ListTasks", {}),
        ("ListTasks", {"contextId": "{thread}"}),
    ],
)
async def test_tasks_of_others_do_not_exist_for_agents(api: Api, method: str, params: dict[str, Any]) -> None:
    thread_id = await thread_that_ran(api)
    run = await api.json("POST", f"/threads/{thread_id}/runs", {"assistant_id": "sequence"}, status=202, **ALICE)
    before = list(map(tuple, api.db.connection.execute("SELECT * FROM runs")))
    text = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
    body = text.replace("{thread}", thread_id).replace("{run}", run["run_id"])
    answer: Any = await api.ask("POST", f"/a2a/{ids.system_assistant('sequence')}", body, headers=EVE)
    found = json.loads(answer.body)
    assert "alice" not in answer.body
    assert "error" in found or found["result"]["totalSize"] == 0
    assert list(map(tuple, api.db.connection.execute("SELECT * FROM runs"))) == before
    assert api.thread_objects.opened == []


async def test_a_tool_with_a_graphs_name_is_not_anothers_assistant(api: Api) -> None:
    mine = {"graph_id": "approval", "name": "sequence"}
    assistant = await api.json("POST", "/assistants", mine, **ALICE)
    headers = {**EVE, "accept": "application/json"}
    for name in ("sequence", assistant["assistant_id"]):
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": name, "arguments": {}}}
        await api.ask("POST", "/mcp", body, headers=headers)
    used = [row["assistant_id"] for row in api.db.connection.execute("SELECT assistant_id FROM runs")]
    assert set(used) <= {ids.system_assistant("sequence")}


async def test_who_is_not_let_in_reads_no_names_of_graphs(api: Api) -> None:
    assert "graphs" not in await api.json("GET", "/info")


async def test_a_factory_is_told_who_asks_whatever_an_assistant_pretends(api: Api, monkeypatch: Any) -> None:
    purposes: list[Any] = []
    opened = api.registry.open

    def noted(graph_id: str, purpose: Any) -> Any:
        purposes.append(purpose)
        return opened(graph_id, purpose)

    monkeypatch.setattr(type(api.registry), "open", lambda _registry, *given: noted(*given))
    pretended = {"configurable": {"langgraph_auth_user": {"identity": "root"}, "langgraph_auth_user_id": "root"}}
    assistant = await api.json("POST", "/assistants", {"graph_id": "sequence", "config": pretended}, **ALICE)
    await api.json("GET", f"/assistants/{assistant['assistant_id']}/schemas", **ALICE)
    [purpose] = purposes
    configurable = purpose.config["configurable"]
    assert purpose.user is configurable["langgraph_auth_user"]
    assert (purpose.user.identity, configurable["langgraph_auth_user_id"]) == (owners.OWNER, owners.OWNER)


async def test_runs_are_listed_only_to_who_may_search() -> None:
    auth = owners.handlers()

    @auth.on.threads.search
    async def nobody(ctx: Any, value: Any) -> bool:
        assert value["metadata"] == {}
        return False

    api = Api(gatekeeper=Handlers(auth))
    thread = await api.json("POST", "/threads", {}, **ALICE)
    await api.json("GET", f"/threads/{thread['thread_id']}", **ALICE)
    await api.json("GET", f"/threads/{thread['thread_id']}/runs", status=403, **ALICE)


async def test_a_handler_knows_the_id_of_what_is_about_to_be_made() -> None:
    auth, asked = owners.handlers(), []

    @auth.on.threads.create
    async def note(ctx: Any, value: Any) -> None:
        assert value["metadata"] == {}
        assert value["if_exists"] == "raise"
        asked.append(str(value["thread_id"]))

    api = Api(gatekeeper=Handlers(auth))
    made = [(await api.json("POST", "/threads", {}, **ALICE))["thread_id"]]
    made.append((await api.json("POST", "/threads", {"thread_id": ids.random_id()}, **ALICE))["thread_id"])
    assert asked == made
