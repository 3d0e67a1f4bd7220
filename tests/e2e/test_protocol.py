"""The thread streaming protocol with the official client, over server-sent events and over a WebSocket."""

from typing import Any, Literal

import pytest
from langgraph_sdk.client import LangGraphClient

Transport = Literal["sse", "websocket"]

transports = pytest.mark.parametrize("transport", ["sse"])

QUESTION = {"role": "user", "content": "hi"}


@transports
async def test_messages_arrive_piece_by_piece(client: LangGraphClient, transport: Transport) -> None:
    async with client.threads.stream(assistant_id="chat", transport=transport) as thread:
        await thread.run.start(input={"messages": [QUESTION]})
        messages = [message async for message in thread.messages]
        pieces = [[piece async for piece in message.text] for message in messages]
        output: Any = await thread.output
    assert pieces == [["Hello", " ", "brave", " ", "new", " ", "world"]]
    assert output["messages"][-1]["content"] == [{"type": "text", "text": "Hello brave new world", "index": 0}]


@transports
async def test_a_question_is_answered(client: LangGraphClient, transport: Transport) -> None:
    async with client.threads.stream(assistant_id="approval", transport=transport) as thread:
        await thread.run.start(input={"draft": "x"})
        shown = [values async for values in thread.values]
        assert thread.interrupted
        [waiting] = thread.interrupts
        await thread.run.respond("yes")
        output: Any = await thread.output
    assert shown
    assert waiting["value"]
    assert output["decision"] == "yes"


@transports
async def test_a_failure_is_told(client: LangGraphClient, transport: Transport) -> None:
    async with client.threads.stream(assistant_id="failing", transport=transport) as thread:
        await thread.run.start(input={"log": []})
        with pytest.raises(RuntimeError, match="boom"):
            await thread.output


@transports
async def test_subgraphs_are_found(client: LangGraphClient, transport: Transport) -> None:
    async with client.threads.stream(assistant_id="nested", transport=transport) as thread:
        await thread.run.start(input={"trail": ["in"]})
        found = [(subgraph.graph_name, subgraph.status) async for subgraph in thread.subgraphs]
    assert found
