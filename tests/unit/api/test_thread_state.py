"""The state of a thread over HTTP, read by real graphs from a real checkpointer."""

from typing import Any

import pytest
from langchain_core.messages import AIMessage

from tests.support.http_api import Api

UNKNOWN = "2a91c740-f094-4a4c-b61a-0c5397d5b612"
EMPTY = {
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


@pytest.fixture
def api() -> Api:
    return Api()


async def run(api: Api, graph_id: str, value: Any = None, *, fails: bool = False) -> str:
    """A thread on which the graph ran."""
    thread_id = await api.new_thread(metadata={"graph_id": graph_id})
    graph = api.registry.graphs[graph_id].copy(update={"checkpointer": api.saver})
    config = {"configurable": {"thread_id": thread_id}, "metadata": {"m": 1}}
    try:
        await graph.ainvoke(value or {"topic": "t"}, config)
    except ValueError:
        assert fails
    return thread_id


@pytest.mark.parametrize("metadata", [{}, {"graph_id": "sequence"}])
async def test_a_thread_that_never_ran_has_an_empty_state(api: Api, metadata: dict[str, Any]) -> None:
    thread_id = await api.new_thread(metadata=metadata)
    assert await api.json("GET", f"/threads/{thread_id}/state") == EMPTY
    assert await api.json("GET", f"/threads/{thread_id}/history") == []
    assert await api.json("POST", f"/threads/{thread_id}/history", {}) == []


async def test_the_state_of_a_finished_thread(api: Api) -> None:
    thread_id = await run(api, "sequence")
    state = await api.json("GET", f"/threads/{thread_id}/state")
    assert list(state) == list(EMPTY)
    assert (state["values"], state["next"], state["tasks"]) == ({"topic": "t", "log": ["plan", "write"]}, [], [])
    assert state["checkpoint"] == {"checkpoint_id": state["checkpoint_id"], "thread_id": thread_id, "checkpoint_ns": ""}
    assert state["parent_checkpoint"]["checkpoint_id"] == state["parent_checkpoint_id"]
    assert {name: state["metadata"][name] for name in ("source", "step", "m")} == {"source": "loop", "step": 2, "m": 1}


async def test_the_state_of_an_interrupted_thread_shows_what_it_waits_for(api: Api) -> None:
    thread_id = await run(api, "approval")
    state = await api.json("GET", f"/threads/{thread_id}/state")
    [task] = state["tasks"]
    [interrupt] = state["interrupts"]
    assert interrupt == {"id": interrupt["id"], "value": {"question": "ok?"}}
    assert state["next"] == ["ask"]
    assert task == {
        "id": task["id"],
        "name": "ask",
        "path": ["__pregel_pull", "ask"],
        "error": None,
        "interrupts": [interrupt],
        "checkpoint": None,
        "state": None,
        "result": None,
    }


async def test_a_failed_task_shows_the_repr_of_its_error(api: Api) -> None:
    thread_id = await run(api, "failure", fails=True)
    state = await api.json("GET", f"/threads/{thread_id}/state")
    assert (state["next"], state["tasks"][0]["error"]) == (["fail"], "ValueError('boom')")


async def test_a_subgraph_shows_as_a_checkpoint_or_with_its_own_state(api: Api) -> None:
    thread_id = await run(api, "nested")
    [task] = (await api.json("GET", f"/threads/{thread_id}/state"))["tasks"]
    assert task["state"] is None
    assert task["checkpoint"] == {"thread_id": thread_id, "checkpoint_ns": f"child:{task['id']}"}
    [nested] = (await api.json("GET", f"/threads/{thread_id}/state?subgraphs=true"))["tasks"]
    assert nested["checkpoint"] is None
    assert nested["state"]["next"] == ["ask"]
    at_subgraph = await api.json("POST", f"/threads/{thread_id}/state/checkpoint", {"checkpoint": task["checkpoint"]})
    assert at_subgraph["next"] == ["ask"]
    by_subgraph = {"checkpoint": {"checkpoint_ns": task["checkpoint"]["checkpoint_ns"]}, "limit": 10}
    assert (await api.json("POST", f"/threads/{thread_id}/history", by_subgraph))[0]["next"] == ["ask"]


async def test_a_namespace_that_no_subgraph_has_is_empty(api: Api) -> None:
    thread_id = await run(api, "sequence")
    checkpoint = {"checkpoint": {"checkpoint_ns": "nope:1"}}
    assert await api.json("POST", f"/threads/{thread_id}/state/checkpoint", checkpoint) == EMPTY
    assert await api.json("POST", f"/threads/{thread_id}/history", checkpoint) == []


async def test_history_goes_back_from_the_latest_state(api: Api) -> None:
    thread_id = await run(api, "sequence")
    path = f"/threads/{thread_id}/history"
    states = await api.json("POST", path, {"limit": 100})
    assert [state["metadata"]["step"] for state in states] == [2, 1, 0, -1]
    assert states[0] == await api.json("GET", f"/threads/{thread_id}/state")
    assert await api.json("GET", path) == states[:1]
    assert await api.json("GET", f"{path}?limit=3") == states[:3]
    assert await api.json("POST", path, {"limit": 9, "metadata": {"step": 1}}) == [states[1]]
    second = states[1]["checkpoint_id"]
    for before in (second, states[1]["checkpoint"], {"configurable": {"checkpoint_id": second}}):
        assert await api.json("POST", path, {"limit": 9, "before": before}) == states[2:]
    assert await api.json("GET", f"{path}?limit=9&before={second}") == states[2:]
    assert await api.json("POST", path, {"limit": 1, "before": {}}) == states[:1]


async def test_an_earlier_state_is_read_by_its_checkpoint(api: Api) -> None:
    thread_id = await run(api, "sequence")
    earlier = (await api.json("POST", f"/threads/{thread_id}/history", {"limit": 2}))[1]
    path = f"/threads/{thread_id}/state"
    by_id = await api.json("GET", f"{path}/{earlier['checkpoint_id']}")
    assert by_id | {"checkpoint": by_id["checkpoint"] | {"checkpoint_ns": ""}} == earlier
    foreign = {**earlier["checkpoint"], "thread_id": UNKNOWN}
    for checkpoint in (earlier["checkpoint"], foreign):
        assert await api.json("POST", f"{path}/checkpoint", {"checkpoint": checkpoint}) == earlier


@pytest.mark.parametrize("checkpoint_id", [UNKNOWN, "notauuid", "%00", "%F0%9F%98%80", "a" * 5000])
async def test_an_unknown_checkpoint_has_an_empty_state(api: Api, checkpoint_id: str) -> None:
    thread_id = await run(api, "sequence")
    state = await api.json("GET", f"/threads/{thread_id}/state/{checkpoint_id}")
    known = state["checkpoint_id"]
    assert state == EMPTY | {"checkpoint": {"checkpoint_id": known, "thread_id": thread_id}, "checkpoint_id": known}


async def test_another_threads_checkpoint_is_out_of_reach(api: Api) -> None:
    mine, other = await run(api, "sequence"), await run(api, "approval")
    secret = (await api.json("GET", f"/threads/{other}/state"))["checkpoint_id"]
    assert (await api.json("GET", f"/threads/{mine}/state/{secret}"))["values"] == {}
    checkpoint = {"checkpoint": {"thread_id": other, "checkpoint_id": secret}}
    assert (await api.json("POST", f"/threads/{mine}/state/checkpoint", checkpoint))["values"] == {}


async def test_state_of_any_type_is_encoded(api: Api) -> None:
    thread_id = await run(api, "sequence", {"topic": AIMessage("hi", id="1")})
    assert (await api.json("GET", f"/threads/{thread_id}/state"))["values"]["topic"]["type"] == "ai"


async def test_a_thread_whose_graph_is_gone_is_404(api: Api) -> None:
    thread_id = await api.new_thread(metadata={"graph_id": "gone"})
    assert "'gone'" in await api.detail("GET", f"/threads/{thread_id}/state", status=404)


@pytest.mark.parametrize("graph_id", [1, ["sequence"], {"a": 1}, True])
async def test_a_graph_id_that_is_no_text_is_404(api: Api, graph_id: object) -> None:
    thread_id = await api.new_thread(metadata={"graph_id": graph_id})
    await api.detail("GET", f"/threads/{thread_id}/state", status=404)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/state/checkpoint", {}),
        ("POST", "/state/checkpoint", {"checkpoint": 1}),
        ("POST", "/state/checkpoint", {"checkpoint": {"checkpoint_id": 1}}),
        ("POST", "/history", {"limit": 0}),
        ("POST", "/history", {"limit": 1001}),
        ("POST", "/history", {"before": 1}),
        ("POST", "/history", {"metadata": []}),
        ("GET", "/history?limit=x", None),
        ("GET", "/state?subgraphs=perhaps", None),
    ],
)
async def test_a_wrong_request_is_422(api: Api, method: str, path: str, body: object) -> None:
    thread_id = await run(api, "sequence")
    await api.detail(method, f"/threads/{thread_id}{path}", body, status=422)


async def test_metadata_that_no_checkpoint_has_finds_nothing(api: Api) -> None:
    thread_id = await run(api, "sequence")
    for metadata in ({'a"b': 1}, {"": {}}, {"a": [1]}, {"step": None}):
        assert await api.json("POST", f"/threads/{thread_id}/history", {"metadata": metadata}) == []
