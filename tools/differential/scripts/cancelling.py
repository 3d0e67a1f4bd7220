"""Cancelling runs, and runs that meet others on their thread."""

from typing import Any

from tools.differential.session import Session

SLOW: dict[str, Any] = {"assistant_id": "slow", "input": {"seconds": 60}}
QUICK: dict[str, Any] = {"assistant_id": "slow", "input": {"seconds": 0}}


async def _running(server: Session) -> tuple[str, str]:
    """A thread that has a finished run and one that sleeps; the thread and that run."""
    thread_id = await server.new_thread()
    await server.post(f"/threads/{thread_id}/runs/wait", QUICK)
    run = await server.post(f"/threads/{thread_id}/runs", {**SLOW, "stream_mode": ["values"]})
    await server.running(thread_id, run["run_id"])
    await server.asleep(thread_id)
    return thread_id, run["run_id"]


async def _afterwards(server: Session, thread_id: str, run_id: str) -> None:
    await server.settled(thread_id, run_id)
    await server.idle(thread_id)
    await server.get(f"/threads/{thread_id}/runs?select=status&select=multitask_strategy")
    await server.get(f"/threads/{thread_id}/state")


async def interrupt(server: Session) -> None:
    thread_id, run_id = await _running(server)
    await server.ask("POST", f"/threads/{thread_id}/runs/{run_id}/cancel")
    await _afterwards(server, thread_id, run_id)
    await server.get(f"/threads/{thread_id}/runs/{run_id}/join")


async def rollback(server: Session) -> None:
    thread_id, run_id = await _running(server)
    await server.ask("POST", f"/threads/{thread_id}/runs/{run_id}/cancel?action=rollback")
    await _afterwards(server, thread_id, run_id)


async def interrupt_and_wait(server: Session) -> None:
    thread_id, run_id = await _running(server)
    await server.ask("POST", f"/threads/{thread_id}/runs/{run_id}/cancel?wait=1&action=interrupt")
    await _afterwards(server, thread_id, run_id)


async def rollback_and_wait(server: Session) -> None:
    thread_id, run_id = await _running(server)
    await server.ask("POST", f"/threads/{thread_id}/runs/{run_id}/cancel?wait=true&action=rollback")
    await _afterwards(server, thread_id, run_id)


async def pending(server: Session) -> None:
    thread_id = await server.new_thread()
    run = await server.post(f"/threads/{thread_id}/runs", {**QUICK, "after_seconds": 600})
    await server.ask("POST", f"/threads/{thread_id}/runs/{run['run_id']}/cancel")
    await _afterwards(server, thread_id, run["run_id"])


async def nothing_to_cancel(server: Session) -> None:
    thread_id = await server.new_thread()
    await server.post(f"/threads/{thread_id}/runs/wait", QUICK)
    [run] = await server.get(f"/threads/{thread_id}/runs?select=run_id")
    for rest in ("", "?wait=1", "?action=rollback"):
        await server.ask("POST", f"/threads/{thread_id}/runs/{run['run_id']}/cancel{rest}")
    await server.ask("POST", f"/threads/{thread_id}/runs/{server.new_id()}/cancel")
    await server.ask("POST", f"/threads/{server.new_id()}/runs/{run['run_id']}/cancel")
    await server.ask("POST", f"/threads/{thread_id}/runs/x/cancel")


async def streams_close(server: Session) -> None:
    thread_id = await server.new_thread()
    body = {**SLOW, "stream_mode": ["values"]}
    async with server.listening(f"/threads/{thread_id}/runs/stream", method="POST", body=body) as stream:
        frames = await stream.until(lambda frames: len(frames) == 3)
        run_id = frames[0]["data"]["run_id"]
        await server.ask("POST", f"/threads/{thread_id}/runs/{run_id}/cancel")
        await stream.to_the_end()
    await server.idle(thread_id)


async def several(server: Session) -> None:
    thread_id = await server.new_thread()
    runs = [await server.post(f"/threads/{thread_id}/runs", {**QUICK, "after_seconds": 600}) for _ in range(2)]
    body = {"thread_id": thread_id, "run_ids": [run["run_id"] for run in runs]}
    await server.post("/runs/cancel?action=interrupt", body)
    for run in runs:
        await server.settled(thread_id, run["run_id"])
    await server.get(f"/threads/{thread_id}/runs?select=status")
    await server.post("/runs/cancel", body)
    for refused in (
        {},
        {"status": "bogus"},
        {"thread_id": thread_id},
        {"thread_id": thread_id, "run_ids": [server.new_id()]},
        {**body, "status": "all"},
        {"thread_id": "x", "run_ids": []},
    ):
        await server.post("/runs/cancel", refused)


async def several_rolled_back(server: Session) -> None:
    thread_id = await server.new_thread()
    runs = [await server.post(f"/threads/{thread_id}/runs", {**QUICK, "after_seconds": 600}) for _ in range(2)]
    body = {"thread_id": thread_id, "run_ids": [run["run_id"] for run in runs]}
    await server.post("/runs/cancel?action=rollback", body)
    for run in runs:
        await server.settled(thread_id, run["run_id"])
    await server.get(f"/threads/{thread_id}/runs?select=status")
    await server.get(f"/threads/{thread_id}")


async def multitask_reject(server: Session) -> None:
    thread_id = await server.new_thread()
    await server.post(f"/threads/{thread_id}/runs", {**QUICK, "after_seconds": 600})
    for door in ("", "/wait", "/stream"):
        await server.post(f"/threads/{thread_id}/runs{door}", {**QUICK, "multitask_strategy": "reject"})


async def multitask_enqueue(server: Session) -> None:
    thread_id = await server.new_thread()
    runs = [await server.post(f"/threads/{thread_id}/runs", QUICK) for _ in range(2)]
    await _afterwards(server, thread_id, runs[1]["run_id"])


async def _multitask(server: Session, strategy: str) -> None:
    thread_id, _ = await _running(server)
    run = await server.post(f"/threads/{thread_id}/runs", {**QUICK, "multitask_strategy": strategy})
    await _afterwards(server, thread_id, run["run_id"])
    await server.get(f"/threads/{thread_id}/history?limit=20")


async def multitask_interrupt(server: Session) -> None:
    await _multitask(server, "interrupt")


async def multitask_rollback(server: Session) -> None:
    await _multitask(server, "rollback")


async def disconnect(server: Session) -> None:
    thread_id = await server.new_thread()
    body = {**SLOW, "on_disconnect": "cancel"}
    async with server.listening(f"/threads/{thread_id}/runs/stream", method="POST", body=body) as stream:
        frames = await stream.until(lambda frames: len(frames) == 3)
    await server.settled(thread_id, frames[0]["data"]["run_id"])
    await server.idle(thread_id)


async def through_the_sdk(server: Session) -> None:
    thread_id, run_id = await _running(server)
    await server.sdk.runs.cancel(thread_id, run_id, wait=True, action="interrupt")
    await _afterwards(server, thread_id, run_id)
