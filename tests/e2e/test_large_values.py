"""State that exceeds a database row, and many messages on one thread."""

from langgraph_sdk.client import LangGraphClient

#: One row of D1 holds 2 MB.
LARGE = 3_000_000


async def test_a_value_larger_than_a_database_row_goes_all_the_way(client: LangGraphClient, thread_id: str) -> None:
    topic = "x" * LARGE
    values = await client.runs.wait(thread_id, "sequence", input={"topic": topic, "messages": []})
    assert isinstance(values, dict)
    assert values["topic"] == topic
    assert values["messages"] == [f"{node}:{topic}" for node in ("planner", "researcher", "writer", "editor")]
    state = await client.threads.get_state(thread_id)
    assert state["values"] == values
    assert (await client.threads.get(thread_id))["values"] == values


async def test_a_large_value_is_streamed_and_replayed(client: LangGraphClient, thread_id: str) -> None:
    topic = "y" * LARGE
    run = {"assistant_id": "approval", "input": {"draft": topic}}
    parts = [part async for part in client.runs.stream(thread_id, **run, stream_mode="updates")]
    assert parts[1].data["write"]["draft"] == f"draft-{topic}"
    replay = client.runs.join_stream(thread_id, parts[0].data["run_id"], last_event_id="-1")
    assert [part async for part in replay] == parts


async def test_a_thread_of_many_runs_keeps_all_its_messages(client: LangGraphClient, thread_id: str) -> None:
    for number in range(25):
        await client.runs.wait(thread_id, "sequence", input={"topic": str(number)})
    messages = (await client.threads.get_state(thread_id))["values"]["messages"]
    assert [message.rpartition(":")[2] for message in messages] == [str(n) for n in range(25) for _ in range(4)]
    assert len(await client.threads.get_history(thread_id, limit=1000)) == 25 * 6
