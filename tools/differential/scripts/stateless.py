"""Runs without a thread of the caller's."""

from typing import Any

from tools.differential.session import Session

RUN: dict[str, Any] = {"assistant_id": "sequence", "input": {"topic": "t"}}


async def wait(server: Session) -> None:
    await server.post("/runs/wait", RUN)
    await server.post("/runs/wait", {"assistant_id": "failing", "input": {"log": []}})
    await server.post("/runs/wait", {"assistant_id": "approval", "input": {"draft": "d"}})


async def stream(server: Session) -> None:
    await server.post("/runs/stream", {**RUN, "stream_mode": ["updates", "values"]})


async def background(server: Session) -> None:
    run = await server.post("/runs", RUN)
    await server.gone(run["thread_id"])


async def keep(server: Session) -> None:
    run = await server.post("/runs", {**RUN, "on_completion": "keep", "metadata": {"m": 1}})
    await server.settled(run["thread_id"], run["run_id"])
    await server.idle(run["thread_id"])
    await server.get(f"/threads/{run['thread_id']}/state")


async def refused(server: Session) -> None:
    for body in (
        {},
        {"assistant_id": "nobody"},
        {"assistant_id": server.new_id()},
        {**RUN, "on_completion": "bogus"},
        {**RUN, "stream_mode": "bogus"},
    ):
        for door in ("", "/wait", "/stream"):
            await server.post(f"/runs{door}", body)


async def batch(server: Session) -> None:
    await server.post("/runs/batch", [RUN, {**RUN, "assistant_id": "chat", "on_completion": "keep"}])
    for body in ([], {}, [{}], [RUN, {"assistant_id": "nobody"}]):
        await server.post("/runs/batch", body)


async def through_the_sdk(server: Session) -> None:
    sdk = server.sdk.runs
    await sdk.wait(None, "sequence", input={"topic": "t"})
    run = await sdk.create(None, "sequence", input={"topic": "t"})
    await server.gone(run["thread_id"])
    [_ async for _ in sdk.stream(None, "sequence", input={"topic": "t"})]
