"""What streams say in each mode, and joining them."""

from typing import Any

from tools.differential.session import Session

MODES = ("values", "updates", "messages", "messages-tuple", "custom", "tasks", "checkpoints", "debug")


async def _stream(server: Session, **body: Any) -> tuple[str, Any]:
    thread_id = await server.new_thread()
    path = f"/threads/{thread_id}/runs"
    return path, await server.post(f"{path}/stream", body)


async def _in_each_mode(server: Session, assistant_id: str, graph_input: Any, **body: Any) -> None:
    for mode in MODES:
        await _stream(server, assistant_id=assistant_id, input=graph_input, stream_mode=mode, **body)


async def each_mode_of_a_sequence(server: Session) -> None:
    await _in_each_mode(server, "sequence", {"topic": "t"})


async def each_mode_of_a_chat(server: Session) -> None:
    await _in_each_mode(server, "chat", {"messages": [{"role": "user", "content": "hi"}]})


async def each_mode_of_an_interrupt(server: Session) -> None:
    await _in_each_mode(server, "approval", {"draft": "d"})


async def each_mode_of_a_failure(server: Session) -> None:
    await _in_each_mode(server, "failing", {"log": []})


async def each_mode_of_subgraphs(server: Session) -> None:
    await _in_each_mode(server, "nested", {"trail": []}, stream_subgraphs=True)


async def without_subgraphs(server: Session) -> None:
    await _stream(server, assistant_id="nested", input={"trail": []}, stream_mode=["values", "updates", "tasks"])


async def all_modes_at_once(server: Session) -> None:
    body = {"assistant_id": "sequence", "input": {"topic": "t"}}
    await _stream(server, **body, stream_mode=["values", "updates", "custom", "tasks", "checkpoints", "debug"])
    await _stream(server, **body, stream_mode=[])
    await _stream(server, **body)


async def both_kinds_of_messages(server: Session) -> None:
    body = {"assistant_id": "chat", "input": {"messages": "hi"}}
    await _stream(server, **body, stream_mode=["messages", "messages-tuple"])
    await _stream(server, **body, stream_mode=["messages", "values"])


async def events(server: Session) -> None:
    await _stream(server, assistant_id="sequence", input={"topic": "t"}, stream_mode="events")


async def events_of_a_chat(server: Session) -> None:
    await _stream(server, assistant_id="chat", input={"messages": "hi"}, stream_mode=["events", "values"])


async def functional(server: Session) -> None:
    await _stream(server, assistant_id="functional", input=[2], stream_mode=["values", "updates"])


async def no_input(server: Session) -> None:
    for graph_input in ({}, None):
        await _stream(server, assistant_id="sequence", input=graph_input, stream_mode=["values", "updates"])


async def resumable(server: Session) -> None:
    body = {"assistant_id": "sequence", "input": {"topic": "t"}, "stream_mode": ["values", "updates"]}
    runs, frames = await _stream(server, **body, stream_resumable=True)
    path = f"{runs}/{frames[0]['data']['run_id']}/stream"
    for event_id in ("-1", "-", "0"):
        await server.ask("GET", path, headers={"last-event-id": event_id})
    await server.ask("GET", f"{path}?stream_mode=updates", headers={"last-event-id": "-1"})
    await server.ask("GET", f"{path}?stream_mode=custom", headers={"last-event-id": "-1"})
    await server.ask("GET", f"{path}?stream_mode=", headers={"last-event-id": "-1"})
    await server.ask("GET", path, headers={"last-event-id": "garbage"})


async def resumable_failure(server: Session) -> None:
    runs, frames = await _stream(server, assistant_id="failing", input={"log": []}, stream_resumable=True)
    await server.ask("GET", f"{runs}/{frames[0]['data']['run_id']}/stream", headers={"last-event-id": "-1"})


async def joining_a_finished_run(server: Session) -> None:
    runs, frames = await _stream(server, assistant_id="sequence", input={"topic": "t"})
    await server.get(f"{runs}/{frames[0]['data']['run_id']}/stream")


async def joining_a_pending_run(server: Session) -> None:
    thread_id = await server.new_thread()
    body = {"assistant_id": "sequence", "input": {"topic": "t"}, "after_seconds": 1, "stream_mode": ["updates"]}
    run = await server.post(f"/threads/{thread_id}/runs", body)
    await server.get(f"/threads/{thread_id}/runs/{run['run_id']}/stream")
    await server.get(f"/threads/{thread_id}/runs/{run['run_id']}")


async def of_a_thread(server: Session) -> None:
    thread_id = await server.new_thread()
    async with server.listening(f"/threads/{thread_id}/stream") as stream:
        body = {"assistant_id": "sequence", "input": {"topic": "t"}, "stream_mode": "updates"}
        run = await server.post(f"/threads/{thread_id}/runs", body)
        await server.settled(thread_id, run["run_id"])
        await stream.until(lambda frames: sum(frame.get("event") == "metadata" for frame in frames) == 2)


async def of_a_threads_lifecycle(server: Session) -> None:
    thread_id = await server.new_thread()
    async with server.listening(f"/threads/{thread_id}/stream?stream_modes=lifecycle") as stream:
        await server.post(f"/threads/{thread_id}/runs/wait", {"assistant_id": "failing", "input": {"log": []}})
        await stream.until(lambda frames: sum(frame.get("event") == "metadata" for frame in frames) == 2)


async def of_a_threads_updates(server: Session) -> None:
    thread_id = await server.new_thread(metadata={"graph_id": "sequence"})
    async with server.listening(f"/threads/{thread_id}/stream?stream_modes=state_update") as stream:
        await server.post(f"/threads/{thread_id}/state", {"values": {"topic": "t"}})
        await stream.until_event("state_update")


async def of_a_thread_refused(server: Session) -> None:
    await server.get("/threads/x/stream")
    await server.get(f"/threads/{await server.new_thread()}/stream?stream_modes=bogus")


async def through_the_sdk(server: Session) -> None:
    thread_id = await server.new_thread()
    sdk = server.sdk.runs
    modes: Any = ["values", "messages-tuple", "updates"]
    body: Any = {"messages": [{"role": "user", "content": "hi"}]}
    [_ async for _ in sdk.stream(thread_id, "chat", input=body, stream_mode=modes, stream_resumable=True)]
    [_ async for _ in sdk.stream(thread_id, "chat", input=body, stream_mode=modes, stream_subgraphs=True, version="v2")]
    [run, *_] = await sdk.list(thread_id)
    [_ async for _ in sdk.join_stream(thread_id, run["run_id"], last_event_id="-1")]
