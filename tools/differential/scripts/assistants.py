"""Assistants: those of graphs and those that people make."""

from tools.differential.session import Session


async def of_a_graph(server: Session) -> None:
    [found] = await server.post("/assistants/search", {"graph_id": "sequence", "metadata": {"created_by": "system"}})
    await server.get(f"/assistants/{found['assistant_id']}")
    await server.get("/assistants/sequence")
    await server.get("/assistants/nobody")
    await server.get(f"/assistants/{server.new_id()}")


async def create(server: Session) -> None:
    mine = server.new_id()
    await server.post("/assistants", {"graph_id": "sequence"})
    body = {
        "graph_id": "sequence",
        "assistant_id": mine,
        "name": "Mine",
        "description": "about me",
        "metadata": {"a": {"b": [1]}},
        "config": {"tags": ["t"], "recursion_limit": 7, "configurable": {"word": "Hi"}},
    }
    await server.post("/assistants", body)
    await server.post("/assistants", body)
    await server.post("/assistants", {**body, "name": "Other", "if_exists": "do_nothing"})
    await server.post("/assistants", {"graph_id": "sequence", "context": {"word": "Hi"}})
    await server.get(f"/assistants/{mine}")


async def create_refused(server: Session) -> None:
    for body in (
        {},
        {"graph_id": "nobody"},
        {"graph_id": 1},
        {"graph_id": "sequence", "assistant_id": "x"},
        {"graph_id": "sequence", "if_exists": "bogus"},
        {"graph_id": "sequence", "metadata": []},
        {"graph_id": "sequence", "config": "x"},
        {"graph_id": "sequence", "config": {"configurable": {"a": 1}}, "context": {"b": 1}},
    ):
        await server.post("/assistants", body)


async def search(server: Session) -> None:
    tag = server.new_id()
    for number in range(3):
        await server.post("/assistants", {"graph_id": "chat", "name": f"Robot {number}", "metadata": {"tag": tag}})
    for query in (
        {},
        {"limit": 2},
        {"limit": 2, "offset": 2},
        {"offset": 9},
        {"name": "BOT 1"},
        {"graph_id": "sequence"},
        {"sort_by": "name", "sort_order": "asc"},
        {"sort_by": "created_at"},
        {"select": ["name", "version"]},
        {"select": ["bogus"]},
        {"limit": 0},
        {"limit": 1001},
        {"offset": -1},
        {"sort_by": "bogus"},
        {"sort_order": "bogus"},
    ):
        await server.post("/assistants/search", {"metadata": {"tag": tag}, **query})


async def count(server: Session) -> None:
    tag = server.new_id()
    await server.post("/assistants/count", {"metadata": {"tag": tag}})
    await server.post("/assistants/count", {"metadata": {"tag": tag}, "graph_id": "chat"})
    await server.post("/assistants/count", {"graph_id": "nested", "name": "EST"})
    await server.post("/assistants/count", {"metadata": "x"})


async def count_of_made_ones(server: Session) -> None:
    tag = server.new_id()
    await server.post("/assistants", {"graph_id": "chat", "name": "Robot", "metadata": {"tag": tag}})
    await server.post("/assistants/count", {"metadata": {"tag": tag}, "name": "robot"})


async def update(server: Session) -> None:
    body = {"graph_id": "sequence", "metadata": {"a": 1}, "config": {"configurable": {"x": 1}}}
    path = f"/assistants/{(await server.post('/assistants', body))['assistant_id']}"
    for change in (
        {"metadata": {"b": 2}},
        {"config": {"tags": ["t"]}},
        {"context": {"y": 1}},
        {"name": "New", "description": "d"},
        {"graph_id": "chat"},
        {},
        {"graph_id": "nobody"},
        {"metadata": "x"},
        {"config": {"configurable": {"a": 1}}, "context": {"b": 1}},
    ):
        await server.patch(path, change)
    await server.patch(f"/assistants/{server.new_id()}", {"name": "x"})
    await server.patch("/assistants/x", {"name": "x"})


async def versions(server: Session) -> None:
    path = f"/assistants/{(await server.post('/assistants', {'graph_id': 'sequence'}))['assistant_id']}"
    await server.patch(path, {"metadata": {"v": 2}, "name": "Two"})
    await server.patch(path, {"metadata": {"w": 3}})
    for query in ({}, {"limit": 1}, {"limit": 1, "offset": 1}, {"metadata": {"w": 3}}, {"limit": 0}):
        await server.post(f"{path}/versions", query)
    await server.post(f"/assistants/{server.new_id()}/versions", {})


async def latest(server: Session) -> None:
    path = f"/assistants/{(await server.post('/assistants', {'graph_id': 'sequence'}))['assistant_id']}"
    await server.patch(path, {"metadata": {"v": 2}, "name": "Two", "description": "second"})
    await server.post(f"{path}/latest", {"version": 1})
    await server.get(path)
    await server.patch(path, {"name": "Three"})
    for version in (99, "x", None):
        await server.post(f"{path}/latest", {"version": version})
    await server.post(f"{path}/latest", {})
    await server.post(f"/assistants/{server.new_id()}/latest", {"version": 1})


async def delete(server: Session) -> None:
    assistant_id = (await server.post("/assistants", {"graph_id": "sequence"}))["assistant_id"]
    thread_id = await server.new_thread()
    await server.post(f"/threads/{thread_id}/runs/wait", {"assistant_id": assistant_id, "input": {"topic": "t"}})
    await server.delete(f"/assistants/{assistant_id}?delete_threads=true")
    await server.get(f"/threads/{thread_id}")
    await server.delete(f"/assistants/{assistant_id}")
    await server.get(f"/assistants/{assistant_id}")
    await server.delete("/assistants/x")


async def delete_and_keep_threads(server: Session) -> None:
    assistant_id = (await server.post("/assistants", {"graph_id": "sequence"}))["assistant_id"]
    thread_id = await server.new_thread()
    await server.post(f"/threads/{thread_id}/runs/wait", {"assistant_id": assistant_id, "input": {"topic": "t"}})
    await server.delete(f"/assistants/{assistant_id}")
    await server.get(f"/threads/{thread_id}")
    await server.post(f"/threads/{thread_id}/runs/wait", {"assistant_id": assistant_id, "input": {"topic": "t"}})


async def graph(server: Session) -> None:
    for graph_id in ("sequence", "nested", "functional", "approval", "factory"):
        await server.get(f"/assistants/{graph_id}/graph")
    for xray in ("true", "false", "1", "0", "-1", "abc"):
        await server.get(f"/assistants/nested/graph?xray={xray}")
    await server.get(f"/assistants/{server.new_id()}/graph")


async def schemas(server: Session) -> None:
    for graph_id in ("sequence", "nested", "functional", "approval", "factory", "chat"):
        [found] = await server.post("/assistants/search", {"graph_id": graph_id, "metadata": {"created_by": "system"}})
        await server.get(f"/assistants/{found['assistant_id']}/schemas")
    await server.get(f"/assistants/{server.new_id()}/schemas")
    await server.get("/assistants/x/schemas")


async def subgraphs(server: Session) -> None:
    for graph_id in ("sequence", "nested"):
        [found] = await server.post("/assistants/search", {"graph_id": graph_id, "metadata": {"created_by": "system"}})
        path = f"/assistants/{found['assistant_id']}/subgraphs"
        for rest in ("", "?recurse=true", "?recurse=false", "?recurse=bogus"):
            await server.get(path + rest)


async def subgraphs_by_namespace(server: Session) -> None:
    [found] = await server.post("/assistants/search", {"graph_id": "nested", "metadata": {"created_by": "system"}})
    for rest in ("child", "child?recurse=true", "nobody"):
        await server.get(f"/assistants/{found['assistant_id']}/subgraphs/{rest}")


async def two_configurations_on_one_thread(server: Session) -> None:
    thread_id = await server.new_thread()
    for word in ("Hi", "Ho"):
        body = {"graph_id": "factory", "config": {"configurable": {"word": word}}, "metadata": {"says": word}}
        assistant = await server.post("/assistants", body)
        run = {"assistant_id": assistant["assistant_id"], "input": {"name": "you"}}
        await server.post(f"/threads/{thread_id}/runs/wait", run)
        await server.get(f"/threads/{thread_id}")
    await server.get(f"/threads/{thread_id}/runs")


async def through_the_sdk(server: Session) -> None:
    sdk = server.sdk.assistants
    made = await sdk.create("sequence", name="From the SDK", metadata={"a": 1}, if_exists="do_nothing")
    await sdk.get(made["assistant_id"])
    await sdk.update(made["assistant_id"], name="Renamed", context={"x": 1})
    await sdk.get_graph(made["assistant_id"], xray=True)
    await sdk.get_schemas(made["assistant_id"])
    await sdk.get_subgraphs(made["assistant_id"], recurse=True)
    await sdk.get_versions(made["assistant_id"])
    await sdk.set_latest(made["assistant_id"], 1)
    await sdk.search(metadata={"a": 1}, name="from the", limit=1, response_format="object")
    await sdk.count(metadata={"a": 1}, name="from the")
    await sdk.delete(made["assistant_id"])
