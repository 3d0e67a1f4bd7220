"""/runs/stream in every mode: the same events as LangGraph yields in this process, in the same order."""

import itertools
from typing import Any

import httpx
import pytest
from langgraph_sdk.client import LangGraphClient

from tests.e2e import local_graphs
from tests.support import sse_frames
from tests.support.sse_frames import Frame

HELLO = {"messages": [{"role": "user", "content": "hi"}]}
SEQUENCE = {"topic": "s", "messages": []}
NATIVE_MODES = ["values", "updates", "custom", "tasks", "checkpoints", "debug"]


async def stream(http: httpx.AsyncClient, thread_id: str, **body: Any) -> list[Frame]:
    """Every event of a new run on the thread."""
    response = await http.post(f"/threads/{thread_id}/runs/stream", json=body)
    assert response.status_code == 200, response.text
    return sse_frames.parse(response.content)


async def assert_streams_like_langgraph(
    http: httpx.AsyncClient,
    thread_id: str,
    graph_id: str,
    graph_input: Any,
    modes: list[str],
    *,
    subgraphs: bool = False,
) -> None:
    frames = await stream(
        http, thread_id, assistant_id=graph_id, input=graph_input, stream_mode=modes, stream_subgraphs=subgraphs
    )
    expected = [
        local_graphs.comparable(name, data)
        async for name, data in local_graphs.events(graph_id, graph_input, modes, subgraphs=subgraphs)
    ]
    first, *others = frames
    assert (first.event, first.data.keys()) == ("metadata", {"run_id", "attempt"})
    assert [local_graphs.comparable(frame.event, frame.data) for frame in others] == expected
    sse_frames.assert_strictly_increasing(frames)


@pytest.mark.parametrize("mode", NATIVE_MODES)
async def test_each_mode_streams_what_langgraph_streams(http: httpx.AsyncClient, thread_id: str, mode: str) -> None:
    await assert_streams_like_langgraph(http, thread_id, "sequence", SEQUENCE, [mode])


async def test_several_modes_are_interleaved_in_langgraphs_order(http: httpx.AsyncClient, thread_id: str) -> None:
    await assert_streams_like_langgraph(http, thread_id, "sequence", SEQUENCE, ["values", "updates", "custom", "tasks"])


@pytest.mark.parametrize("mode", ["values", "updates", "tasks", "checkpoints", "debug"])
@pytest.mark.parametrize("subgraphs", [False, True], ids=["root only", "with subgraphs"])
async def test_subgraph_events_carry_their_namespace_in_the_name(
    http: httpx.AsyncClient, thread_id: str, mode: str, subgraphs: bool
) -> None:
    await assert_streams_like_langgraph(http, thread_id, "nested", {"trail": ["in"]}, [mode], subgraphs=subgraphs)


async def test_an_interrupt_is_part_of_the_stream(http: httpx.AsyncClient, thread_id: str) -> None:
    await assert_streams_like_langgraph(http, thread_id, "approval", {"draft": "d", "log": []}, ["values", "updates"])


async def test_tokens_come_as_chunks_with_their_metadata(http: httpx.AsyncClient, thread_id: str) -> None:
    await assert_streams_like_langgraph(http, thread_id, "chat", HELLO, ["messages-tuple"])


async def test_messages_mode_accumulates_the_tokens(http: httpx.AsyncClient, thread_id: str) -> None:
    frames = await stream(http, thread_id, assistant_id="chat", input=HELLO, stream_mode=["messages", "values"])
    partials = [data[0] for data in sse_frames.named(frames, "messages/partial")]
    (metadata,) = sse_frames.named(frames, "messages/metadata")
    assert metadata.keys() == {partials[0]["id"]}
    assert {partial["type"] for partial in partials} == {"ai"}
    for shorter, longer in itertools.pairwise(partials):
        assert longer["content"].startswith(shorter["content"])
    assert partials[-1]["content"] == sse_frames.named(frames, "values")[-1]["messages"][-1]["content"]
    assert sse_frames.named(frames, "messages/complete") == []


async def test_events_mode_tells_of_every_node(http: httpx.AsyncClient, thread_id: str) -> None:
    frames = await stream(http, thread_id, assistant_id="sequence", input=SEQUENCE, stream_mode="events")
    told = [(data["event"], data["name"]) for data in sse_frames.named(frames, "events")]
    assert (told[0], told[-1]) == (("on_chain_start", "sequence"), ("on_chain_end", "sequence"))
    for node in ("planner", "researcher", "writer", "editor"):
        assert told.index(("on_chain_start", node)) < told.index(("on_chain_end", node))


async def test_a_failing_graph_ends_its_stream_with_the_error(http: httpx.AsyncClient, thread_id: str) -> None:
    frames = await stream(http, thread_id, assistant_id="failing", input={"log": []}, stream_mode="updates")
    assert [(frame.event, frame.data) for frame in frames[1:]] == [
        ("updates", {"works": {"log": ["works"]}}),
        ("error", {"error": "ValueError", "message": "boom"}),
    ]


async def test_the_stream_is_announced_as_one(http: httpx.AsyncClient, thread_id: str) -> None:
    body = {"assistant_id": "sequence", "input": SEQUENCE}
    response = await http.post(f"/threads/{thread_id}/runs/stream", json=body)
    run_path = f"/threads/{thread_id}/runs/{sse_frames.parse(response.content)[0].data['run_id']}"
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert response.headers["cache-control"] == "no-store"
    locations = response.headers["location"], response.headers["content-location"]
    assert locations == (f"{run_path}/stream?last_event_id=-1", run_path)


async def test_the_run_has_ended_when_its_stream_closes(http: httpx.AsyncClient, thread_id: str) -> None:
    async with http.stream(
        "POST", f"/threads/{thread_id}/runs/stream", json={"assistant_id": "sequence", "input": SEQUENCE}
    ) as response:
        async for _ in sse_frames.frames(response):
            pass
        run_path = response.headers["content-location"]
    assert (await http.get(run_path)).json()["status"] == "success"


async def test_the_python_sdk_yields_the_whole_run(client: LangGraphClient, thread_id: str) -> None:
    created: list[str] = []
    parts = [
        part
        async for part in client.runs.stream(
            thread_id,
            "sequence",
            input=SEQUENCE,
            stream_mode=["values", "updates"],
            on_run_created=lambda run: created.append(run["run_id"]),
        )
    ]
    assert [part.event for part in parts] == ["metadata", "values"] + ["updates", "values"] * 4
    assert parts[0].data["run_id"] == created[0]
    assert parts[-1].data["messages"] == ["planner:s", "researcher:s", "writer:s", "editor:s"]
