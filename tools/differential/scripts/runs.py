"""Runs on a thread."""

from tools.differential.session import Session


async def background(server: Session) -> None:
    thread_id = await server.new_thread()
    run = await server.post(f"/threads/{thread_id}/runs", {"assistant_id": "sequence", "input": {"topic": "t"}})
    await server.settled(thread_id, run["run_id"])
    await server.get(f"/threads/{thread_id}")
    await server.get(f"/threads/{thread_id}/runs")
    await server.get(f"/threads/{thread_id}/runs/{run['run_id']}/join")


async def stream(server: Session) -> None:
    thread_id = await server.new_thread()
    await server.post(
        f"/threads/{thread_id}/runs/stream",
        {"assistant_id": "sequence", "input": {"topic": "t"}, "stream_mode": ["values", "updates"]},
    )
