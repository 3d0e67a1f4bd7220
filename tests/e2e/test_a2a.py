"""The official A2A client has a conversation with an assistant."""

import asyncio
from typing import Any

import httpx
import pytest
from a2a.client.card_resolver import A2ACardResolver
from a2a.client.client import ClientConfig
from a2a.client.client_factory import ClientFactory
from a2a.types import a2a_pb2 as v1
from langgraph_sdk.client import LangGraphClient

from tests.support.step_server import StepServer


def said(text: str, **more: str) -> v1.SendMessageRequest:
    parts = [v1.Part(text=text)]
    return v1.SendMessageRequest(message=v1.Message(role=v1.ROLE_USER, message_id=text, parts=parts, **more))


@pytest.mark.parametrize("version", ["0.3", "1.0"])
async def test_a_conversation(client: LangGraphClient, server_url: str, version: str) -> None:
    [chat] = await client.assistants.search(graph_id="chat", metadata={"created_by": "system"})
    async with httpx.AsyncClient(timeout=60) as http:
        card = await A2ACardResolver(http, f"{server_url}/a2a/{chat['assistant_id']}").get_agent_card()
        assert card.supported_interfaces[0].url == f"{server_url}/a2a/{chat['assistant_id']}"
        for interface in card.supported_interfaces:
            interface.protocol_version = version
        agent = ClientFactory(ClientConfig(httpx_client=http)).create(card)
        [first, *updates] = [event async for event in agent.send_message(said("hello"))]
        words = [update.status_update.status.message.parts for update in updates[:-2]]
        assert [parts[0].text for parts in words][-1] == "Hello brave new world"
        assert len(words) > 4
        assert updates[-2].artifact_update.artifact.parts[0].text == "Hello brave new world"
        assert updates[-1].status_update.status.state == v1.TASK_STATE_COMPLETED
        waits = ClientFactory(ClientConfig(httpx_client=http, streaming=False)).create(card)
        [answer] = [event async for event in waits.send_message(said("again", context_id=first.task.context_id))]
        assert [message.parts[0].text for message in answer.task.history] == [
            "hello",
            "Hello brave new world",
            "again",
            "Hello brave new world",
        ]
        found = await waits.get_task(v1.GetTaskRequest(id=answer.task.id))
        assert found.status.state == v1.TASK_STATE_COMPLETED


async def test_a_task_is_cancelled_while_it_runs(
    client: LangGraphClient, http: httpx.AsyncClient, steps: StepServer
) -> None:
    [gated] = await client.assistants.search(graph_id="gated", metadata={"created_by": "system"})
    path = f"/a2a/{gated['assistant_id']}"

    async def ask(method: str, params: object) -> Any:
        answer = await http.post(path, json={"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        return answer.json()["result"]

    steps.hold("a2a", 0)
    parts = [{"kind": "data", "data": {"url": steps.url, "run": "a2a", "steps": 2}}]
    message = {"role": "user", "messageId": "m", "parts": parts}
    task = await ask("message/send", {"message": message, "configuration": {"blocking": False}})
    await asyncio.to_thread(steps.wait_for_arrival, "a2a", 0)
    assert (await ask("tasks/get", {"id": task["id"]}))["status"]["state"] == "working"
    assert (await ask("tasks/cancel", {"id": task["id"]}))["status"]["state"] == "canceled"
    steps.release("a2a", 0)
    assert steps.arrivals("a2a") == {0: 1}
