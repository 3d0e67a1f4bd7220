"""The store: what callers put is what graphs get, and the other way round."""

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
