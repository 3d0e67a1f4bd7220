"""The official MCP client calls assistants as tools."""

import json

from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client


async def test_graphs_are_tools(server_url: str) -> None:
    async with Client(streamable_http_client(f"{server_url}/mcp")) as tools:
        listed = {tool.name: tool for tool in (await tools.list_tools()).tools}
    assert {"sequence", "chat", "approval"} <= set(listed)
    assert listed["chat"].input_schema["properties"]["messages"]["type"] == "string"


async def test_a_tool_is_called(server_url: str) -> None:
    async with Client(streamable_http_client(f"{server_url}/mcp")) as tools:
        said = await tools.call_tool("chat", {"messages": "hello"})
        failed = await tools.call_tool("failing", {})
    assert not said.is_error
    contents = [message["content"] for message in json.loads(said.content[0].text)["messages"]]
    assert contents == ["hello", "Hello brave new world"]
    assert failed.is_error
    assert failed.content[0].text == "ValueError: boom"
