"""A graph with an interrupt: the interrupt reaches every waiting client, and the answer resumes the graph there."""

from typing import Any

import httpx
import pytest
from langgraph_sdk.client import LangGraphClient

QUESTION = {"question": "approve?", "draft": "draft-d"}
ASKED = {"draft": "draft-d", "log": ["write"]}


@pytest.fixture
async def interrupted(client: LangGraphClient, thread_id: str) -> dict[str, Any]:
    """The interrupt of a thread that has just asked its question."""
    values = await client.runs.wait(thread_id, "approval", input={"draft": "d"})
    assert isinstance(values, dict)
    (interrupt,) = values.pop("__interrupt__")
    assert values == ASKED
    return interrupt


async def test_wait_answers_with_the_question(interrupted: dict[str, Any]) -> None:
    assert interrupted["value"] == QUESTION
    assert interrupted.keys() == {"value", "id", "response_schema"}


async def test_an_interrupted_run_is_a_success_and_its_thread_interrupted(
    client: LangGraphClient, thread_id: str, interrupted: dict[str, Any]
) -> None:
    (run,) = await client.runs.list(thread_id)
    thread = await client.threads.get(thread_id)
    assert (run["status"], thread["status"], thread["values"]) == ("success", "interrupted", ASKED)
    ((shown,),) = thread["interrupts"].values()
    assert shown == {"id": interrupted["id"], "value": QUESTION}


async def test_the_state_names_the_task_that_asks(
    client: LangGraphClient, thread_id: str, interrupted: dict[str, Any]
) -> None:
    state = await client.threads.get_state(thread_id)
    (task,) = state["tasks"]
    assert (state["next"], task["name"]) == (["approve"], "approve")
    assert task["interrupts"] == state["interrupts"] == [{"id": interrupted["id"], "value": QUESTION}]


@pytest.mark.parametrize("by_id", [False, True], ids=["plain answer", "answer by interrupt id"])
async def test_the_answer_resumes_the_graph(
    client: LangGraphClient, thread_id: str, interrupted: dict[str, Any], by_id: bool
) -> None:
    answer = {interrupted["id"]: {"ok": True}} if by_id else {"ok": True}
    values = await client.runs.wait(thread_id, "approval", command={"resume": answer})
    assert values == {"draft": "draft-d", "decision": {"ok": True}, "log": ["write", "approve", "publish"]}
    assert (await client.threads.get(thread_id))["status"] == "idle"


async def test_a_streamed_answer_streams_the_rest(
    client: LangGraphClient, thread_id: str, interrupted: dict[str, Any]
) -> None:
    stream = client.runs.stream(thread_id, "approval", command={"resume": "yes"}, stream_mode="updates")
    assert [part.data async for part in stream if part.event == "updates"] == [
        {"approve": {"decision": "yes", "log": ["approve"]}},
        {"publish": {"log": ["publish"]}},
    ]


async def test_running_on_without_an_answer_asks_again(
    client: LangGraphClient, thread_id: str, interrupted: dict[str, Any]
) -> None:
    values = await client.runs.wait(thread_id, "approval", input=None)
    assert isinstance(values, dict)
    assert [asked["value"] for asked in values["__interrupt__"]] == [QUESTION]


async def test_an_answer_to_nothing_changes_nothing(client: LangGraphClient, thread_id: str) -> None:
    finished = await client.runs.wait(thread_id, "sequence", input={"topic": "q"})
    assert await client.runs.wait(thread_id, "sequence", command={"resume": "anything"}) == finished


@pytest.mark.parametrize("side", ["interrupt_before", "interrupt_after"])
async def test_a_static_breakpoint_stops_without_a_question(client: LangGraphClient, thread_id: str, side: str) -> None:
    stopped = await client.runs.wait(thread_id, "sequence", input={"topic": "b"}, **{side: ["researcher"]})
    assert isinstance(stopped, dict)
    assert "__interrupt__" not in stopped
    expected = {"interrupt_before": ["planner:b"], "interrupt_after": ["planner:b", "researcher:b"]}
    assert stopped["messages"] == expected[side]
    assert (await client.threads.get(thread_id))["status"] == "interrupted"
    finished = await client.runs.wait(thread_id, "sequence", input=None)
    assert finished["messages"] == ["planner:b", "researcher:b", "writer:b", "editor:b"]


async def test_a_command_can_go_elsewhere_and_bring_values(client: LangGraphClient, thread_id: str) -> None:
    await client.runs.wait(thread_id, "sequence", input={"topic": "1"})
    values = await client.runs.wait(thread_id, "sequence", command={"goto": "writer", "update": {"topic": "2"}})
    assert isinstance(values, dict)
    assert values["messages"] == ["planner:1", "researcher:1", "writer:1", "editor:1", "writer:2", "editor:2"]


async def test_resuming_needs_nothing_but_http(
    http: httpx.AsyncClient, thread_id: str, interrupted: dict[str, Any]
) -> None:
    body = {"assistant_id": "approval", "command": {"resume": "plain"}}
    response = await http.post(f"/threads/{thread_id}/runs/wait", json=body)
    assert response.json()["decision"] == "plain"
