"""The thread streaming protocol: commands, and events over SSE."""

from typing import Any

from tools.differential.session import Session

CHANNELS = ["values", "updates", "messages", "tools", "lifecycle", "input", "tasks", "custom"]


async def _command(server: Session, thread_id: str, method: str, params: Any) -> Any:
    return await server.post(f"/threads/{thread_id}/commands", {"id": 1, "method": method, "params": params})


async def _replayed(server: Session, thread_id: str, count: int, **body: Any) -> None:
    """The first `count` events that the thread's log has."""
    body = {"channels": CHANNELS, **body}
    async with server.listening(f"/threads/{thread_id}/stream/events", method="POST", body=body) as stream:
        await stream.until(lambda frames: len(frames) >= count)


async def _run(server: Session, assistant_id: str, graph_input: Any) -> str:
    thread_id = server.new_id()
    params = {"assistant_id": assistant_id, "input": graph_input}
    started = await _command(server, thread_id, "run.start", params)
    await server.settled(thread_id, started["result"]["run_id"])
    await server.idle(thread_id)
    return thread_id


async def a_run(server: Session) -> None:
    thread_id = await _run(server, "sequence", {"topic": "t"})
    await server.get(f"/threads/{thread_id}/runs")
    await _replayed(server, thread_id, 7)


async def a_chat(server: Session) -> None:
    thread_id = await _run(server, "chat", {"messages": [{"role": "user", "content": "hi"}]})
    await _replayed(server, thread_id, 14)


async def a_failure(server: Session) -> None:
    thread_id = await _run(server, "failing", {"log": []})
    await _replayed(server, thread_id, 4)


async def a_subgraph(server: Session) -> None:
    thread_id = await _run(server, "nested", {"trail": []})
    await _replayed(server, thread_id, 11)
    await _replayed(server, thread_id, 5, namespaces=[["child"]], depth=1)


async def a_question(server: Session) -> None:
    thread_id = await _run(server, "approval", {"draft": "d"})
    thread = await server.get(f"/threads/{thread_id}")
    [[interrupt]] = thread["interrupts"].values()
    await _replayed(server, thread_id, 6)
    answer = {"namespace": [], "interrupt_id": interrupt["id"], "response": "yes"}
    await _command(server, thread_id, "input.respond", answer)
    await server.idle(thread_id)
    await server.get(f"/threads/{thread_id}/state")
    await _command(server, thread_id, "input.respond", answer)
    await _replayed(server, thread_id, 11)


async def since(server: Session) -> None:
    thread_id = await _run(server, "sequence", {"topic": "t"})
    await _replayed(server, thread_id, 2, since=5)


async def events_refused(server: Session) -> None:
    thread_id = await server.new_thread()
    for body in ({}, {"channels": []}, {"channels": ["bogus"]}, {"channels": "values"}):
        await server.post(f"/threads/{thread_id}/stream/events", body)
    await server.ask("POST", f"/threads/{thread_id}/stream/events", content=b"{bad")


async def commands_refused(server: Session) -> None:
    thread_id = await server.new_thread()
    path = f"/threads/{thread_id}/commands"
    for body in (
        {},
        [],
        {"id": 1},
        {"id": "x", "method": "run.start", "params": {}},
        {"method": "run.start", "params": {}},
        {"id": 1, "method": "nobody"},
        {"id": 1, "method": "run.start"},
        {"id": 1, "method": "run.start", "params": {}},
        {"id": 1, "method": "run.start", "params": {"assistant_id": "nobody", "input": {}}},
        {"id": 1, "method": "run.start", "params": {"assistant_id": server.new_id(), "input": {}}},
        {"id": 2, "method": "subscription.subscribe", "params": {"channels": ["values"]}},
        {"id": 3, "method": "subscription.unsubscribe", "params": {"subscription_id": "x"}},
        {"id": 4, "method": "agent.getTree", "params": {}},
        {"id": 5, "method": "state.get", "params": {"namespace": []}},
        {"id": 9, "method": "input.respond", "params": {"namespace": [], "interrupt_id": "nope", "response": 1}},
        {"id": 10, "method": "subscription.reconnect", "params": {"run_id": "x"}},
    ):
        await server.post(path, body)
    await server.ask("POST", path, content=b"{bad")
    await server.post("/threads/x/commands", {"id": 1, "method": "run.start", "params": {"assistant_id": "sequence"}})
