"""Crons; they fire once a year, so that none does in here."""

from typing import Any

from tools.differential.session import Session

YEARLY: dict[str, Any] = {"assistant_id": "sequence", "schedule": "0 0 1 1 *", "input": {"topic": "t"}}


async def create(server: Session) -> None:
    cron = await server.post("/runs/crons", {**YEARLY, "metadata": {"m": 1}})
    await server.get(f"/runs/crons/{cron['cron_id']}")
    await server.delete(f"/runs/crons/{cron['cron_id']}")
    await server.get(f"/runs/crons/{cron['cron_id']}")
    await server.delete(f"/runs/crons/{cron['cron_id']}")
    await server.get(f"/runs/crons/{server.new_id()}")
    await server.get("/runs/crons/x")
    await server.delete("/runs/crons/x")


async def every_field(server: Session) -> None:
    body = {
        **YEARLY,
        "timezone": "America/New_York",
        "end_time": "2030-01-01T00:00:00+00:00",
        "on_run_completed": "keep",
        "enabled": False,
        "metadata": {"m": 1},
        "config": {"configurable": {"a": 1}, "tags": ["t"], "recursion_limit": 9},
        "interrupt_before": ["writer"],
        "interrupt_after": "*",
        "stream_mode": ["values", "updates"],
        "stream_subgraphs": True,
        "stream_resumable": True,
        "durability": "exit",
    }
    cron = await server.post("/runs/crons", body)
    await server.delete(f"/runs/crons/{cron['cron_id']}")


async def with_context(server: Session) -> None:
    cron = await server.post("/runs/crons", {**YEARLY, "context": {"c": 1}})
    await server.delete(f"/runs/crons/{cron['cron_id']}")


async def schedules(server: Session) -> None:
    for schedule in ("@yearly", "0 0 29 2 *", "30 4 1 1,7 *", "0 0 1 JAN *", "15 10 1 1 * 20"):
        await server.post("/runs/crons", {**YEARLY, "schedule": schedule, "enabled": False})
    for zone in ("Europe/Berlin", "UTC", "Asia/Kathmandu"):
        await server.post("/runs/crons", {**YEARLY, "timezone": zone, "enabled": False})


async def refused(server: Session) -> None:
    for change in (
        {"schedule": "bad"},
        {"schedule": "* * * *"},
        {"schedule": "60 * * * *"},
        {"schedule": ""},
        {"schedule": "0 0 31 2 *"},
        {"timezone": "Mars/Phobos"},
        {"assistant_id": "nobody"},
        {"assistant_id": server.new_id()},
        {"on_run_completed": "bogus"},
        {"enabled": "x"},
        {"metadata": "x"},
    ):
        await server.post("/runs/crons", {**YEARLY, **change})


async def on_a_thread(server: Session) -> None:
    thread_id = await server.new_thread()
    cron = await server.post(f"/threads/{thread_id}/runs/crons", {**YEARLY, "multitask_strategy": "reject"})
    await server.post("/runs/crons/search", {"thread_id": thread_id})
    await server.post("/runs/crons/count", {"thread_id": thread_id})
    await server.delete(f"/threads/{thread_id}")
    await server.get(f"/runs/crons/{cron['cron_id']}")
    await server.post(f"/threads/{server.new_id()}/runs/crons", YEARLY)
    await server.post("/threads/x/runs/crons", YEARLY)


async def search(server: Session) -> None:
    tag = server.new_id()
    for minute in range(3):
        body = {**YEARLY, "schedule": f"{minute} 0 1 1 *", "metadata": {"tag": tag}, "enabled": minute != 1}
        await server.post("/runs/crons", body)
    for query in (
        {},
        {"limit": 2},
        {"limit": 2, "offset": 2},
        {"enabled": False},
        {"sort_by": "next_run_date", "sort_order": "asc", "select": ["schedule", "next_run_date"]},
        {"select": ["cron_id", "enabled"]},
        {"select": ["bogus"]},
        {"sort_by": "bogus"},
        {"limit": 0},
        {"assistant_id": "sequence"},
    ):
        await server.post("/runs/crons/search", {"metadata": {"tag": tag}, **query})
    await server.post("/runs/crons/count", {"metadata": {"tag": tag}})


async def update(server: Session) -> None:
    cron = await server.post("/runs/crons", {**YEARLY, "metadata": {"m": 1}, "config": {"configurable": {"a": 1}}})
    path = f"/runs/crons/{cron['cron_id']}"
    for change in (
        {"schedule": "0 0 2 1 *"},
        {"enabled": False},
        {"end_time": "2031-01-01T00:00:00+00:00"},
        {"end_time": None},
        {"input": {"topic": "u"}, "metadata": {"n": 2}, "on_run_completed": "keep", "timezone": "Asia/Tokyo"},
        {"config": {"configurable": {"b": 2}}},
        {"schedule": "bad"},
        {"timezone": "Mars/Phobos"},
        {},
    ):
        await server.patch(path, change)
    await server.patch(f"/runs/crons/{server.new_id()}", {"enabled": True})
    await server.patch("/runs/crons/x", {"enabled": True})


async def through_the_sdk(server: Session) -> None:
    sdk = server.sdk.crons
    cron: Any = await sdk.create(
        "sequence", schedule="0 0 1 1 *", input={"topic": "t"}, metadata={"m": 2}, enabled=False
    )
    await sdk.update(cron["cron_id"], schedule="0 0 2 1 *")
    thread_id = await server.new_thread()
    await sdk.create_for_thread(thread_id, "sequence", schedule="0 0 1 1 *", input={"topic": "t"})
    await sdk.search(thread_id=thread_id)
    await sdk.count(thread_id=thread_id)
    await sdk.delete(cron["cron_id"])
