"""The graphs as agents of the Agent2Agent protocol."""

from typing import Any

from tools.differential.session import Session


async def _chat(server: Session) -> str:
    [found] = await server.post("/assistants/search", {"graph_id": "chat", "metadata": {"created_by": "system"}})
    return found["assistant_id"]


async def _call(server: Session, assistant_id: str, method: str, params: Any) -> Any:
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    return (await server.ask("POST", f"/a2a/{assistant_id}", body, headers={"accept": "application/json"})).json()


def _message(server: Session, **more: Any) -> dict[str, Any]:
    parts = [{"kind": "text", "text": "hi"}]
    return {"message": {"role": "user", "messageId": server.new_id(), "parts": parts, "kind": "message", **more}}


async def send(server: Session) -> None:
    assistant_id = await _chat(server)
    task = (await _call(server, assistant_id, "message/send", _message(server)))["result"]
    await _call(server, assistant_id, "tasks/get", {"id": task["id"], "contextId": task["contextId"]})
    await _call(server, assistant_id, "tasks/cancel", {"id": task["id"], "contextId": task["contextId"]})
    await _call(server, assistant_id, "message/send", _message(server, contextId=task["contextId"]))


async def cards(server: Session) -> None:
    assistant_id = await _chat(server)
    await server.get("/.well-known/agent-card.json")
    await server.get(f"/.well-known/agent-card.json?assistant_id={assistant_id}")
    await server.get(f"/a2a/{assistant_id}/.well-known/agent-card.json")
    await server.get(f"/a2a/{assistant_id}")
    await server.get(f"/a2a/{server.new_id()}/.well-known/agent-card.json")


async def refused(server: Session) -> None:
    assistant_id = await _chat(server)
    await _call(server, assistant_id, "nobody/calls", {})
    await _call(server, assistant_id, "message/send", {})
    await _call(server, assistant_id, "tasks/get", {"id": "nope"})
    await server.ask("POST", f"/a2a/{assistant_id}", content=b"{bad")
