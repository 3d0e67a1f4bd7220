"""What langgraph.json may name besides a compiled graph: the functional API, and factories."""

from langgraph_sdk.client import LangGraphClient


async def test_an_entrypoint_runs_and_remembers_what_it_saved(client: LangGraphClient, thread_id: str) -> None:
    assert await client.runs.wait(thread_id, "functional", input=[1, 2, 3]) == [1, 4, 9, 14]
    assert await client.runs.wait(thread_id, "functional", input=[1]) == [1, 15]


async def test_a_factory_makes_each_runs_graph_after_its_configuration(client: LangGraphClient) -> None:
    configured = {"configurable": {"word": "Goodbye"}}
    plain = await client.runs.wait(None, "factory", input={"name": "Ada"})
    other = await client.runs.wait(None, "factory", input={"name": "Ada"}, config=configured)
    assert (plain["text"], other["text"]) == ("Hello Ada", "Goodbye Ada")


async def test_the_state_of_a_thread_is_read_through_its_factory(client: LangGraphClient, thread_id: str) -> None:
    await client.runs.wait(thread_id, "factory", input={"name": "Ada"})
    assert (await client.threads.get_state(thread_id))["values"] == {"name": "Ada", "text": "Hello Ada"}
