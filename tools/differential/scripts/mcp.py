"""The graphs as tools of the Model Context Protocol."""

from typing import Any

import httpx

from tools.differential.session import Session

JSON = {"accept": "application/json"}


async def _call(server: Session, method: str, params: Any = None, **rest: Any) -> httpx.Response:
    body = {"jsonrpc": "2.0", "id": 1, "method": method, **({} if params is None else {"params": params}), **rest}
    return await server.ask("POST", "/mcp", body, headers=JSON)


async def handshake(server: Session) -> None:
    client = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "c", "version": "1"}}
    await _call(server, "initialize", client)
    await server.ask("POST", "/mcp", {"jsonrpc": "2.0", "method": "notifications/initialized"}, headers=JSON)
    await _call(server, "ping")
    await server.ask("POST", "/mcp", {"jsonrpc": "2.0", "id": 7, "result": {}}, headers=JSON)


async def call(server: Session) -> None:
    answer = (await _call(server, "tools/call", {"name": "sequence", "arguments": {"topic": "t"}})).json()
    assert answer["result"]["content"][0]["type"] == "text"


async def refused(server: Session) -> None:
    await _call(server, "tools/call", {"name": "nobody", "arguments": {}})
    await _call(server, "nobody/calls")
    await _call(server, "tools/call", {"name": "failing", "arguments": {"log": []}})
    await server.ask("POST", "/mcp", {"jsonrpc": "2.0", "method": "ping", "id": 1}, headers={"accept": "text/html"})
    await server.ask("POST", "/mcp", {"method": "ping", "id": 1}, headers=JSON)
    await server.ask("POST", "/mcp", content=b"{bad", headers=JSON)


async def other_methods(server: Session) -> None:
    await server.ask("GET", "/mcp")
    await server.ask("DELETE", "/mcp")
