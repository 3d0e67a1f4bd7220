"""The long-term store."""

from tools.differential.session import Session


async def items(server: Session) -> None:
    root = server.new_id()
    await server.put("/store/items", {"namespace": [root, "b"], "key": "k", "value": {"a": 1, "t": ["x", None]}})
    await server.get(f"/store/items?namespace={root}.b&key=k")
    await server.put("/store/items", {"namespace": [root, "b"], "key": "k", "value": {"a": 2}})
    await server.get(f"/store/items?namespace={root}.b&key=k")
    await server.get(f"/store/items?namespace={root}.b&key=k&refresh_ttl=true")
    await server.get(f"/store/items?namespace={root}.b&key=missing")
    await server.get(f"/store/items?namespace={root}&key=k")
    await server.delete("/store/items", {"namespace": [root, "b"], "key": "k"})
    await server.get(f"/store/items?namespace={root}.b&key=k")
    await server.delete("/store/items", {"namespace": [root, "b"], "key": "k"})


async def put_refused(server: Session) -> None:
    root = server.new_id()
    for body in (
        {},
        {"namespace": [], "key": "k", "value": {}},
        {"namespace": ["a.b"], "key": "k", "value": {}},
        {"namespace": [""], "key": "k", "value": {}},
        {"namespace": ["langgraph"], "key": "k", "value": {}},
        {"namespace": "a", "key": "k", "value": {}},
        {"namespace": [1], "key": "k", "value": {}},
        {"namespace": [root], "key": 1, "value": {}},
        {"namespace": [root], "key": "k", "value": "x"},
        {"namespace": [root], "key": "k"},
        {"namespace": [root], "value": {}},
        {"namespace": [root], "key": "k", "value": {}, "index": "x"},
        {"namespace": [root], "key": "", "value": {}},
        {"namespace": [root], "key": "k", "value": {}, "ttl": "x"},
    ):
        await server.put("/store/items", body)


async def get_refused(server: Session) -> None:
    for query in ("", "?namespace=a", "?key=k", "?namespace=a&key="):
        await server.get(f"/store/items{query}")


async def delete_refused(server: Session) -> None:
    for body in ({}, {"namespace": ["a"]}, {"key": "k"}, {"namespace": "a", "key": "k"}):
        await server.delete("/store/items", body)


async def search(server: Session) -> None:
    root = server.new_id()
    for value in ({"n": 1, "t": "x"}, {"n": 2, "t": "y"}, {"n": 3, "t": "x", "o": {"p": 1}}):
        await server.put("/store/items", {"namespace": [root, "s"], "key": f"k{value['n']}", "value": value})
    await server.put("/store/items", {"namespace": [f"{root}x"], "key": "other", "value": {"n": 9}})
    for query in (
        {},
        {"limit": 2},
        {"limit": 2, "offset": 2},
        {"offset": 9},
        {"filter": {"t": "x"}},
        {"filter": {"n": 2}},
        {"filter": {"n": {"$gt": 1}}},
        {"filter": {"n": {"$gte": 2, "$lt": 3}}},
        {"filter": {"n": {"$lte": 1}}},
        {"filter": {"t": {"$ne": "x"}}},
        {"filter": {"t": {"$eq": "y"}}},
        {"filter": {"o": {"p": 1}}},
        {"filter": {"nothing": 1}},
        {"filter": {"n": {"$in": [1]}}},
        {"filter": "x"},
        {"limit": "x"},
    ):
        await server.post("/store/items/search", {"namespace_prefix": [root], **query})
    await server.post("/store/items/search", {"namespace_prefix": [server.new_id()]})


async def namespaces(server: Session) -> None:
    root = server.new_id()
    for rest in (["a"], ["a", "b"], ["a", "b", "c"], ["d", "b"]):
        await server.put("/store/items", {"namespace": [root, *rest], "key": "k", "value": {}})
    for query in (
        {},
        {"prefix": [root, "a"]},
        {"prefix": [root, "*", "b"]},
        {"suffix": ["b"]},
        {"suffix": ["*", "c"]},
        {"max_depth": 2},
        {"limit": 1},
        {"limit": 2, "offset": 1},
        {"prefix": "x"},
        {"limit": "x"},
    ):
        await server.post("/store/namespaces", {"prefix": [root], **query})


async def through_the_sdk(server: Session) -> None:
    root = server.new_id()
    sdk = server.sdk.store
    await sdk.put_item([root, "b"], "k", {"a": 1}, ttl=10)
    await sdk.get_item([root, "b"], "k", refresh_ttl=True)
    await sdk.search_items([root], filter={"a": 1}, limit=3)
    await sdk.list_namespaces([root])
    await sdk.delete_item([root, "b"], "k")
    await sdk.get_item([root, "b"], "k")
