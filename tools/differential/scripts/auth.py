"""A project with handlers: rows belong to whoever made them, and are not there for anybody else."""

from tools.differential import projects
from tools.differential.session import Session

PROJECT = projects.GUARDED
RUN = {"assistant_id": "sequence", "input": {"topic": "t"}}


async def _alices(server: Session) -> str:
    """A thread of Alice's with a run that is over; who calls then is Bob."""
    server.becomes("alice")
    thread_id = await server.new_thread()
    await server.post(f"/threads/{thread_id}/runs/wait", RUN)
    server.becomes("bob")
    return thread_id


async def nobody(server: Session) -> None:
    for path in (
        "/",
        "/ok",
        "/info",
        "/docs",
        "/openapi.json",
        "/nowhere",
        f"/threads/{server.new_id()}",
        "/store/items",
    ):
        await server.get(path)
    for path in ("/threads", "/threads/search", "/assistants/search", "/runs/wait", "/runs/crons", "/mcp"):
        await server.post(path, {})
    await server.ask("GET", "/threads", headers={"authorization": "Basic x"})
    await server.ask("OPTIONS", "/threads", headers={"origin": "https://a.b", "access-control-request-method": "POST"})


async def own_rows(server: Session) -> None:
    server.becomes("alice")
    thread_id = await server.new_thread(metadata={"m": 1})
    path = f"/threads/{thread_id}"
    await server.post(f"{path}/runs/wait", RUN)
    await server.get(path)
    await server.get(f"{path}/state")
    [run] = await server.get(f"{path}/runs")
    await server.get(f"{path}/runs/{run['run_id']}")
    await server.patch(path, {"metadata": {"n": 2}})
    await server.post("/threads/search", {"ids": [thread_id]})
    await server.delete(path)


async def a_foreign_thread(server: Session) -> None:
    path = f"/threads/{await _alices(server)}"
    for rest in ("", "/state", "/history", "/runs"):
        await server.get(path + rest)
    await server.post(f"{path}/history", {})
    await server.patch(path, {"metadata": {"mine": True}})
    await server.post(f"{path}/state", {"values": {"topic": "mine"}})
    await server.ask("POST", f"{path}/copy")
    for door in ("", "/wait", "/stream"):
        await server.post(f"{path}/runs{door}", RUN)
        await server.post(f"{path}/runs{door}", {**RUN, "if_not_exists": "create"})
    await server.delete(path)
    server.becomes("alice")
    await server.get(f"{path}/state")


async def a_foreign_run(server: Session) -> None:
    thread_id = await _alices(server)
    server.becomes("alice")
    [run] = await server.get(f"/threads/{thread_id}/runs")
    server.becomes("bob")
    path = f"/threads/{thread_id}/runs/{run['run_id']}"
    for rest in ("", "/join", "/stream"):
        await server.get(path + rest)
    await server.ask("POST", f"{path}/cancel")
    await server.delete(path)


async def foreign_ids(server: Session) -> None:
    server.becomes("alice")
    mark = {"mark": server.new_id()}
    await server.post("/threads", {"metadata": mark})
    thread_id = await _alices(server)
    await server.post("/threads", {"thread_id": thread_id})
    await server.post("/threads", {"thread_id": thread_id, "if_exists": "do_nothing"})
    await server.post("/threads/search", {"ids": [thread_id]})
    await server.post("/threads/count", {"metadata": mark})


async def assistants(server: Session) -> None:
    server.becomes("alice")
    made = await server.post("/assistants", {"graph_id": "sequence", "name": "Alice's"})
    path = f"/assistants/{made['assistant_id']}"
    await server.get(path)
    server.becomes("bob")
    await server.get(path)
    await server.patch(path, {"name": "Bob's"})
    await server.post(f"{path}/versions", {})
    await server.post("/assistants/search", {"name": "Alice's"})
    await server.post("/runs/wait", {**RUN, "assistant_id": made["assistant_id"]})
    await server.post("/runs/wait", RUN)
    await server.delete(path)


async def store(server: Session) -> None:
    key = server.new_id()
    item = {"namespace": ["notes"], "key": key}
    server.becomes("alice")
    await server.put("/store/items", {**item, "value": {"a": 1}})
    await server.get(f"/store/items?namespace=notes&key={key}")
    server.becomes("bob")
    await server.get(f"/store/items?namespace=notes&key={key}")
    await server.post("/store/items/search", {"namespace_prefix": ["notes"]})
    await server.delete("/store/items", item)
    server.becomes("alice")
    await server.get(f"/store/items?namespace=notes&key={key}")


async def crons(server: Session) -> None:
    server.becomes("alice")
    cron = await server.post("/runs/crons", {"assistant_id": "sequence", "schedule": "0 0 1 1 *"})
    path = f"/runs/crons/{cron['cron_id']}"
    server.becomes("bob")
    await server.get(path)
    await server.patch(path, {"enabled": False})
    await server.delete(path)
    await server.post("/runs/crons/search", {})
    server.becomes("alice")
    await server.get(path)
    await server.delete(path)
