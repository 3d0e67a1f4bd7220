"""Commands of the thread streaming protocol and subscriptions to its events: answers, refusals, and what is written."""

import hashlib
import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import pytest

from api.socket_commands import carry_out, handshake_headers
from http_messages import HttpResponse, Passthrough
from runs.thread_object import object_paths
from runs.thread_object.object_paths import FollowRequest
from streaming.protocol_view import Wanted
from tests.support.http_api import Api
from wire.bodies import JsonObject

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


async def test_what_is_nested_too_deeply_is_nobodys_fault_but_the_callers() -> None:
    """What can be read just so cannot be written any more."""
    api = Api()
    for depth in range(850, 1000, 2):
        params = '{"assistant_id":"sequence","input":' + '{"a":' * depth + "1" + "}" * (depth + 1)
        body = f'{{"id":1,"method":"run.start","idempotency_key":"{depth}","params":{params}}}'
        answer = await api.ask("POST", f"/threads/{THREAD}/commands", body)
        assert isinstance(answer, HttpResponse)
        assert answer.status in (200, 400), depth
    assert answer.status == 400


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


#: Sends a command with a key in one of the ways; its answer, and whether that is marked as a replay.
Send: TypeAlias = Callable[[Api, str, JsonObject, str], Awaitable[tuple[JsonObject, bool]]]


async def by_header(api: Api, thread_id: str, command: JsonObject, key: str) -> tuple[JsonObject, bool]:
    reply = await api.ask("POST", f"/threads/{thread_id}/commands", command, headers={"idempotency-key": key})
    assert isinstance(reply, HttpResponse)
    return json.loads(reply.body), reply.headers.get("idempotent-replayed") == "true"


async def by_member(api: Api, thread_id: str, command: JsonObject, key: Any) -> tuple[JsonObject, bool]:
    reply = await api.ask("POST", f"/threads/{thread_id}/commands", {**command, "idempotency_key": key})
    assert isinstance(reply, HttpResponse)
    return json.loads(reply.body), reply.headers.get("idempotent-replayed") == "true"


async def by_socket(api: Api, thread_id: str, command: JsonObject, key: Any) -> tuple[JsonObject, bool]:
    text = json.dumps({**command, "idempotency_key": key})
    _, answer = await carry_out(api.services, thread_id, {"headers": {}, "query": []}, text)
    return answer, answer.get("meta", {}).pop("idempotent_replayed", False)


WAYS: list[Send] = [by_header, by_member, by_socket]


@pytest.mark.parametrize("first", WAYS)
@pytest.mark.parametrize("again", WAYS)
@pytest.mark.parametrize("method", ["run.start", "input.respond"])
async def test_a_command_is_known_by_its_key_whichever_way_and_number_it_has(
    first: Send, again: Send, method: str
) -> None:
    api = Api()
    thread_id = await waiting_thread(api)
    start = {"assistant_id": "sequence", "input": {"topic": "t", "log": []}}
    params = start if method == "run.start" else {"interrupt_id": "one", "response": 1}
    told, is_replay = await first(api, thread_id, {"id": 1, "method": method, "params": params}, "k")
    assert not is_replay
    reordered = dict(reversed(params.items()))
    told_again, is_replay = await again(api, thread_id, {"params": reordered, "method": method, "id": 2}, "k")
    assert is_replay
    assert told["type"] == "success"
    assert told_again == {**told, "id": 2}
    other, _ = await again(api, thread_id, {"id": 1, "method": method, "params": {**params, "config": {}}}, "k")
    assert other["message"].startswith("422: Idempotency-Key: ")
    assert api.rows("runs") == api.rows("idempotency_keys") == 1


@pytest.mark.parametrize("key", [5, True, [], {}, "", "  ", "x" * 256, "tab\tin it", "ä", "line\nend"])
@pytest.mark.parametrize("way", [by_member, by_socket])
async def test_what_is_no_key_is_refused_by_name(way: Send, key: Any) -> None:
    api = Api()
    command = {"id": 3, "method": "run.start", "params": {"assistant_id": "sequence"}}
    answer, _ = await way(api, THREAD, command, key)
    assert (answer["type"], answer["id"], answer["error"]) == ("error", 3, "invalid_argument")
    assert answer["message"].startswith("idempotency_key: must be 1 to 255 printable ASCII characters")
    assert api.rows("threads") == api.rows("runs") == 0


async def test_a_header_and_a_member_say_the_same_or_nothing_is_done() -> None:
    api = Api()
    command = {"id": 1, "method": "run.start", "params": {"assistant_id": "sequence"}, "idempotency_key": "k"}
    path = f"/threads/{THREAD}/commands"
    refused = await api.json("POST", path, command, status=400, **{"idempotency-key": "other"})
    assert refused["error"] == "invalid_argument"
    assert refused["message"].startswith("idempotency_key: ")
    assert api.rows("runs") == 0
    for _ in range(2):
        assert (await api.json("POST", path, command, **{"idempotency-key": " k "}))["type"] == "success"
    assert api.rows("runs") == 1


async def test_what_a_command_has_besides_does_not_count() -> None:
    api = Api()
    for number, more in enumerate([{}, {"idempotency_key": None}, {"meta": {"idempotency_key": "k"}}], start=1):
        command = {"id": 1, "method": "run.start", "params": {"assistant_id": "sequence"}, **more}
        assert (await api.json("POST", f"/threads/{THREAD}/commands", command))["type"] == "success"
        assert (api.rows("runs"), api.rows("idempotency_keys")) == (number, 0)


async def test_a_key_of_the_release_before_is_known() -> None:
    """It counted the whole body, so another number was another command: that is still refused, and makes no run."""
    api = Api()
    path = f"/threads/{THREAD}/commands"
    command = {"id": 1, "method": "run.start", "params": {"assistant_id": "sequence"}}
    first, _ = await by_header(api, THREAD, command, "k")
    before = hashlib.sha256(f"POST {path}\n{json.dumps(command)}".encode()).hexdigest()
    api.db.connection.execute("UPDATE idempotency_keys SET fingerprint = ?", (before,))
    assert await by_header(api, THREAD, command, "k") == (first, True)
    refused, _ = await by_header(api, THREAD, {**command, "id": 2}, "k")
    assert refused["message"].startswith("422: ")
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
