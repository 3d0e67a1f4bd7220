"""Runs over HTTP: what is stored, announced and answered."""

import json
from typing import Any

import pytest

import clock
from errors import Unavailable
from http_messages import HttpResponse, Passthrough
from runs.thread_object.object_paths import RunRequest, parse
from settings import Settings
from tables import runs
from tests.support.http_api import Api

UNKNOWN = "0b4211ba-46f4-4cdb-830a-6ba6412ee448"


@pytest.fixture
def api() -> Api:
    return Api()


async def create(api: Api, thread_id: str, **body: Any) -> dict[str, Any]:
    """A new background run."""
    return await api.json("POST", f"/threads/{thread_id}/runs", {"assistant_id": "sequence", **body}, status=202)


async def test_a_background_run_is_stored_announced_and_returned(api: Api) -> None:
    thread_id = await api.new_thread(metadata={"tm": 1, "m": "thread"})
    body = {
        "assistant_id": "sequence",
        "input": {"topic": "T"},
        "metadata": {"m": 1},
        "config": {"configurable": {"foo": "bar"}, "tags": ["x"], "recursion_limit": 30},
    }
    answer = await api.ask("POST", f"/threads/{thread_id}/runs", body)
    assert isinstance(answer, HttpResponse)
    assert answer.status == 202
    run = json.loads(answer.body)
    assert answer.headers["content-location"] == f"/threads/{thread_id}/runs/{run['run_id']}"
    assert api.queue.sent == [(thread_id, run["run_id"])]
    assistant_id = run["assistant_id"]
    metadata = {"created_by": "system", "tm": 1, "m": 1, "graph_id": "sequence", "assistant_id": assistant_id}
    configurable = run["kwargs"]["config"]["configurable"]
    assert run == {
        "run_id": run["run_id"],
        "thread_id": thread_id,
        "assistant_id": assistant_id,
        "metadata": metadata,
        "status": "pending",
        "kwargs": {
            "input": {"topic": "T"},
            "command": None,
            "config": {
                "configurable": {
                    "foo": "bar",
                    "langgraph_auth_user": None,
                    "langgraph_auth_user_id": "",
                    "langgraph_auth_permissions": [],
                    "langgraph_request_id": configurable["langgraph_request_id"],
                    "__request_start_time_ms__": configurable["__request_start_time_ms__"],
                    "__after_seconds__": 0,
                    "run_id": run["run_id"],
                    "thread_id": thread_id,
                    "graph_id": "sequence",
                    "assistant_id": assistant_id,
                    "user_id": "",
                },
                "tags": ["x"],
                "recursion_limit": 30,
                "metadata": metadata,
            },
            "context": {"foo": "bar"},
            "stream_mode": ["values"],
            "interrupt_before": None,
            "interrupt_after": None,
            "webhook": None,
            "feedback_keys": None,
            "temporary": False,
            "subgraphs": False,
            "resumable": False,
            "checkpoint_during": True,
            "durability": "async",
        },
        "multitask_strategy": "enqueue",
        "created_at": run["created_at"],
        "updated_at": run["updated_at"],
        "langsmith_session_name": None,
    }
    assert await api.json("GET", f"/threads/{thread_id}/runs/{run['run_id']}") == run


async def test_the_thread_is_busy_from_creation_and_knows_its_graph(api: Api) -> None:
    thread_id = await api.new_thread(metadata={"tm": 1})
    run = await create(api, thread_id, config={"tags": ["x"], "recursion_limit": 30, "configurable": {"foo": 1}})
    thread = await api.json("GET", f"/threads/{thread_id}")
    assert thread["status"] == "busy"
    assert thread["metadata"] == {"tm": 1, "graph_id": "sequence", "assistant_id": run["assistant_id"]}
    assert thread["config"] == {"configurable": {}, "tags": ["x"], "recursion_limit": 30}
    assert thread["updated_at"] == run["created_at"]
    assert thread["state_updated_at"] == thread["created_at"]


async def test_creating_takes_two_round_trips_and_few_rows(api: Api) -> None:
    thread_id = await api.new_thread()
    await create(api, thread_id)
    trips, rows = api.db.round_trips, api.db.rows_written
    await create(api, thread_id)
    assert (api.db.round_trips - trips, api.db.rows_written - rows) == (2, 2)
    trips, rows = api.db.round_trips, api.db.rows_written
    await api.json("POST", "/runs", {"assistant_id": "sequence"}, status=202)
    assert (api.db.round_trips - trips, api.db.rows_written - rows) == (2, 3)


async def test_a_javascript_caller_gets_200_with_the_same_body(api: Api) -> None:
    thread_id = await api.new_thread()
    run = await api.json(
        "POST", f"/threads/{thread_id}/runs", {"assistant_id": "sequence"}, status=200, **{"sec-fetch-mode": "cors"}
    )
    assert run["status"] == "pending"


async def test_a_queue_that_is_down_does_not_refuse_a_run_that_is_stored(
    api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    thread_id = await api.new_thread()
    api.queue.failure = Unavailable("the queue is down")
    run = await create(api, thread_id)
    assert (await api.json("GET", f"/threads/{thread_id}/runs/{run['run_id']}"))["status"] == "pending"
    assert f"stored but not announced, the first is {run['run_id']}" in caplog.text


@pytest.mark.parametrize(("kind", "path"), [("stream", "stream?last_event_id=-1"), ("wait", "join")])
async def test_the_creator_of_a_run_is_handed_to_the_threads_object(api: Api, kind: str, path: str) -> None:
    thread_id = await api.new_thread()
    body = {"assistant_id": "sequence", "on_disconnect": "cancel", "stream_mode": ["updates", "values"]}
    answer = await api.ask("POST", f"/threads/{thread_id}/runs/{kind}", body, headers={"origin": "https://a.example"})
    [(opened, url)] = api.thread_objects.opened
    assert isinstance(answer, Passthrough)
    assert answer.foreign == f"the answer to {url}"
    assert answer.headers["access-control-allow-origin"] == "*"
    request = parse(url)
    run_path = f"/threads/{thread_id}/runs/{request.run_id}"
    assert opened == thread_id
    assert request == RunRequest(
        run_id=request.run_id,
        kind=kind,  # type: ignore[arg-type]
        cancel_on_disconnect=True,
        location=f"{run_path}/{path}",
        content_location=run_path,
    )
    assert (await api.json("GET", run_path))["kwargs"]["stream_mode"] == ["updates", "values"]
    assert api.queue.sent == []


@pytest.mark.parametrize("kind", ["stream", "wait"])
async def test_an_object_that_is_being_reset_does_not_fail_the_creator_of_a_run(api: Api, kind: str) -> None:
    thread_id = await api.new_thread()
    api.thread_objects.failures = [Unavailable("reset")] * 2
    answer = await api.ask("POST", f"/threads/{thread_id}/runs/{kind}", {"assistant_id": "sequence"})
    assert isinstance(answer, Passthrough)
    assert (len(api.thread_objects.opened), api.rows("runs")) == (1, 1)
    api.thread_objects.failures = [Unavailable("reset")] * 3
    await api.detail("POST", f"/threads/{thread_id}/runs/{kind}", {"assistant_id": "sequence"}, status=503)


@pytest.mark.parametrize("kind", ["", "/stream", "/wait"])
async def test_a_stateless_run_gets_a_temporary_thread(api: Api, kind: str) -> None:
    answer = await api.ask("POST", f"/runs{kind}", {"assistant_id": "sequence", "metadata": {"m": 1}})
    [thread] = await api.json("POST", "/threads/search", {})
    [run] = await api.json("GET", f"/threads/{thread['thread_id']}/runs")
    assert thread["status"] == "busy"
    assert thread["metadata"] == {"m": 1, "graph_id": "sequence", "assistant_id": run["assistant_id"]}
    assert run["kwargs"]["temporary"] is True
    assert run["metadata"] == {"created_by": "system", "assistant_id": run["assistant_id"], "m": 1}
    run_path, thread_path = f"/runs/{run['run_id']}", f"/threads/{thread['thread_id']}/runs/{run['run_id']}"
    if isinstance(answer, HttpResponse):
        assert answer.headers["content-location"] == run_path
        assert api.queue.sent == [(thread["thread_id"], run["run_id"])]
        return
    [(_, url)] = api.thread_objects.opened
    locations = (parse(url).location, parse(url).content_location)
    assert (
        locations
        == {
            "/stream": (f"{thread_path}/stream?last_event_id=-1", run_path),
            "/wait": (f"{thread_path}/join", thread_path),
        }[kind]
    )


async def test_on_completion_keep_makes_the_thread_of_a_stateless_run_stay(api: Api) -> None:
    run = await api.json("POST", "/runs", {"assistant_id": "sequence", "on_completion": "keep"}, status=202)
    assert run["kwargs"]["temporary"] is False


@pytest.mark.parametrize("path", ["/threads/{}/runs", "/runs"])
@pytest.mark.parametrize(
    "reserved",
    ["thread_id", "run_id", "graph_id", "assistant_id", "user_id", "langgraph_auth_user", "langgraph_auth_user_id"],
)
async def test_a_caller_cannot_configure_what_is_the_servers_to_say(api: Api, path: str, reserved: str) -> None:
    own, foreign = await api.new_thread(), await api.new_thread()
    body = {"assistant_id": "sequence", "config": {"configurable": {reserved: foreign}}}
    run = await api.json("POST", path.format(own), body, status=202)
    configurable = run["kwargs"]["config"]["configurable"]
    assert run["thread_id"] != foreign
    assert configurable["thread_id"] == run["thread_id"]
    assert configurable[reserved] != foreign


async def test_a_checkpoint_cannot_lead_to_another_thread(api: Api) -> None:
    own, foreign = await api.new_thread(), await api.new_thread()
    checkpoint = {"thread_id": foreign, "checkpoint_id": UNKNOWN, "checkpoint_ns": "", "checkpoint_map": {"": UNKNOWN}}
    configurable = (await create(api, own, checkpoint=checkpoint))["kwargs"]["config"]["configurable"]
    assert configurable["thread_id"] == own
    assert {name: configurable[name] for name in ("checkpoint_id", "checkpoint_ns", "checkpoint_map")} == {
        "checkpoint_id": UNKNOWN,
        "checkpoint_ns": "",
        "checkpoint_map": {"": UNKNOWN},
    }
    assert (await create(api, own, checkpoint_id=UNKNOWN))["kwargs"]["config"]["configurable"][
        "checkpoint_id"
    ] == UNKNOWN


async def test_langgraphs_internal_keys_cannot_be_configured(api: Api) -> None:
    thread_id = await api.new_thread()
    run = await create(api, thread_id, config={"configurable": {"__pregel_checkpointer": 1, "__x": 2, "_y": 3}})
    configurable = run["kwargs"]["config"]["configurable"]
    assert {"__pregel_checkpointer", "__x"}.isdisjoint(configurable)
    assert configurable["_y"] == 3


@pytest.mark.parametrize("field", ["configurable", "context"])
@pytest.mark.parametrize(
    "checkpoint", [{"checkpoint_id": {"a": 1}}, {"checkpoint_ns": 1}, {"checkpoint_map": {"": [1]}}]
)
async def test_what_cannot_name_a_checkpoint_is_refused_wherever_it_stands(
    api: Api, field: str, checkpoint: dict[str, Any]
) -> None:
    thread_id = await api.new_thread()
    body = {"config": {field: checkpoint}} if field == "configurable" else {field: checkpoint}
    detail = await api.detail("POST", f"/threads/{thread_id}/runs", {"assistant_id": "sequence", **body}, status=422)
    assert detail.startswith(f"config.configurable.{next(iter(checkpoint))}")
    assert api.rows("runs") == 0


async def test_context_and_configurable_mirror_each_other(api: Api) -> None:
    thread_id = await api.new_thread()
    kwargs = (await create(api, thread_id, context={"k": 1}))["kwargs"]
    assert (kwargs["context"], kwargs["config"]["configurable"]["k"]) == ({"k": 1}, 1)
    both = {"assistant_id": "sequence", "context": {"k": 1}, "config": {"configurable": {"k": 2}}}
    detail = await api.detail("POST", f"/threads/{thread_id}/runs", both, status=400)
    assert detail.startswith("Cannot specify both configurable and context")


async def test_an_assistants_configuration_is_merged_under_the_runs(api: Api) -> None:
    thread_id = await api.new_thread(metadata={"tm": 1})
    assistant_id = (await create(api, thread_id))["assistant_id"]
    api.db.connection.execute(
        "UPDATE assistants SET config = ?, context = ?, metadata = ?",
        (
            '{"configurable":{"k":"assistant","only":"A"},"tags":["at"],"recursion_limit":50}',
            '{"k":"assistant","only":"A"}',
            '{"am":1,"tm":0}',
        ),
    )
    run = await create(
        api,
        thread_id,
        assistant_id=assistant_id,
        config={"configurable": {"k": "run"}, "tags": ["rt"]},
        metadata={"rm": 1},
    )
    config = run["kwargs"]["config"]
    assert (config["configurable"]["k"], config["configurable"]["only"]) == ("run", "A")
    assert (config["tags"], config["recursion_limit"]) == (["rt"], 50)
    assert run["kwargs"]["context"] == {"k": "run", "only": "A"}
    assert run["metadata"] == {"am": 1, "tm": 1, "graph_id": "sequence", "assistant_id": assistant_id, "rm": 1}
    thread = await api.json("GET", f"/threads/{thread_id}")
    assert thread["config"] == {
        "configurable": {"k": "assistant", "only": "A"},
        "tags": ["rt"],
        "recursion_limit": 50,
    }
    again = await create(api, thread_id, assistant_id=assistant_id)
    assert again["kwargs"]["config"]["tags"] == ["at"]


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ({}, ("async", True)),
        ({"durability": "sync"}, ("sync", True)),
        ({"durability": "exit"}, ("exit", True)),
        ({"checkpoint_during": False}, ("exit", False)),
        ({"checkpoint_during": True}, ("async", True)),
        ({"durability": "sync", "checkpoint_during": False}, ("sync", False)),
    ],
)
async def test_durability(api: Api, given: dict[str, Any], stored: tuple[str, bool]) -> None:
    kwargs = (await create(api, await api.new_thread(), **given))["kwargs"]
    assert (kwargs["durability"], kwargs["checkpoint_during"]) == stored


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("updates", ["updates"]),
        ([], ["values"]),
        (["values", "values", "debug"], ["values", "debug"]),
        (None, ["values"]),
    ],
)
async def test_stream_modes(api: Api, given: object, stored: list[str]) -> None:
    assert (await create(api, await api.new_thread(), stream_mode=given))["kwargs"]["stream_mode"] == stored


async def test_a_run_after_some_seconds_is_due_then(api: Api) -> None:
    thread_id = await api.new_thread()
    run = await create(api, thread_id, after_seconds=2.5)
    stored = await runs.get(api.db, thread_id, run["run_id"])
    assert stored
    assert stored.due_at == clock.shifted(run["created_at"], 2.5)
    assert run["kwargs"]["config"]["configurable"]["__after_seconds__"] == 2.5


async def test_a_command_is_stored_as_it_was_given(api: Api) -> None:
    thread_id = await api.new_thread()
    for command in (
        {},
        {"resume": None},
        {"resume": {"a": [1]}, "update": {"x": 1}},
        {"update": [["x", 1]], "goto": ["a", "b"]},
        {"goto": {"node": "a", "input": 1}},
        {"goto": [{"node": "a", "input": None}]},
    ):
        assert (await create(api, thread_id, command=command))["kwargs"]["command"] == command


async def test_a_run_on_an_unknown_thread_is_404_unless_it_may_be_created(api: Api) -> None:
    body = {"assistant_id": "sequence"}
    for kind in ("", "/stream", "/wait"):
        detail = await api.detail("POST", f"/threads/{UNKNOWN}/runs{kind}", body, status=404)
        assert detail == "Thread or assistant not found."
    assert (api.rows("threads"), api.rows("runs"), api.rows("assistants")) == (0, 0, 0)
    run = await create(api, UNKNOWN, if_not_exists="create")
    thread = await api.json("GET", f"/threads/{UNKNOWN}")
    assert thread["metadata"] == {"graph_id": "sequence", "assistant_id": run["assistant_id"]}


async def test_an_unknown_assistant_is_refused(api: Api) -> None:
    thread_id = await api.new_thread()
    detail = await api.detail("POST", f"/threads/{thread_id}/runs", {"assistant_id": UNKNOWN}, status=404)
    assert detail == "Thread or assistant not found."
    detail = await api.detail("POST", f"/threads/{thread_id}/runs", {"assistant_id": "nope"}, status=422)
    assert detail == (
        "Invalid assistant: 'nope'. Must be either:\n- A valid assistant UUID, or\n"
        "- One of the registered graphs: sequence, approval, failure, nested"
    )
    assert api.rows("runs") == 0


@pytest.mark.parametrize("name", ["", "Sequence", "sequence ", "';--", "\\ud83d", "é" * 1000, "../ok"])
async def test_no_name_but_a_graphs_names_an_assistant(api: Api, name: str) -> None:
    detail = await api.detail("POST", "/runs", {"assistant_id": name}, status=422)
    assert detail.startswith("Invalid assistant")


async def test_a_run_on_an_assistant_whose_graph_is_gone_is_404(api: Api) -> None:
    thread_id = await api.new_thread()
    assistant_id = (await create(api, thread_id))["assistant_id"]
    api.db.connection.execute("UPDATE assistants SET graph_id = 'gone'")
    detail = await api.detail("POST", f"/threads/{thread_id}/runs", {"assistant_id": assistant_id}, status=404)
    assert "'gone'" in detail


async def test_reject_refuses_a_second_run_and_leaves_nothing(api: Api) -> None:
    thread_id = await api.new_thread()
    await create(api, thread_id, multitask_strategy="reject")
    body = {"assistant_id": "sequence", "multitask_strategy": "reject"}
    detail = await api.detail("POST", f"/threads/{thread_id}/runs", body, status=409)
    assert detail.startswith("Thread is already running a task.")
    assert api.rows("runs") == 1


async def test_fields_of_other_clients_are_ignored(api: Api) -> None:
    extra = {
        "assistantId": "x",
        "multitaskStrategy": 5,
        "langsmith_tracer": {"project_name": "p"},
        "strict_resume": True,
    }
    run = await create(api, await api.new_thread(), feedback_keys=["k"], **extra)
    assert run["kwargs"]["feedback_keys"] == ["k"]


FIELDS = {
    "assistant_id": [None, 1, {}, []],
    "command": [1, "x", [], {"goto": 1}, {"goto": ["a", {"node": "b"}]}, {"update": 1}, {"update": [[1]]}],
    "metadata": [1, "x", []],
    "config": [
        1,
        "x",
        [],
        {"tags": "x"},
        {"tags": [1]},
        {"recursion_limit": "5"},
        {"recursion_limit": 0},
        {"configurable": 1},
    ],
    "context": [1, "x", []],
    "checkpoint": [1, "x", [], {"checkpoint_id": "x"}, {"checkpoint_ns": 1}, {"checkpoint_map": 1}],
    "checkpoint_id": [1, "x", "abc", {}],
    "stream_mode": [1, "bogus", ["values", "tools"], "lifecycle", {}, [1]],
    "stream_subgraphs": [1, "true", []],
    "stream_resumable": [0, "x"],
    "interrupt_before": [1, "x", {}, [1]],
    "interrupt_after": [1, "x", {}, [1]],
    "webhook": [1, {}],
    "feedback_keys": ["x", [1]],
    "multitask_strategy": ["bogus", 1],
    "if_not_exists": ["bogus", 1],
    "on_disconnect": ["bogus", 1],
    "on_completion": ["bogus", 1],
    "after_seconds": ["x", -1, 10**30, True],
    "durability": ["bogus", 1],
    "checkpoint_during": ["x", 1],
}


@pytest.mark.parametrize(("field", "value"), [(field, value) for field, values in FIELDS.items() for value in values])
async def test_a_field_of_the_wrong_type_is_named(api: Api, field: str, value: object) -> None:
    thread_id = await api.new_thread()
    body = {"assistant_id": "sequence", field: value}
    detail = await api.detail("POST", f"/threads/{thread_id}/runs", body, status=422)
    assert detail.startswith((field, "Invalid checkpoint ID"))
    assert api.rows("runs") == 0


async def test_the_missing_assistant_is_named(api: Api) -> None:
    assert await api.detail("POST", "/runs", {"input": {}}, status=422) == '"assistant_id" is a required property'


@pytest.mark.parametrize("body", [[], "x", 1, None, [{}]])
async def test_a_body_that_is_no_object_is_refused(api: Api, body: object) -> None:
    await api.detail("POST", "/runs", json.dumps(body), status=422)


@pytest.mark.parametrize("field", [field for field in FIELDS if field != "assistant_id"])
async def test_an_explicit_null_is_like_nothing(api: Api, field: str) -> None:
    await create(api, await api.new_thread(), **{field: None})


async def test_large_kwargs_come_back_whole(api: Api) -> None:
    thread_id = await api.new_thread()
    text = "é😀x" * 700_000
    run = await create(api, thread_id, input={"topic": text})
    assert run["kwargs"]["input"] == {"topic": text}
    assert api.rows("large_texts") >= 3
    assert await api.json("GET", f"/threads/{thread_id}/runs/{run['run_id']}") == run
    assert await api.json("GET", f"/threads/{thread_id}/runs") == [run]


async def test_a_run_is_found_on_its_own_thread_only(api: Api) -> None:
    mine, other = await api.new_thread(), await api.new_thread()
    run_id = (await create(api, mine))["run_id"]
    assert await api.detail("GET", f"/threads/{other}/runs/{run_id}", status=404) == "Not Found"
    assert await api.detail("GET", f"/threads/{mine}/runs/{UNKNOWN}", status=404) == "Not Found"
    unknown_thread = await api.detail("GET", f"/threads/{UNKNOWN}/runs/{run_id}", status=404)
    assert unknown_thread == f"Thread with ID {UNKNOWN} not found"
    assert await api.detail("GET", f"/threads/{mine}/runs/abc", status=422) == "Invalid run ID: must be a UUID"


async def test_runs_are_listed_newest_first_in_pages(api: Api) -> None:
    thread_id = await api.new_thread()
    ids = [(await create(api, thread_id))["run_id"] for _ in range(3)]
    path = f"/threads/{thread_id}/runs"
    assert [run["run_id"] for run in await api.json("GET", path)] == ids[::-1]
    assert [run["run_id"] for run in await api.json("GET", f"{path}?limit=1&offset=1")] == [ids[1]]
    assert await api.json("GET", f"{path}?limit=0") == []
    assert await api.json("GET", f"{path}?status=success") == []
    assert await api.json("GET", f"{path}?status=bogus%00") == []
    selected = await api.json("GET", f"{path}?limit=100001&select=run_id&select=status&status=pending")
    assert selected == [{"run_id": run_id, "status": "pending"} for run_id in ids[::-1]]
    assert await api.detail("GET", f"/threads/{UNKNOWN}/runs", status=404) == f"Thread with ID {UNKNOWN} not found"


@pytest.mark.parametrize(
    "query", ["limit=abc", "limit=-1", "offset=-1", "offset=1" + "0" * 30, "select=bogus", "limit="]
)
async def test_a_wrong_query_is_refused_by_name(api: Api, query: str) -> None:
    thread_id = await api.new_thread()
    detail = await api.detail("GET", f"/threads/{thread_id}/runs?{query}", status=422)
    assert detail.startswith(query.partition("=")[0])


async def test_joining_a_stream_passes_on_what_the_caller_wants(api: Api) -> None:
    thread_id = await api.new_thread()
    run_id = (await create(api, thread_id))["run_id"]
    path = f"/threads/{thread_id}/runs/{run_id}"
    query = 'stream_mode=values&stream_mode=%5B"updates","debug"%5D&stream_mode=&cancel_on_disconnect=1'
    await api.ask("GET", f"{path}/stream?{query}", headers={"last-event-id": "-1"})
    assert parse(api.thread_objects.opened[-1][1]) == RunRequest(
        run_id=run_id,
        kind="stream",
        joins=True,
        stream_modes=("values", "updates", "debug"),
        last_event_id="-1",
        cancel_on_disconnect=True,
        location=f"{path}/stream?cancel_on_disconnect=True"
        "&stream_mode=values&stream_mode=%5B%22updates%22%2C%22debug%22%5D&stream_mode=",
        content_location=path,
    )
    await api.ask("GET", f"{path}/join?cancel_on_disconnect=0")
    assert parse(api.thread_objects.opened[-1][1]) == RunRequest(
        run_id=run_id, kind="wait", joins=True, location=f"{path}/join", content_location=path
    )


async def test_a_stream_goes_on_where_its_address_says_unless_a_header_knows_better(api: Api) -> None:
    thread_id = await api.new_thread()
    path = f"/threads/{thread_id}/runs/{(await create(api, thread_id))['run_id']}/stream?last_event_id=-1"
    await api.ask("GET", path)
    await api.ask("GET", path, headers={"last-event-id": "17-1"})
    from_start, after_an_event = (parse(url) for _, url in api.thread_objects.opened)
    assert isinstance(from_start, RunRequest)
    assert isinstance(after_an_event, RunRequest)
    assert (from_start.last_event_id, after_an_event.last_event_id) == ("-1", "17-1")
    assert from_start.location == after_an_event.location == path
    wrong = await api.detail("GET", path.replace("=-1", "=yesterday"), status=422)
    assert "last_event_id" in str(wrong)


@pytest.mark.parametrize("mode", ["%5B", "%5B1%5D", "%5B%5B", "%00", "[" * 3000])
async def test_a_stream_mode_that_is_garbage_selects_nothing_and_breaks_nothing(api: Api, mode: str) -> None:
    thread_id = await api.new_thread()
    run_id = (await create(api, thread_id))["run_id"]
    await api.ask("GET", f"/threads/{thread_id}/runs/{run_id}/stream?stream_mode={mode}")
    assert parse(api.thread_objects.opened[-1][1]).stream_modes


async def test_joining_what_does_not_exist_wakes_no_object(api: Api) -> None:
    thread_id = await api.new_thread()
    missing_run = await api.json("GET", f"/threads/{thread_id}/runs/{UNKNOWN}/join")
    assert missing_run == {"__error__": {"error": "HTTPException", "message": "404: Run not found"}}
    assert await api.detail("GET", f"/threads/{UNKNOWN}/runs/{UNKNOWN}/join", status=404) == "Thread not found"
    for thread, word in ((thread_id, "Run"), (UNKNOWN, "Thread")):
        answer = await api.ask("GET", f"/threads/{thread}/runs/{UNKNOWN}/stream")
        assert isinstance(answer, HttpResponse)
        assert answer.status == 200
        assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
        error = f'{{"error":"HTTPException","message":"404: {word} not found"}}'
        assert answer.body == f"event: error\r\ndata: {error}\r\n\r\n"
    assert api.thread_objects.opened == []


async def test_the_setting_fixes_the_status_of_an_accepted_run() -> None:
    api = Api(Settings(accepted_status="200"))
    await api.json("POST", "/runs", {"assistant_id": "sequence"}, status=200)
