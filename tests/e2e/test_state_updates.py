"""Updating the state of threads by hand, and continuing from there."""

import asyncio
from typing import Any

import httpx
import pytest
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.errors import BadRequestError, ConflictError

from tests.support.waiting import until

ARTICLE = ["planner:T", "researcher:T", "writer:T", "editor:T"]


async def test_a_run_goes_on_from_what_was_written(client: LangGraphClient, thread_id: str) -> None:
    await client.runs.wait(thread_id, "sequence", input={"topic": "T"}, interrupt_before=["writer"])
    await client.threads.update_state(thread_id, {"topic": "mine", "messages": ["by hand"]}, as_node="researcher")
    thread = await client.threads.get(thread_id)
    state = await client.threads.get_state(thread_id)
    assert (thread["status"], thread["values"]) == ("interrupted", state["values"])
    assert state["values"]["messages"] == [*ARTICLE[:2], "by hand"]
    assert state["next"] == ["writer"]
    values = await client.runs.wait(thread_id, "sequence", input=None)
    assert values["messages"] == [*ARTICLE[:2], "by hand", "writer:mine", "editor:mine"]


async def test_time_travel_forks_from_an_earlier_checkpoint(client: LangGraphClient, thread_id: str) -> None:
    await client.runs.wait(thread_id, "sequence", input={"topic": "T"})
    history = await client.threads.get_history(thread_id, limit=100)
    earlier = next(state for state in history if state["next"] == ["writer"])
    fork = await client.threads.update_state(thread_id, {"topic": "FORK"}, checkpoint=earlier["checkpoint"])
    state = await client.threads.get_state(thread_id)
    assert state["checkpoint"] == fork["checkpoint"]
    assert state["parent_checkpoint"] == earlier["checkpoint"]
    values = await client.runs.wait(thread_id, "sequence", input=None, checkpoint=fork["checkpoint"])
    assert values["messages"] == [*ARTICLE[:2], "writer:FORK", "editor:FORK"]
    assert (await client.threads.get(thread_id))["values"] == values
    assert (await client.threads.get_state(thread_id, checkpoint=history[0]["checkpoint"]))["values"] == (
        history[0]["values"]
    )


async def test_a_thread_is_created_with_its_history_and_copied(client: LangGraphClient) -> None:
    steps = [
        {"updates": [{"values": {"topic": "T"}, "as_node": "__start__"}]},
        {"updates": [{"values": {"messages": ["planner:T"]}, "as_node": "planner"}]},
    ]
    thread = await client.threads.create(graph_id="sequence", supersteps=steps)
    assert (thread["status"], thread["values"]) == ("interrupted", {"topic": "T", "messages": ["planner:T"]})
    copied = await client.threads.copy(thread["thread_id"])
    assert (copied["values"], copied["status"]) == (thread["values"], "interrupted")
    values = await client.runs.wait(copied["thread_id"], "sequence", input=None)
    assert values["messages"] == ARTICLE
    assert (await client.threads.get_state(thread["thread_id"]))["next"] == ["researcher"]
    assert len(await client.threads.get_history(copied["thread_id"])) == 5


async def test_pruning_to_the_latest_checkpoint_keeps_the_conversation(client: LangGraphClient, thread_id: str) -> None:
    for _ in range(2):
        await client.runs.wait(thread_id, "sequence", input={"topic": "T" * 300})
    before = await client.threads.get_state(thread_id)
    assert await client.threads.prune([thread_id], strategy="keep_latest") == {"pruned_count": 1}
    (only,) = await client.threads.get_history(thread_id, limit=100)
    assert only["values"] == before["values"]
    values = await client.runs.wait(thread_id, "sequence", input={"topic": "T"})
    assert values["messages"] == [*before["values"]["messages"], *ARTICLE]
    assert await client.threads.prune([thread_id]) == {"pruned_count": 1}


async def test_threads_are_found_by_what_is_in_them(client: LangGraphClient, thread_id: str) -> None:
    await client.runs.wait(thread_id, "sequence", input={"topic": f"about {thread_id}"})
    assert await client.threads.count(values={"topic": f"about {thread_id}"}) == 1
    (found,) = await client.threads.search(
        values={"topic": f"about {thread_id}"},
        sort_by="state_updated_at",
        select=["thread_id"],
        extract={"last": "values.messages[-1]", "graph": "metadata.graph_id"},
    )
    assert found == {
        "thread_id": thread_id,
        "extracted": {"last": f"editor:about {thread_id}", "graph": "sequence"},
    }


async def test_a_ttl_is_kept(client: LangGraphClient) -> None:
    thread = await client.threads.create(ttl=60)
    shown = await client.threads.get(thread["thread_id"], include=["ttl"])
    assert (shown["ttl"]["ttl_minutes"], shown["ttl"]["strategy"]) == (60, "delete")
    await client.threads.update(thread["thread_id"], metadata={}, ttl={"ttl": 5, "strategy": "keep_latest"})
    later = await client.threads.get(thread["thread_id"], include=["ttl"])
    assert later["ttl"]["strategy"] == "keep_latest"
    assert later["ttl"]["expires_at"] < shown["ttl"]["expires_at"]


async def test_a_thread_whose_time_is_over_goes_with_all_it_has(
    client: LangGraphClient, http: httpx.AsyncClient
) -> None:
    threads = [await client.threads.create(ttl={"ttl": 0.01, "strategy": s}) for s in ("delete", "keep_latest")]
    doomed, shrunk = [thread["thread_id"] for thread in threads]
    for thread_id in (doomed, shrunk):
        await client.runs.wait(thread_id, "sequence", input={"topic": "T"})

    async def retired() -> bool:
        (await http.get("/cdn-cgi/handler/scheduled?cron=*+*+*+*+*")).raise_for_status()
        gone = (await http.get(f"/threads/{doomed}")).status_code == 404
        return gone and len(await client.threads.get_history(shrunk, limit=100)) == 1

    await until("the threads' time to be over", retired)
    assert (await client.threads.get_state(shrunk))["values"]["messages"] == ARTICLE
    assert (await http.get(f"/threads/{doomed}/state")).status_code == 404


async def test_a_subgraphs_state_is_updated_where_it_waits(client: LangGraphClient, thread_id: str) -> None:
    await client.runs.wait(thread_id, "questions_nested", input={"answers": []})
    inner = await innermost(client, thread_id)
    assert (inner["values"]["answers"], inner["next"]) == (["before"], ["twice"])
    assert await client.threads.get_state(thread_id, checkpoint=inner["checkpoint"]) == inner
    await client.threads.update_state(
        thread_id, {"answers": ["by hand"]}, as_node="before", checkpoint=inner["checkpoint"]
    )
    assert (await innermost(client, thread_id))["values"]["answers"] == ["before", "by hand"]
    history = await client.threads.get_history(
        thread_id, checkpoint={"checkpoint_ns": inner["checkpoint"]["checkpoint_ns"]}
    )
    assert [state["values"]["answers"] for state in history[:2]] == [["before", "by hand"], ["before"]]
    await client.runs.wait(thread_id, "questions_nested", input=None)
    await client.runs.wait(thread_id, "questions_nested", command={"resume": "one"})
    values = await client.runs.wait(thread_id, "questions_nested", command={"resume": "two"})
    assert values["answers"] == ["before", "by hand", "one", "two", "joined"]


async def innermost(client: LangGraphClient, thread_id: str) -> Any:
    """The state of the graph in the graph that the thread waits in."""
    state = await client.threads.get_state(thread_id, subgraphs=True)
    while state["tasks"] and state["tasks"][0]["state"]:
        state = state["tasks"][0]["state"]
    return state


async def test_the_state_of_an_entrypoint_is_what_it_returned(client: LangGraphClient, thread_id: str) -> None:
    await client.runs.wait(thread_id, "functional", input=[1, 2])
    assert (await client.threads.get_state(thread_id))["values"] == [1, 4, 5]
    await client.threads.update_state(thread_id, [9], as_node="workflow")
    assert (await client.threads.get_state(thread_id))["values"] == [9]


async def test_updates_and_runs_never_mix(client: LangGraphClient, thread_id: str) -> None:
    """Whatever wins, every message that was accepted is there once, and no run works on half of an update."""
    await client.runs.wait(thread_id, "sequence", input={"topic": "T"})

    async def update(number: int) -> list[str]:
        try:
            await client.threads.update_state(thread_id, {"messages": [f"by hand {number}"]}, as_node="editor")
        except ConflictError:
            return []
        return [f"by hand {number}"]

    created, *updated = await asyncio.gather(
        client.runs.create(thread_id, "sequence", input={"topic": "T"}), *(update(number) for number in range(8))
    )
    await client.runs.join(thread_id, created["run_id"])
    messages = (await client.threads.get_state(thread_id))["values"]["messages"]
    assert sorted(messages) == sorted([*ARTICLE, *ARTICLE, *(text for texts in updated for text in texts)])
    assert (await client.threads.get(thread_id))["values"]["messages"] == messages


async def test_what_the_graph_does_not_take_is_refused(client: LangGraphClient, thread_id: str) -> None:
    with pytest.raises(BadRequestError, match="has no assigned graph ID"):
        await client.threads.update_state(thread_id, {"topic": "T"})
    await client.runs.wait(thread_id, "sequence", input={"topic": "T"})
    with pytest.raises(BadRequestError, match="Node bogus does not exist"):
        await client.threads.update_state(thread_id, {"topic": "T"}, as_node="bogus")
