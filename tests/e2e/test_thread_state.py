"""The state and history of a thread: one checkpoint for each super-step, newest first."""

import itertools
from uuid import uuid4

import httpx
import pytest
from langgraph_sdk.client import LangGraphClient

ARTICLE = ["planner:T", "researcher:T", "writer:T", "editor:T"]


@pytest.fixture
async def written(client: LangGraphClient, thread_id: str) -> str:
    """A thread with one finished run of four steps."""
    await client.runs.wait(thread_id, "sequence", input={"topic": "T"})
    return thread_id


async def test_a_thread_that_never_ran_has_an_empty_state(client: LangGraphClient, thread_id: str) -> None:
    assert await client.threads.get_state(thread_id) == {
        "values": {},
        "next": [],
        "tasks": [],
        "metadata": None,
        "created_at": None,
        "checkpoint": None,
        "parent_checkpoint": None,
        "interrupts": [],
        "checkpoint_id": None,
        "parent_checkpoint_id": None,
    }
    assert await client.threads.get_history(thread_id) == []


async def test_the_state_of_a_finished_run(client: LangGraphClient, written: str) -> None:
    state = await client.threads.get_state(written)
    (run,) = await client.runs.list(written)
    assert (state["values"], state["next"], state["tasks"]) == ({"topic": "T", "messages": ARTICLE}, [], [])
    assert state["checkpoint"] == {
        "thread_id": written,
        "checkpoint_ns": "",
        "checkpoint_id": state["checkpoint"]["checkpoint_id"],
    }
    metadata = state["metadata"]
    assert (metadata["source"], metadata["step"], metadata["run_id"]) == ("loop", 4, run["run_id"])


async def test_history_has_a_checkpoint_for_every_super_step(client: LangGraphClient, written: str) -> None:
    history = await client.threads.get_history(written, limit=100)
    assert [state["metadata"]["step"] for state in history] == [4, 3, 2, 1, 0, -1]
    assert [state["metadata"]["source"] for state in history] == ["loop"] * 5 + ["input"]
    assert [state["values"].get("messages", []) for state in history[:5]] == [
        ARTICLE[:count] for count in (4, 3, 2, 1, 0)
    ]
    assert [state["next"] for state in history[:5]] == [[], ["editor"], ["writer"], ["researcher"], ["planner"]]
    for newer, older in itertools.pairwise(history):
        assert newer["parent_checkpoint"] == older["checkpoint"]


async def test_history_is_paged_by_the_checkpoint_before(client: LangGraphClient, written: str) -> None:
    history = await client.threads.get_history(written, limit=100)
    page = await client.threads.get_history(written, limit=2, before=history[1]["checkpoint"])
    assert page == history[2:4]
    by_id = await client.threads.get_history(written, limit=2, before=history[1]["checkpoint"]["checkpoint_id"])
    assert by_id == history[2:4]


async def test_plain_http_gets_the_newest_state_unless_it_asks_for_more(http: httpx.AsyncClient, written: str) -> None:
    (newest,) = (await http.get(f"/threads/{written}/history")).json()
    assert newest["metadata"]["step"] == 4
    assert len((await http.get(f"/threads/{written}/history", params={"limit": 3})).json()) == 3
    assert len((await http.post(f"/threads/{written}/history", json={})).json()) == 1


async def test_history_can_be_filtered_by_metadata(client: LangGraphClient, written: str) -> None:
    (state,) = await client.threads.get_history(written, metadata={"step": 2})
    assert state["values"]["messages"] == ARTICLE[:2]


async def test_the_state_at_a_checkpoint_is_the_state_of_then(client: LangGraphClient, written: str) -> None:
    history = await client.threads.get_history(written, limit=100)
    then = history[2]["checkpoint"]
    assert (await client.threads.get_state(written, checkpoint=then))["values"] == history[2]["values"]
    by_id = await client.threads.get_state(written, checkpoint_id=then["checkpoint_id"])
    assert by_id["values"] == history[2]["values"]


async def test_a_run_from_an_earlier_checkpoint_branches_off(client: LangGraphClient, written: str) -> None:
    history = await client.threads.get_history(written, limit=100)
    replayed = await client.runs.wait(
        written, "sequence", input=None, checkpoint_id=history[2]["checkpoint"]["checkpoint_id"]
    )
    assert replayed["messages"] == ARTICLE
    assert len(await client.threads.get_history(written, limit=100)) > len(history)


async def test_an_unknown_checkpoint_is_empty(http: httpx.AsyncClient, written: str) -> None:
    response = await http.get(f"/threads/{written}/state/{uuid4()}")
    assert (response.status_code, response.json()["values"]) == (200, {})


@pytest.mark.parametrize("path", ["state", "history"])
async def test_the_state_of_an_unknown_thread_is_404(http: httpx.AsyncClient, path: str) -> None:
    assert (await http.get(f"/threads/{uuid4()}/{path}")).status_code == 404


async def test_durability_exit_keeps_only_the_last_checkpoint(client: LangGraphClient, thread_id: str) -> None:
    values = await client.runs.wait(thread_id, "sequence", input={"topic": "T"}, durability="exit")
    assert values["messages"] == ARTICLE
    (state,) = await client.threads.get_history(thread_id, limit=100)
    assert (state["values"]["messages"], state["metadata"]["step"]) == (ARTICLE, 4)
