"""The store: graphs read what callers write, and callers what graphs write."""

from uuid import uuid4

from langgraph_sdk.client import LangGraphClient

FACTS = ["Ada likes jasmine tea", "Ada lives in London", "Ada plays chess", "Ada has two cats"]


async def test_nodes_and_tools_share_the_store(client: LangGraphClient) -> None:
    user = str(uuid4())
    given = {"user": user, "facts": FACTS, "query": "cats or tea?"}
    values = await client.runs.wait(None, "memory", input=given)
    assert sorted(values["kept"]) == sorted(FACTS)
    assert [message["content"] for message in values["messages"][1:]] == ["noted", "noted"]
    assert set(values["recalled"]) == {FACTS[0], FACTS[3]}


async def test_callers_and_graphs_share_the_store(client: LangGraphClient, thread_id: str) -> None:
    user = str(uuid4())
    await client.store.put_item(["memories", user], key="told", value={"text": "Ada sings in a choir"}, ttl=60)
    run = await client.runs.create(
        thread_id, "memory", input={"user": user, "facts": FACTS[:1], "query": "which choir?"}
    )
    values = await client.runs.join(thread_id, run["run_id"])
    assert values["recalled"] == ["Ada sings in a choir"]
    found = await client.store.search_items(("memories", user), query="jasmine")
    assert [item["key"] for item in found["items"] if item["score"]] == ["0"]
    assert {item["key"] for item in found["items"]} == {"told", "0", "note", "anote"}
    namespaces = await client.store.list_namespaces(prefix=["memories", user])
    assert namespaces == {"namespaces": [["memories", user]]}
