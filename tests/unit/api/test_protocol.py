"""Commands of the thread streaming protocol and subscriptions to its events: answers, refusals, and what is written."""

import json
from typing import Any

import pytest

from api.socket_commands import handshake_headers
from http_messages import HttpResponse, Passthrough
from runs.thread_object import object_paths
from runs.thread_object.object_paths import FollowRequest
from streaming.protocol_view import Wanted
from tests.support.http_api import Api

THREAD = "3a8483bb-a45e-424a-ae57-0bebddbee6e3"


async def send(api: Api, method: str, params: Any = None, *, command_id: int = 1, thread_id: str = THREAD) -> Any:
    """The answer to a command, which is a 200 whatever becomes of the command."""
    command = {"id": command_id, "method": method, "params": params}
    return await api.json("POST", f"/threads/{thread_id}/commands", command)


async def test_a_run_starts_on_a_thread_that_comes_with_it() -> None:
    api = Api()
    given = {"assistant_id": "sequence", "input": {"topic": "p"}, "multitaskStrategy": "enqueue", "metadata": {"m": 1}}
    answer = await send(api, "run.start", given, command_id=7)
    run_id = answer["result"]["run_id"]
    assert answer == {"type": "success", "id": 7, "result": {"run_id": run_id}, "meta": {"applied_through_seq": 0}}
    [run] = await api.json("GET", f"/threads/{THREAD}/runs")
    assert run["run_id"] == run_id
    assert run["metadata"]["m"] == 1
    kwargs = run["kwargs"]
    assert kwargs["input"] == {"topic": "p"}
    assert kwargs["config"]["configurable"]["__event_streaming_v2"] is True
    assert (kwargs["subgraphs"], kwargs["resumable"]) == (True, True)
    assert "lifecycle" in kwargs["stream_mode"]


@pytest.mark.parametrize(
    ("params", "code", "message"),
    [
        (None, "invalid_argument", "run.start requires an assistant_id."),
        ({"assistant_id": 1}, "invalid_argument", "run.start requires an assistant_id."),
        ({"assistant_id": "nope"}, "unknown_error", "422: Invalid assistant: 'nope'."),
        ({"assistant_id": THREAD}, "unknown_error", "404: Thread or assistant not found."),
        ({"assistant_id": "sequence", "config": 1}, "unknown_error", "422: config"),
        ({"assistant_id": "sequence", "multitask_strategy": "bogus"}, "unknown_error", "422: multitask_strategy"),
    ],
)
async def test_a_run_that_cannot_start_leaves_nothing_behind(params: Any, code: str, message: str) -> None:
    api = Api()
    answer = await send(api, "run.start", params)
    assert (answer["type"], answer["id"], answer["error"]) == ("error", 1, code)
    assert answer["message"].startswith(message)
    assert api.rows("threads") == api.rows("runs") == 0


@pytest.mark.parametrize("body", [{}, {"id": 1}, {"id": "x", "method": "run.start"}, {"id": True, "method": "a"}, []])
async def test_a_broken_envelope_is_a_400(body: Any) -> None:
    answer = await Api().json("POST", f"/threads/{THREAD}/commands", body, status=400)
    echoed = body.get("id") if isinstance(body, dict) else None
    assert (answer["type"], answer["id"], answer["error"]) == ("error", echoed, "invalid_argument")
    assert "integer id" in answer["message"]


@pytest.mark.parametrize("path", ["commands", "stream/events"])
@pytest.mark.parametrize("body", ["{bad", "", '{"id":NaN}', b"\xff", "[" * 100_000])
async def test_what_is_no_json_is_a_400(path: str, body: str | bytes) -> None:
    assert "JSON" in await Api().detail("POST", f"/threads/{THREAD}/{path}", body, status=400)


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("nope", {}, "unknown_command"),
        ("state.get", {"namespace": []}, "unknown_command"),
        ("subscription.subscribe", {"channels": ["bogus"]}, "invalid_argument"),
        ("subscription.subscribe", {}, "invalid_argument"),
        ("subscription.unsubscribe", {"subscription_id": "x"}, "no_such_subscription"),
        ("subscription.reconnect", {"run_id": "x"}, "no_such_run"),
        ("agent.getTree", {}, "no_such_run"),
        ("input.respond", {"interrupt_id": "x", "response": 1}, "no_such_interrupt"),
        ("input.respond", {"responses": []}, "invalid_argument"),
        ("input.respond", {"response": 1}, "invalid_argument"),
    ],
)
async def test_what_cannot_be_done_is_told_by_a_code(method: str, params: Any, code: str) -> None:
    answer = await send(Api(), method, params)
    assert (answer["type"], answer["error"]) == ("error", code)


async def test_over_http_the_event_stream_is_the_subscription() -> None:
    answer = await send(Api(), "subscription.subscribe", {"channels": ["values", "custom:progress"]})
    assert answer["result"]["replayed_events"] == 0
    assert answer["result"]["subscription_id"]


async def waiting_thread(api: Api) -> str:
    """A thread on which two tasks wait for an answer."""
    thread_id = await api.new_thread(metadata={"graph_id": "approval", "assistant_id": "approval"})
    waiting = {"task": [{"id": "one", "value": 1}], "other": [{"id": "two", "value": 2}]}
    api.db.connection.execute(
        "UPDATE threads SET status = 'interrupted', interrupts = ? WHERE thread_id = ?",
        (json.dumps(waiting), thread_id),
    )
    return thread_id


async def test_an_answer_is_a_run_and_counts_once() -> None:
    api = Api()
    thread_id = await waiting_thread(api)
    given = {"namespace": [], "interrupt_id": "one", "response": {"ok": 1}, "update": {"topic": "new"}}
    answer = await send(api, "input.respond", given, thread_id=thread_id)
    assert answer == {"type": "success", "id": 1, "result": {}, "meta": {"applied_through_seq": 0}}
    again = await send(api, "input.respond", given, thread_id=thread_id)
    assert again["error"] == "no_such_interrupt"
    [run] = await api.json("GET", f"/threads/{thread_id}/runs")
    assert run["kwargs"]["command"] == {"resume": {"one": {"ok": 1}}, "update": {"topic": "new"}}


async def test_an_answer_that_is_sent_again_with_its_key_is_told_the_same() -> None:
    api = Api()
    path = f"/threads/{await waiting_thread(api)}/commands"
    command = {"id": 1, "method": "input.respond", "params": {"interrupt_id": "one", "response": 1}}
    for _ in range(2):
        answer = await api.json("POST", path, command, **{"idempotency-key": "k"})
        assert answer == {"type": "success", "id": 1, "result": {}, "meta": {"applied_through_seq": 0}}
    assert api.rows("runs") == 1


def test_a_key_of_the_handshake_is_not_that_of_each_command() -> None:
    sent = {"authorization": "Bearer t", "idempotency-key": "k", "sec-websocket-key": "s", "upgrade": "websocket"}
    assert handshake_headers(sent) == {"authorization": "Bearer t"}


async def test_several_answers_are_one_run_and_all_must_be_waited_for() -> None:
    api = Api()
    thread_id = await waiting_thread(api)
    answers = [{"interrupt_id": "one", "response": "A"}, {"interrupt_id": "two", "response": "B"}]
    refused = await send(
        api, "input.respond", {"responses": [*answers, {"interrupt_id": "three"}]}, thread_id=thread_id
    )
    assert refused["message"].endswith("three")
    assert api.rows("runs") == 0
    assert (await send(api, "input.respond", {"responses": answers}, thread_id=thread_id))["type"] == "success"
    [run] = await api.json("GET", f"/threads/{thread_id}/runs")
    assert run["kwargs"]["command"]["resume"] == {"one": "A", "two": "B"}


async def wanted(api: Api, body: dict[str, Any]) -> Wanted:
    """What the thread's object is asked for."""
    answer = await api.ask("POST", f"/threads/{THREAD}/stream/events", body)
    assert isinstance(answer, Passthrough)
    request = object_paths.parse(api.thread_objects.opened[-1][1])
    assert isinstance(request, FollowRequest)
    assert request.kind == "events"
    return Wanted.of(json.loads(request.options))


async def test_a_subscription_reaches_the_object_whole() -> None:
    body = {"channels": ["values", "values", "custom:a"], "namespaces": [["child"], []], "depth": 1, "since": 5}
    assert await wanted(Api(), body) == Wanted(
        channels=("values", "custom:a"), namespaces=(("child",), ()), depth=1, since=5
    )


@pytest.mark.parametrize(
    "odd", [{"depth": "x"}, {"depth": -1}, {"namespaces": "x"}, {"namespaces": [[1]]}, {"since": -1}, {"since": 1.5}]
)
async def test_what_has_not_the_right_form_does_not_count(odd: dict[str, Any]) -> None:
    assert await wanted(Api(), {"channels": ["values"], **odd}) == Wanted(channels=("values",))


@pytest.mark.parametrize("channels", [None, [], "values", ["bogus"], ["custom:"], [1], ["values", "input.requested"]])
async def test_channels_must_be_known(channels: Any) -> None:
    api = Api()
    answer = await api.ask("POST", f"/threads/{THREAD}/stream/events", {"channels": channels})
    assert isinstance(answer, HttpResponse)
    assert answer.status == 400
    assert "channels" in json.loads(answer.body)["detail"]
    assert api.thread_objects.opened == []
