"""A2A in both versions: what a server answers to every method, and the official client's own view of it."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from a2a.client.card_resolver import A2ACardResolver, parse_agent_card
from a2a.client.client import ClientConfig
from a2a.client.client_factory import ClientFactory
from a2a.compat.v0_3 import types as v0_3
from a2a.types import a2a_pb2 as v1
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, SystemMessage
from langchain_core.tools import tool
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode

import ids
from auth.handlers import Handlers
from http_messages import HttpRequest, HttpResponse, Streamed
from settings import VERSION
from tests.support import owners
from tests.support.executing_thread_objects import executing_api
from tests.support.http_api import Api

ORIGIN = "http://agents.example"
UNKNOWN = "0b4211ba-46f4-4cdb-830a-6ba6412ee448"


async def model(state: MessagesState) -> dict[str, Any]:
    said = GenericFakeChatModel(messages=iter([AIMessage(f"You said {state['messages'][-1].content}")]))
    return {"messages": [await said.ainvoke(state["messages"])]}


@tool
def adder(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def asks_for_a_tool(state: MessagesState) -> dict[str, Any]:
    call = {"name": "adder", "args": {"a": 2, "b": 3}, "id": "call_1"}
    return {"messages": [SystemMessage("be nice", id="s"), AIMessage("", tool_calls=[call], id="asks")]}


def tells(state: MessagesState) -> dict[str, Any]:
    return {"messages": [AIMessage([{"type": "text", "text": "It is 5"}, {"type": "other"}], id="tells")]}


def _chat() -> StateGraph[Any]:
    return StateGraph(MessagesState).add_node(model).add_edge(START, "model").add_edge("model", END)


def _calculator() -> StateGraph[Any]:
    graph = StateGraph(MessagesState).add_node(asks_for_a_tool).add_node("tools", ToolNode([adder])).add_node(tells)
    return graph.add_edge(START, "asks_for_a_tool").add_edge("asks_for_a_tool", "tools").add_edge("tools", "tells")


@pytest.fixture
def api() -> Api:
    api = executing_api()
    api.registry.graphs |= {"chat": _chat().compile(), "calculator": _calculator().compile()}
    return api


def text(said: str, message_id: str = "m1", **more: Any) -> dict[str, Any]:
    return {
        "role": "user",
        "kind": "message",
        "messageId": message_id,
        "parts": [{"kind": "text", "text": said}],
        **more,
    }


def data(**given: Any) -> dict[str, Any]:
    return {"role": "user", "messageId": "d", "kind": "message", "parts": [{"kind": "data", "data": given}]}


async def ask(
    api: Api, graph_id: str, method: str, params: Any, headers: dict[str, str] | None = None
) -> HttpResponse | Streamed:
    body = json.dumps({"jsonrpc": "2.0", "id": "r", "method": method, "params": params}).encode()
    path = f"/a2a/{ids.system_assistant(graph_id)}"
    answer = await api.ask_raw(HttpRequest("POST", path, [], headers or {}, body, ORIGIN))
    assert isinstance(answer, HttpResponse | Streamed)
    return answer


async def rpc(api: Api, graph_id: str, method: str, params: Any, **headers: str) -> Any:
    answer = await ask(api, graph_id, method, params, headers)
    assert isinstance(answer, HttpResponse)
    assert answer.status == 200, answer.body
    body = json.loads(answer.body)
    assert (body.pop("jsonrpc"), body.pop("id")) == ("2.0", "r")
    return body


async def send(api: Api, graph_id: str, message: dict[str, Any], **configuration: Any) -> Any:
    """The task that comes of a message, checked with the official types."""
    answer = await rpc(api, graph_id, "message/send", {"message": message, "configuration": configuration})
    assert "error" not in answer, answer
    v0_3.Task.model_validate(answer["result"])
    return answer["result"]


async def refusal(api: Api, graph_id: str, method: str, params: Any) -> tuple[int, str]:
    error = (await rpc(api, graph_id, method, params))["error"]
    return error["code"], error["message"]


async def stream(api: Api, graph_id: str, message: dict[str, Any], method: str = "message/stream") -> list[Any]:
    answer = await ask(api, graph_id, method, {"message": message})
    assert isinstance(answer, Streamed)
    assert answer.headers["content-type"] == "text/event-stream"
    frames = "".join([part async for part in answer.parts]).removesuffix("\r\n\r\n").split("\r\n\r\n")
    assert all(frame.startswith("event: message\r\ndata: ") for frame in frames)
    return [json.loads(frame.partition("data: ")[2])["result"] for frame in frames]


def words(task: dict[str, Any]) -> list[tuple[str, Any]]:
    return [(message["role"], message["parts"][0].get("text")) for message in task["history"]]


async def test_a_text_is_answered_by_a_task(api: Api) -> None:
    task = await send(api, "chat", text("hello"))
    thread_id, run_id = task["id"].split(":")
    said = {"kind": "text", "text": "You said hello"}
    assert task == {
        "kind": "task",
        "id": task["id"],
        "contextId": thread_id,
        "status": {"state": "completed", "timestamp": task["status"]["timestamp"]},
        "history": [
            {**text("hello"), "taskId": task["id"], "contextId": thread_id},
            {
                "kind": "message",
                "role": "agent",
                "parts": [said],
                "messageId": task["history"][1]["messageId"],
                "taskId": task["id"],
                "contextId": thread_id,
            },
        ],
        "artifacts": [
            {
                "artifactId": ids.derived(run_id, "artifact"),
                "name": "Assistant Response",
                "description": f"Response from assistant {ids.system_assistant('chat')}",
                "parts": [said],
            }
        ],
    }
    run = await api.json("GET", f"/threads/{thread_id}/runs/{run_id}")
    assert (run["status"], run["updated_at"]) == ("success", task["status"]["timestamp"])
    assert (await rpc(api, "chat", "tasks/get", {"id": task["id"]}))["result"] == task


async def test_a_context_goes_on_and_every_message_is_told_with_its_task(api: Api) -> None:
    first = await send(api, "chat", text("one", "m1"))
    second = await send(api, "chat", text("two", "m2", contextId=first["contextId"]))
    assert second["contextId"] == first["contextId"]
    assert words(second) == [("user", "one"), ("agent", "You said one"), ("user", "two"), ("agent", "You said two")]
    assert [message["taskId"] for message in second["history"]] == [first["id"]] * 2 + [second["id"]] * 2
    again = (await rpc(api, "chat", "tasks/get", {"id": first["id"]}))["result"]
    assert again["artifacts"][0]["parts"] == [{"kind": "text", "text": "You said one"}]


async def test_a_caller_may_want_less_history(api: Api) -> None:
    first = await send(api, "chat", text("one", "m1"))
    second = await send(api, "chat", text("two", "m2", contextId=first["contextId"]), historyLength=1)
    assert words(second) == [("agent", "You said two")]
    for length, number in ((0, 0), (3, 3), (99, 4)):
        answer = await rpc(api, "chat", "tasks/get", {"id": second["id"], "historyLength": length})
        assert len(answer["result"]["history"]) == number
    scoped = await rpc(api, "chat", "tasks/get", {"id": second["id"]}, **{"langgraph-a2a-history-scope": "task"})
    assert words(scoped["result"]) == [("user", "two"), ("agent", "You said two")]


async def test_tools_and_content_blocks_are_told(api: Api) -> None:
    task = await send(api, "calculator", text("2+3"))
    result = {"toolCallId": "call_1", "content": "5", "name": "adder", "status": "success"}
    assert [message["parts"] for message in task["history"]] == [
        [{"kind": "text", "text": "2+3"}],
        [{"kind": "data", "data": {"tool_results": [result]}}],
        [{"kind": "text", "text": "It is 5"}],
    ]
    assert task["artifacts"][0]["parts"] == [{"kind": "text", "text": "It is 5"}]


async def test_data_are_the_input_of_a_graph_and_its_values_the_artifact(api: Api) -> None:
    task = await send(api, "sequence", data(topic="t"))
    assert (task["status"]["state"], task["history"]) == ("completed", [])
    values = {"topic": "t", "log": ["plan", "write"]}
    assert task["artifacts"][0]["parts"] == [{"kind": "data", "data": values}]


async def test_files_are_content_blocks(api: Api) -> None:
    parts = [
        {"kind": "text", "text": "what is this?"},
        {"kind": "file", "file": {"uri": "https://x/y.png", "mimeType": "image/png", "name": "y.png"}},
        {"kind": "file", "file": {"bytes": "aGk="}},
        {"raw": "aGk=", "mediaType": "application/pdf"},
    ]
    task = await send(api, "calculator", {**text(""), "parts": parts})
    thread = await api.json("GET", f"/threads/{task['contextId']}")
    assert thread["values"]["messages"][0]["content"] == [
        {"type": "text", "text": "what is this?"},
        {"type": "image", "url": "https://x/y.png", "mime_type": "image/png", "filename": "y.png"},
        {"type": "file", "base64": "aGk="},
        {"type": "file", "base64": "aGk=", "mime_type": "application/pdf"},
    ]


async def test_a_question_is_asked_and_answered_in_the_same_context(api: Api) -> None:
    asked = await send(api, "approval", data(topic="t"))
    assert asked["status"]["state"] == "input-required"
    [artifact] = asked["artifacts"]
    [part] = artifact["parts"]
    assert (artifact["name"], part["data"]["value"]) == ("Interrupt", {"question": "ok?"})
    assert (await rpc(api, "approval", "tasks/get", {"id": asked["id"]}))["result"] == asked
    answered = await send(api, "approval", text("yes", taskId=asked["id"], contextId=asked["contextId"]))
    assert (answered["status"]["state"], answered["contextId"]) == ("completed", asked["contextId"])
    assert answered["artifacts"][0]["parts"][0]["data"]["log"] == ["yes"]
    code, _ = await refusal(api, "approval", "message/send", {"message": text("again", taskId=asked["id"])})
    assert code == -32004


async def test_an_answer_may_be_data(api: Api) -> None:
    asked = await send(api, "approval", data(topic="t"))
    answered = await send(api, "approval", {**data(ok=True), "taskId": asked["id"]})
    assert answered["artifacts"][0]["parts"][0]["data"]["log"] == [{"ok": True}]
    other = {"message": text("x", taskId=asked["id"], contextId=UNKNOWN)}
    assert (await refusal(api, "approval", "message/send", other))[0] == -32602


@pytest.mark.parametrize("method", ["message/send", "message/stream"])
async def test_a_message_that_is_sent_again_with_its_key_is_answered_once(api: Api, method: str) -> None:
    asked = await send(api, "approval", data(topic="t"))
    key, answer = {"idempotency-key": "k"}, {"message": text("yes", taskId=asked["id"])}
    ends: list[Any] = []
    for replayed in (None, "true"):
        reply = await ask(api, "approval", method, answer, key)
        assert reply.headers.get("idempotent-replayed") == replayed
        said = reply.body if isinstance(reply, HttpResponse) else "".join([part async for part in reply.parts])
        ends.append(json.loads(said.split("data: ")[-1])["result"])
    assert ends[0]["status"]["state"] == "completed"
    assert ends[0] == ends[1]
    assert api.rows("runs") == 2
    other = await rpc(api, "approval", method, {"message": text("no", taskId=asked["id"])}, **key)
    assert other["error"]["message"].startswith("Idempotency-Key: this key was used for another request")


async def test_a_task_that_fails_says_why(api: Api) -> None:
    task = await send(api, "failure", data(topic="t"))
    assert (task["status"]["state"], task["artifacts"]) == ("failed", [])
    assert task["status"]["message"]["parts"] == [{"kind": "text", "text": "ValueError: boom"}]


async def test_a_caller_need_not_wait_and_may_cancel(api: Api) -> None:
    task = await send(api, "chat", text("hello"), blocking=False)
    thread_id, run_id = task["id"].split(":")
    assert (task["status"]["state"], words(task)) == ("submitted", [("user", "hello")])
    assert api.queue.sent == [(thread_id, run_id)]
    canceled = (await rpc(api, "chat", "tasks/cancel", {"id": task["id"]}))["result"]
    v0_3.Task.model_validate(canceled)
    assert canceled["status"]["state"] == "canceled"
    code, _ = await refusal(api, "chat", "tasks/cancel", {"id": task["id"]})
    assert code == -32002


async def test_a_stream_tells_every_word_and_ends_with_what_came_of_it(api: Api) -> None:
    [submitted, *working, artifact, final] = await stream(api, "chat", text("hello"))
    v0_3.Task.model_validate(submitted)
    assert (submitted["status"]["state"], words(submitted)) == ("submitted", [("user", "hello")])
    for update in [*working, final]:
        v0_3.TaskStatusUpdateEvent.model_validate(update)
        assert (update["taskId"], update["contextId"]) == (submitted["id"], submitted["contextId"])
    told = [update["status"]["message"]["parts"][0]["text"] for update in working]
    assert told[:4] == ["You", "You ", "You said", "You said "]
    assert told[-1] == "You said hello"
    assert {(update["status"]["state"], update["final"]) for update in working} == {("working", False)}
    v0_3.TaskArtifactUpdateEvent.model_validate(artifact)
    assert artifact["artifact"]["parts"] == [{"kind": "text", "text": "You said hello"}]
    assert (final["status"]["state"], final["final"]) == ("completed", True)


async def test_a_stream_tells_of_tools_questions_and_failures(api: Api) -> None:
    [_, *updates, _, _] = await stream(api, "calculator", text("2+3"))
    parts = [update["status"]["message"]["parts"][0] for update in updates]
    assert parts[0]["data"]["tool_results"][0]["content"] == "5"
    assert parts[-1] == {"kind": "text", "text": "It is 5"}
    [_, artifact, final] = await stream(api, "approval", data(topic="t"))
    assert (artifact["artifact"]["name"], final["status"]["state"]) == ("Interrupt", "input-required")
    [_, final] = await stream(api, "failure", data(topic="t"))
    assert final["status"]["message"]["parts"][0]["text"] == "ValueError: boom"


async def test_the_card_says_where_and_what(api: Api) -> None:
    assistant_id = ids.system_assistant("sequence")
    paths = (
        f"/a2a/{assistant_id}",
        f"/a2a/{assistant_id}/.well-known/agent-card.json",
        f"/.well-known/agent-card.json?assistant_id={assistant_id}",
    )
    cards = []
    for path in paths:
        answer = await api.ask("GET", path)
        assert isinstance(answer, HttpResponse)
        cards.append(json.loads(answer.body))
    card = cards[0]
    assert cards == [card] * 3
    assert (card["name"], card["description"], card["version"]) == ("sequence", "plans, then writes", VERSION)
    assert card["url"] == f"/a2a/{assistant_id}"
    assert card["supportedInterfaces"][0] == {
        "url": card["url"],
        "protocolBinding": "JSONRPC",
        "protocolVersion": "1.0",
    }
    takes = {"required": [], "properties": ["topic", "log"], "supportsA2A": False}
    assert card["skills"][0]["metadata"]["inputSchema"] == takes
    v0_3.AgentCard.model_validate({**card, "url": "http://x" + card["url"]})
    assert parse_agent_card(card).skills[0].name == "sequence Capabilities"
    assert (await rpc(api, "sequence", "GetExtendedAgentCard", {}))["result"]["url"] == f"{ORIGIN}/a2a/{assistant_id}"


@pytest.mark.parametrize(
    "path",
    [
        "/.well-known/agent-card.json",
        "/.well-known/agent-card.json?assistant_id=sequence",
        f"/a2a/{UNKNOWN}",
        "/a2a/sequence/.well-known/agent-card.json",
    ],
)
async def test_there_is_no_card_of_nobody(api: Api, path: str) -> None:
    assert (await api.json("GET", path, status=400))["error"]["code"] == -32602


@pytest.mark.parametrize(
    ("graph_id", "method", "params", "code"),
    [
        ("chat", "bogus", {}, -32601),
        ("chat", "tasks/resubscribe", {"id": "x"}, -32601),
        ("chat", "message/send", {}, -32602),
        ("chat", "message/send", [], -32602),
        ("chat", "message/send", {"message": {**text("x"), "parts": []}}, -32602),
        ("chat", "message/send", {"message": {**text("x"), "parts": [{"kind": "text"}]}}, -32602),
        ("chat", "message/send", {"message": {**text("x"), "parts": [{"data": 5}]}}, -32602),
        ("chat", "message/send", {"message": text("x", contextId="not a UUID")}, -32602),
        ("chat", "message/send", {"message": text("x", taskId="nope")}, -32001),
        ("failure", "message/send", {"message": text("x")}, -32602),
        ("chat", "message/stream", {"message": {}}, -32602),
        ("chat", "tasks/get", {"id": "nope"}, -32001),
        ("chat", "tasks/get", {"id": f"{UNKNOWN}:{UNKNOWN}"}, -32001),
        ("chat", "tasks/get", {}, -32602),
        ("chat", "tasks/get", {"id": "nope", "historyLength": -1}, -32602),
        ("chat", "tasks/cancel", {"id": f"{UNKNOWN}:{UNKNOWN}"}, -32001),
        ("chat", "ListTasks", {"pageSize": 0}, -32602),
        ("chat", "ListTasks", {"pageToken": "x"}, -32602),
        ("nobody", "tasks/get", {"id": "nope"}, -32602),
    ],
)
async def test_what_cannot_be_done_is_an_error_of_the_protocol(
    api: Api, graph_id: str, method: str, params: Any, code: int
) -> None:
    assert (await refusal(api, graph_id, method, params))[0] == code
    assert (api.rows("threads"), api.rows("runs")) == (0, 0)


@pytest.mark.parametrize(
    ("body", "code"), [("{bad", -32700), ("", -32700), ("[]", -32600), ('{"id": 1.5, "jsonrpc": "2.0"}', -32600)]
)
async def test_what_is_no_request_is_refused(api: Api, body: str, code: int) -> None:
    answer = await api.json("POST", f"/a2a/{ids.system_assistant('chat')}", body)
    assert (answer["id"], answer["error"]["code"]) == (None, code)


async def test_a_task_of_another_assistant_is_unknown(api: Api) -> None:
    task = await send(api, "chat", text("hello"))
    assert (await refusal(api, "sequence", "tasks/get", {"id": task["id"]}))[0] == -32001


async def test_tasks_belong_to_their_threads_owner(api: Api) -> None:
    api.services = replace(api.services, gatekeeper=Handlers(owners.handlers()))
    owner, stranger = owners.bearer(owners.OWNER), owners.bearer(owners.STRANGER)
    task = (await rpc(api, "chat", "message/send", {"message": text("hello")}, **owner))["result"]
    assert task["status"]["state"] == "completed"
    for method in ("tasks/get", "tasks/cancel"):
        answer = await rpc(api, "chat", method, {"id": task["id"]}, **stranger)
        assert answer["error"]["code"] == -32001
    assert (await rpc(api, "chat", "ListTasks", {}, **stranger))["result"]["tasks"] == []
    assert (await rpc(api, "chat", "ListTasks", {}, **owner))["result"]["totalSize"] == 1
    said = {"message": text("mine", contextId=task["contextId"])}
    assert "error" in await rpc(api, "chat", "message/send", said, **stranger)
    assert (await rpc(api, "chat", "tasks/get", {"id": task["id"]}, **owner))["result"] == task


async def test_version_1_0_speaks_protocol_buffers(api: Api) -> None:
    message = {"role": "ROLE_USER", "messageId": "m1", "parts": [{"text": "hello"}]}
    sent = (await rpc(api, "chat", "SendMessage", {"message": message}))["result"]["task"]
    assert sent["status"]["state"] == "TASK_STATE_COMPLETED"
    assert [said["role"] for said in sent["history"]] == ["ROLE_USER", "ROLE_AGENT"]
    assert sent["history"][0]["parts"] == [{"text": "hello"}]
    assert (await rpc(api, "chat", "GetTask", {"id": sent["id"]}))["result"] == sent
    updates = await stream(api, "chat", message, "SendStreamingMessage")
    kinds = [kind for update in updates for kind in update]
    assert (kinds[0], set(kinds[1:-2]), kinds[-2:]) == ("task", {"statusUpdate"}, ["artifactUpdate", "statusUpdate"])
    assert updates[-1]["statusUpdate"]["status"]["state"] == "TASK_STATE_COMPLETED"
    assert (await refusal(api, "chat", "CancelTask", {"id": sent["id"]}))[0] == -32002


async def test_tasks_are_listed_newest_first(api: Api) -> None:
    first = await send(api, "chat", text("one", "m1"))
    second = await send(api, "chat", text("two", "m2", contextId=first["contextId"]))
    third = await send(api, "chat", text("three", "m3"))
    await send(api, "sequence", data(topic="t"))
    listed = (await rpc(api, "chat", "ListTasks", {}))["result"]
    assert [task["id"] for task in listed["tasks"]] == [third["id"], second["id"], first["id"]]
    assert (listed["totalSize"], listed["pageSize"], listed["nextPageToken"]) == (3, 50, "")
    assert all(task["artifacts"] == [] for task in listed["tasks"])
    wanted = {"pageSize": 2, "includeArtifacts": True, "historyLength": 0}
    page = (await rpc(api, "chat", "ListTasks", wanted))["result"]
    assert (len(page["tasks"]), page["nextPageToken"], page["tasks"][0]["history"]) == (2, "2", [])
    assert page["tasks"][0]["artifacts"][0]["parts"] == [{"text": "You said three"}]
    rest = (await rpc(api, "chat", "ListTasks", {"pageSize": 2, "pageToken": "2"}))["result"]
    assert [task["id"] for task in rest["tasks"]] == [first["id"]]
    one = (await rpc(api, "chat", "ListTasks", {"contextId": third["contextId"]}))["result"]
    assert [task["id"] for task in one["tasks"]] == [third["id"]]
    for state, number in (("TASK_STATE_COMPLETED", 3), ("TASK_STATE_FAILED", 0), ("bogus", 0)):
        assert (await rpc(api, "chat", "ListTasks", {"status": state}))["result"]["totalSize"] == number


async def test_listing_reads_the_index_of_threads(api: Api) -> None:
    plan = api.db.connection.execute(
        "EXPLAIN QUERY PLAN SELECT runs.run_id FROM threads INDEXED BY threads_search "
        "CROSS JOIN runs ON runs.thread_id = threads.thread_id WHERE threads.metadata -> '$.assistant_id' = 'a' "
        "ORDER BY threads.updated_at DESC, threads.thread_id DESC, runs.run_id DESC LIMIT 10"
    )
    details = " ".join(row["detail"] for row in plan)
    assert "COVERING INDEX threads_search" in details
    assert "TEMP B-TREE FOR ORDER BY" not in details


class _Transport(httpx.AsyncBaseTransport):
    """Sends the requests of an HTTP client to an `Api`."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        path, body = request.url.raw_path.decode(), await request.aread()
        answer = await self._api.ask_raw(HttpRequest(request.method, path, [], headers, body, ORIGIN))
        if isinstance(answer, Streamed):
            return httpx.Response(200, headers=dict(answer.headers), stream=_Stream(answer.parts))
        assert isinstance(answer, HttpResponse)
        return httpx.Response(answer.status, headers=dict(answer.headers), text=answer.body)


class _Stream(httpx.AsyncByteStream):
    def __init__(self, parts: AsyncIterator[str]) -> None:
        self._parts = parts

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._parts:
            yield part.encode()


@pytest.mark.parametrize("streaming", [True, False])
@pytest.mark.parametrize("version", ["0.3", "1.0"])
async def test_the_official_client_has_a_conversation(api: Api, streaming: bool, version: str) -> None:
    async with httpx.AsyncClient(transport=_Transport(api)) as http:
        base = f"{ORIGIN}/a2a/{ids.system_assistant('chat')}"
        card = await A2ACardResolver(http, base).get_agent_card()
        for interface in card.supported_interfaces:
            interface.protocol_version = version
        client = ClientFactory(ClientConfig(httpx_client=http, streaming=streaming)).create(card)
        message = v1.Message(role=v1.ROLE_USER, message_id="m1", parts=[v1.Part(text="hello")])
        events = [event async for event in client.send_message(v1.SendMessageRequest(message=message))]
        task = events[0].task
        if streaming:
            assert events[-1].status_update.status.state == v1.TASK_STATE_COMPLETED
            assert events[-2].artifact_update.artifact.parts[0].text == "You said hello"
        else:
            assert task.artifacts[0].parts[0].text == "You said hello"
        found = await client.get_task(v1.GetTaskRequest(id=task.id))
        assert found.status.state == v1.TASK_STATE_COMPLETED
        assert [message.parts[0].text for message in found.history] == ["hello", "You said hello"]
