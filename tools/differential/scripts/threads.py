"""Threads: their life, search and copies."""

from tools.differential.session import Session


async def life(server: Session) -> None:
    thread_id = await server.new_thread(metadata={"a": 1, "b": {"c": [1, 2]}})
    path = f"/threads/{thread_id}"
    await server.get(path)
    await server.patch(path, {"metadata": {"a": 2, "new": None}})
    await server.ask("PATCH", path, {"metadata": {"quiet": True}}, headers={"prefer": "return=minimal"})
    await server.get(path)
    await server.delete(path)
    await server.get(path)
    await server.delete(path)
    await server.patch(path, {"metadata": {}})


async def create_with_an_id(server: Session) -> None:
    body = {"thread_id": server.new_id(), "metadata": {"a": 1}}
    await server.post("/threads", body)
    await server.post("/threads", body)
    await server.post("/threads", {**body, "metadata": {"a": 2}, "if_exists": "do_nothing"})


async def create_refused(server: Session) -> None:
    for body in (
        {"thread_id": "x"},
        {"thread_id": 1},
        {"metadata": "x"},
        {"if_exists": "bogus"},
        {"ttl": 10},
        {"ttl": {"ttl": "x"}},
        {"ttl": {"ttl": 10, "strategy": "bogus"}},
        {"supersteps": "x"},
        [],
    ):
        await server.post("/threads", body)
    for content in (b"", b"{", b"NaN", b'{"metadata": {"a": NaN}}'):
        await server.ask("POST", "/threads", content=content)


async def ids_that_are_none(server: Session) -> None:
    for path in ("", "/state", "/history", "/runs", f"/runs/{server.new_id()}"):
        await server.get(f"/threads/x{path}")
    await server.patch("/threads/x", {})
    await server.delete("/threads/x")
    await server.post("/threads/x/history", {})


async def create_with_supersteps(server: Session) -> None:
    updates = [
        {"values": {"topic": "t"}, "as_node": "__input__"},
        {"values": {"messages": ["m"]}, "as_node": "planner"},
    ]
    body = {"metadata": {"graph_id": "sequence"}, "supersteps": [{"updates": [update]} for update in updates]}
    thread = await server.post("/threads", body)
    await server.get(f"/threads/{thread['thread_id']}")
    await server.get(f"/threads/{thread['thread_id']}/state")
    await server.get(f"/threads/{thread['thread_id']}/history?limit=10")


async def supersteps_without_a_graph(server: Session) -> None:
    await server.post("/threads", {"supersteps": [{"updates": [{"values": {"a": 1}, "as_node": "planner"}]}]})


async def time_to_live(server: Session) -> None:
    thread = await server.post("/threads", {"ttl": {"ttl": 60, "strategy": "delete"}})
    await server.get(f"/threads/{thread['thread_id']}")
    await server.patch(f"/threads/{thread['thread_id']}", {"ttl": {"ttl": 5}})


async def search(server: Session) -> None:
    tag = server.new_id()
    ids = [await server.new_thread(metadata={"tag": tag, "n": number, "in": {"x": [1]}}) for number in range(3)]
    await server.post(f"/threads/{ids[0]}/runs/wait", {"assistant_id": "sequence", "input": {"topic": "t"}})
    await server.post(f"/threads/{ids[1]}/runs/wait", {"assistant_id": "approval", "input": {"draft": "d"}})
    for query in (
        {},
        {"limit": 2},
        {"limit": 2, "offset": 2},
        {"offset": 9},
        {"metadata": {"tag": tag, "in": {"x": [1]}}},
        {"metadata": {"tag": tag, "n": 1}},
        {"status": "interrupted"},
        {"status": "idle"},
        {"status": "error"},
        {"ids": ids[:2]},
        {"ids": []},
        {"sort_by": "created_at", "sort_order": "asc"},
        {"sort_by": "thread_id"},
        {"sort_by": "status", "sort_order": "asc", "select": ["status"]},
        {"sort_by": "state_updated_at", "ids": ids[:1]},
        {"select": ["thread_id", "values"]},
        {"select": ["thread_id", "interrupts", "status"]},
    ):
        await server.post("/threads/search", {"metadata": {"tag": tag}, **query})


async def search_values(server: Session) -> None:
    tag = server.new_id()
    thread_id = await server.new_thread(metadata={"tag": tag})
    await server.post(f"/threads/{thread_id}/runs/wait", {"assistant_id": "sequence", "input": {"topic": tag}})
    await server.post("/threads/search", {"metadata": {"tag": tag}, "values": {"topic": tag}})
    await server.post("/threads/search", {"metadata": {"tag": tag}, "values": {"topic": "other"}})


async def search_extracts(server: Session) -> None:
    tag = server.new_id()
    thread_id = await server.new_thread(metadata={"tag": tag, "list": [{"a": 1}, {"a": 2}]})
    await server.post(f"/threads/{thread_id}/runs/wait", {"assistant_id": "sequence", "input": {"topic": "t"}})
    for path in ("metadata.list[0].a", "metadata.list[-1].a", "values.messages[1]", "values.nothing", "bogus.path", ""):
        query = {"metadata": {"tag": tag}, "select": ["thread_id"], "extract": {"x": path}}
        await server.post("/threads/search", query)


async def search_refused(server: Session) -> None:
    for query in (
        {"limit": 0},
        {"limit": 1001},
        {"limit": "x"},
        {"offset": -1},
        {"status": "bogus"},
        {"sort_by": "bogus"},
        {"sort_order": "bogus"},
        {"select": ["bogus"]},
        {"metadata": "x"},
        {"values": "x"},
        {"ids": "x"},
        {"extract": "x"},
    ):
        await server.post("/threads/search", query)


async def count(server: Session) -> None:
    tag = server.new_id()
    for number in range(3):
        await server.new_thread(metadata={"tag": tag, "n": number})
    for query in ({}, {"status": "idle"}, {"status": "busy"}, {"metadata": {"tag": tag, "n": 1}}):
        await server.post("/threads/count", {"metadata": {"tag": tag}, **query})
    await server.post("/threads/count", {"status": "bogus"})


async def copy(server: Session) -> None:
    thread_id = await server.new_thread(metadata={"a": 1})
    await server.post(f"/threads/{thread_id}/runs/wait", {"assistant_id": "sequence", "input": {"topic": "t"}})
    copied = (await server.ask("POST", f"/threads/{thread_id}/copy")).json()
    await server.get(f"/threads/{copied['thread_id']}/state")
    await server.get(f"/threads/{copied['thread_id']}/history?limit=10")
    await server.get(f"/threads/{copied['thread_id']}/runs")
    await server.ask("POST", f"/threads/{server.new_id()}/copy")


async def run_on_a_copy(server: Session) -> None:
    thread_id = await server.new_thread()
    await server.post(f"/threads/{thread_id}/runs/wait", {"assistant_id": "approval", "input": {"draft": "d"}})
    copied = (await server.ask("POST", f"/threads/{thread_id}/copy")).json()["thread_id"]
    await server.post(f"/threads/{copied}/runs/wait", {"assistant_id": "approval", "command": {"resume": "yes"}})
    await server.get(f"/threads/{thread_id}/state")


async def prune(server: Session) -> None:
    ids = [await server.new_thread() for _ in range(2)]
    await server.post("/threads/prune", {"thread_ids": [*ids, server.new_id()]})
    await server.get(f"/threads/{ids[0]}")
    for body in ({}, {"thread_ids": "x"}, {"thread_ids": ["x"]}, {"thread_ids": [], "strategy": "bogus"}):
        await server.post("/threads/prune", body)


async def storage(server: Session) -> None:
    thread_id = await server.new_thread()
    await server.ask("GET", f"/threads/{server.new_id()}/storage")
    await server.ask("GET", f"/threads/{thread_id}/storage")


async def through_the_sdk(server: Session) -> None:
    sdk = server.sdk.threads
    made = await sdk.create(metadata={"a": 1}, graph_id="sequence", ttl=60)
    thread_id = made["thread_id"]
    await sdk.get(thread_id)
    await sdk.update(thread_id, metadata={"b": 2})
    await sdk.search(ids=[thread_id], limit=1)
    await sdk.count(metadata={"a": 1, "b": 2})
    await sdk.update_state(thread_id, {"topic": "t"}, as_node="planner")
    await sdk.get_state(thread_id, subgraphs=True)
    await sdk.get_history(thread_id)
    await sdk.copy(thread_id)
    await sdk.prune([thread_id])
