"""Runs on a thread: created, waited for, listed, deleted."""

from typing import Any

from tools.differential.session import Session

RUN: dict[str, Any] = {"assistant_id": "sequence", "input": {"topic": "t"}}


async def background(server: Session) -> None:
    thread_id = await server.new_thread(metadata={"of": "thread"})
    run = await server.post(
        f"/threads/{thread_id}/runs",
        {
            **RUN,
            "metadata": {"of": "run"},
            "config": {"configurable": {"foo": "bar"}, "tags": ["x"], "recursion_limit": 30},
        },
    )
    await server.settled(thread_id, run["run_id"])
    await server.get(f"/threads/{thread_id}")
    await server.get(f"/threads/{thread_id}/runs")
    await server.get(f"/threads/{thread_id}/runs/{run['run_id']}/join")


async def every_field(server: Session) -> None:
    thread_id = await server.new_thread()
    run = await server.post(
        f"/threads/{thread_id}/runs",
        {
            **RUN,
            "metadata": {"m": 1},
            "context": {"c": 1},
            "stream_mode": ["updates", "custom"],
            "stream_subgraphs": True,
            "stream_resumable": True,
            "interrupt_before": ["writer"],
            "interrupt_after": ["planner"],
            "on_disconnect": "cancel",
            "multitask_strategy": "rollback",
            "if_not_exists": "create",
            "after_seconds": 0,
            "durability": "sync",
            "unknown": {"is": "ignored"},
        },
    )
    await server.settled(thread_id, run["run_id"])
    await server.get(f"/threads/{thread_id}")
    await server.get(f"/threads/{thread_id}/state")


async def wait(server: Session) -> None:
    path = f"/threads/{await server.new_thread()}"
    await server.post(f"{path}/runs/wait", RUN)
    for graph_input in (None, {}, {"unknown": 1}, "text", {"topic": "again"}):
        await server.post(f"{path}/runs/wait", {"assistant_id": "sequence", "input": graph_input})
        await server.get(path)
    await server.post(f"{path}/runs/wait", {"assistant_id": "sequence"})


async def failure(server: Session) -> None:
    thread_id = await server.new_thread()
    path = f"/threads/{thread_id}"
    await server.post(f"{path}/runs/wait", {"assistant_id": "failing", "input": {"log": []}})
    await server.get(path)
    [run] = await server.get(f"{path}/runs")
    await server.get(f"{path}/runs/{run['run_id']}/join")
    await server.post(f"{path}/runs/stream", {"assistant_id": "failing", "input": {"log": []}})
    await server.post(f"{path}/runs/wait", RUN)
    await server.get(path)


async def recursion_limit(server: Session) -> None:
    path = f"/threads/{await server.new_thread()}"
    await server.post(f"{path}/runs/wait", {**RUN, "config": {"recursion_limit": 2}})
    await server.get(path)


async def refused(server: Session) -> None:
    path = f"/threads/{await server.new_thread()}/runs"
    for body in (
        {},
        {"assistant_id": "nobody"},
        {"assistant_id": server.new_id()},
        {"assistant_id": 1},
        {**RUN, "multitask_strategy": "bogus"},
        {**RUN, "stream_mode": "bogus"},
        {**RUN, "stream_mode": "tools"},
        {**RUN, "if_not_exists": "bogus"},
        {**RUN, "on_disconnect": "bogus"},
        {**RUN, "durability": "bogus"},
        {**RUN, "after_seconds": "x"},
        {**RUN, "config": "x"},
        {**RUN, "metadata": "x"},
        {**RUN, "interrupt_before": 1},
        {**RUN, "command": "x"},
        {**RUN, "command": {"goto": [1]}},
        {**RUN, "webhook": 1},
        {**RUN, "config": {"configurable": {"a": 1}}, "context": {"b": 1}},
    ):
        for door in ("", "/wait", "/stream"):
            await server.post(path + door, body)
    await server.get(path)


async def on_a_missing_thread(server: Session) -> None:
    missing = f"/threads/{server.new_id()}"
    for door in ("", "/wait", "/stream"):
        await server.post(f"{missing}/runs{door}", RUN)
    await server.post(f"{missing}/runs/wait", {**RUN, "if_not_exists": "create"})
    await server.get(missing)


async def lists(server: Session) -> None:
    path = f"/threads/{await server.new_thread()}"
    for assistant_id, graph_input in (("sequence", {"topic": "t"}), ("failing", {"log": []}), ("chat", {})):
        await server.post(f"{path}/runs/wait", {"assistant_id": assistant_id, "input": graph_input})
    for query in (
        "",
        "?limit=1&offset=1",
        "?status=success",
        "?status=bogus",
        "?select=run_id&select=status",
        "?select=bogus",
        "?limit=0",
        "?limit=abc",
        "?limit=1001",
        "?offset=9",
    ):
        await server.get(f"{path}/runs{query}")
    await server.get(f"/threads/{server.new_id()}/runs")


async def missing(server: Session) -> None:
    thread_id = await server.new_thread()
    run_id = server.new_id()
    for path in (f"/threads/{thread_id}/runs/{run_id}", f"/threads/{server.new_id()}/runs/{run_id}"):
        await server.get(path)
        await server.get(f"{path}/join")
        await server.get(f"{path}/stream")
    await server.get(f"/threads/{thread_id}/runs/x")
    await server.get(f"/threads/{thread_id}/runs/x/join")
    await server.get(f"/threads/{thread_id}/runs/x/stream")


async def delete(server: Session) -> None:
    path = f"/threads/{await server.new_thread()}"
    await server.post(f"{path}/runs/wait", RUN)
    [run] = await server.get(f"{path}/runs")
    await server.delete(f"{path}/runs/{run['run_id']}")
    await server.get(f"{path}/runs/{run['run_id']}")
    await server.get(f"{path}/state")
    await server.get(path)
    await server.delete(f"{path}/runs/{run['run_id']}")
    await server.delete(f"{path}/runs/x")


async def delete_while_running(server: Session) -> None:
    thread_id = await server.new_thread()
    path = f"/threads/{thread_id}"
    run = await server.post(f"{path}/runs", {"assistant_id": "slow", "input": {"seconds": 60}})
    await server.running(thread_id, run["run_id"])
    await server.delete(f"{path}/runs/{run['run_id']}")
    await server.get(f"{path}/runs/{run['run_id']}")
    await server.idle(thread_id)


async def durability(server: Session) -> None:
    for durability in ("sync", "async", "exit"):
        path = f"/threads/{await server.new_thread()}"
        await server.post(f"{path}/runs/wait", {**RUN, "durability": durability})
        await server.get(f"{path}/history?limit=100")
    path = f"/threads/{await server.new_thread()}"
    await server.post(f"{path}/runs/wait", {**RUN, "checkpoint_during": False})
    await server.get(f"{path}/history?limit=100")


async def commands(server: Session) -> None:
    path = f"/threads/{await server.new_thread()}"
    await server.post(f"{path}/runs/wait", RUN)
    body = {"assistant_id": "sequence"}
    for command in (
        {"update": {"topic": "u"}},
        {"update": [["topic", "v"]]},
        {"goto": "writer"},
        {"goto": ["writer", "editor"]},
        {"goto": {"node": "editor", "input": {"topic": "sent"}}},
        {"goto": "writer", "update": {"topic": "both"}},
        {"resume": "nothing waits"},
        {},
    ):
        await server.post(f"{path}/runs/wait", {**body, "command": command})


async def threads_are_named_after_their_last_run(server: Session) -> None:
    path = f"/threads/{await server.new_thread()}"
    await server.post(f"{path}/runs/wait", RUN)
    await server.post(f"{path}/runs/wait", {"assistant_id": "chat", "input": {"messages": "hi"}})
    await server.get(path)


async def later(server: Session) -> None:
    thread_id = await server.new_thread()
    await server.post(f"/threads/{thread_id}/runs", {**RUN, "after_seconds": 600})
    await server.get(f"/threads/{thread_id}")
    await server.get(f"/threads/{thread_id}/runs?select=status")


async def through_the_sdk(server: Session) -> None:
    thread_id = await server.new_thread()
    sdk = server.sdk.runs
    run = await sdk.create(thread_id, "sequence", input={"topic": "t"}, metadata={"m": 1})
    await sdk.join(thread_id, run["run_id"])
    await sdk.get(thread_id, run["run_id"])
    await sdk.wait(thread_id, "sequence", input={"topic": "t"})
    await sdk.list(thread_id, limit=5, select=["run_id", "status"])
    [_ async for _ in sdk.stream(thread_id, "sequence", input={"topic": "t"}, stream_mode=["updates", "custom"])]
    await sdk.delete(thread_id, run["run_id"])
