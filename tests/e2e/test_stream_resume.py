"""GET …/runs/{run_id}/stream: joining and resuming, without a gap and without a repeat."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import httpx
import pytest
from langgraph_sdk.client import LangGraphClient

from tests.support import sse_frames
from tests.support.sse_frames import Frame
from tests.support.step_server import StepServer

BODY = {"assistant_id": "sequence", "input": {"topic": "r"}, "stream_mode": ["values", "updates", "custom"]}


async def rest(http: httpx.AsyncClient, path: str, last_event_id: str | None = None, **query: Any) -> list[Frame]:
    """What a client that joins the stream at `path` gets until the end."""
    headers = {} if last_event_id is None else {"last-event-id": last_event_id}
    response = await http.get(path, headers=headers, params=query)
    assert response.status_code == 200, response.text
    return sse_frames.parse(response.content)


async def finished_run(http: httpx.AsyncClient, thread_id: str) -> tuple[str, list[Frame]]:
    """The stream path of a finished run and everything it streamed."""
    response = await http.post(f"/threads/{thread_id}/runs/stream", json=BODY)
    return response.headers["content-location"] + "/stream", sse_frames.parse(response.content)


async def test_a_finished_run_can_be_resumed_after_each_of_its_events(http: httpx.AsyncClient, thread_id: str) -> None:
    path, frames = await finished_run(http, thread_id)
    assert len(frames) == 1 + 5 + 4 + 4
    for position, frame in enumerate(frames):
        assert await rest(http, path, frame.id) == frames[position + 1 :]


@pytest.mark.parametrize("start", ["-1", "-", "0"])
async def test_everything_is_replayed_from_the_start(http: httpx.AsyncClient, thread_id: str, start: str) -> None:
    path, frames = await finished_run(http, thread_id)
    assert await rest(http, path, start) == frames


async def test_joining_a_finished_run_without_an_id_replays_nothing(http: httpx.AsyncClient, thread_id: str) -> None:
    path, _ = await finished_run(http, thread_id)
    assert await rest(http, path) == []


class CutOffOnce(httpx.AsyncHTTPTransport):
    """Loses the connection of a created stream before its first event."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await super().handle_async_request(request)
        if request.method == "POST" and "text/event-stream" in response.headers["content-type"]:
            await response.aclose()
            return httpx.Response(response.status_code, headers=response.headers, stream=Broken())
        return response


class Broken(httpx.AsyncByteStream):
    """A body of which nothing arrives."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        raise httpx.ReadError("the connection was lost")
        yield b""


@pytest.mark.filterwarnings("ignore:Reconnecting without a Last-Event-ID")
async def test_an_sdk_that_is_cut_off_before_it_has_an_id_misses_nothing(
    http: httpx.AsyncClient, thread_id: str
) -> None:
    async with httpx.AsyncClient(transport=CutOffOnce(), base_url=http.base_url, timeout=60) as unlucky:
        runs = LangGraphClient(unlucky).runs
        seen = [part async for part in runs.stream(thread_id, **BODY, stream_resumable=True)]
        [run] = await runs.list(thread_id)
    frames = await rest(http, f"/threads/{thread_id}/runs/{run['run_id']}/stream", "-1")
    assert frames
    assert [(part.event, part.data, part.id) for part in seen] == [(each.event, each.data, each.id) for each in frames]


async def test_a_join_can_ask_for_some_modes_only(http: httpx.AsyncClient, thread_id: str) -> None:
    path, frames = await finished_run(http, thread_id)
    updates = [frame for frame in frames if frame.event == "updates"]
    both = [frame for frame in frames if frame.event in ("updates", "custom")]
    assert await rest(http, path, "-1", stream_mode="updates") == updates
    assert await rest(http, path, "-1", stream_mode='["updates"]') == updates
    assert await rest(http, path, "-1", stream_mode=["updates", "custom"]) == both
    assert await rest(http, path, "-1", stream_mode="") == frames


async def test_a_failed_run_is_replayed_with_its_error(http: httpx.AsyncClient, thread_id: str) -> None:
    response = await http.post(
        f"/threads/{thread_id}/runs/stream", json={"assistant_id": "failing", "input": {"log": []}}
    )
    frames = sse_frames.parse(response.content)
    assert frames[-1].event == "error"
    assert await rest(http, response.headers["location"], "-1") == frames


async def test_a_join_before_the_run_starts_sees_all_of_it(
    client: LangGraphClient, http: httpx.AsyncClient, thread_id: str
) -> None:
    run = await client.runs.create(thread_id, "sequence", input={"topic": "r"}, after_seconds=1)
    frames = await rest(http, f"/threads/{thread_id}/runs/{run['run_id']}/stream")
    assert [frame.event for frame in frames] == ["metadata"] + ["values"] * 5


async def test_a_dropped_connection_is_picked_up_while_the_run_goes_on(
    http: httpx.AsyncClient, thread_id: str, steps: StepServer
) -> None:
    steps.hold("drop", 2)
    body = {
        "assistant_id": "gated",
        "input": {"url": steps.url, "run": "drop", "steps": 5},
        "stream_mode": ["values", "updates", "custom"],
    }
    seen: list[Frame] = []
    async with http.stream("POST", f"/threads/{thread_id}/runs/stream", json=body) as response:
        path = response.headers["content-location"] + "/stream"
        async for frame in sse_frames.frames(response):
            seen.append(frame)
            if frame.data == {"step": 2}:
                break
    resumed = asyncio.create_task(rest(http, path, seen[-1].id))
    replayed = asyncio.create_task(rest(http, path, "-1"))
    steps.release("drop", 2)
    assert seen + await resumed == await replayed
    sse_frames.assert_strictly_increasing(seen + resumed.result())
    assert [values["log"] for values in sse_frames.named(replayed.result(), "values")] == [
        list(range(count)) for count in range(6)
    ]
    assert steps.arrivals("drop") == dict.fromkeys(range(5), 1)


async def test_a_join_without_an_id_sees_only_what_comes(
    client: LangGraphClient, http: httpx.AsyncClient, thread_id: str, steps: StepServer
) -> None:
    steps.hold("late", 1)
    run = await client.runs.create(
        thread_id, "gated", input={"url": steps.url, "run": "late", "steps": 3}, stream_mode="updates"
    )
    await asyncio.to_thread(steps.wait_for_arrival, "late", 1)
    async with http.stream("GET", f"/threads/{thread_id}/runs/{run['run_id']}/stream") as response:
        steps.release("late", 1)
        seen = [frame.data async for frame in sse_frames.frames(response)]
    assert seen == [{"step": {"log": [1]}}, {"step": {"log": [2]}}]


async def test_the_sdk_joins_a_run_and_resumes_it(client: LangGraphClient, thread_id: str) -> None:
    parts = [
        part async for part in client.runs.stream(thread_id, "sequence", input={"topic": "r"}, stream_resumable=True)
    ]
    run_id = parts[0].data["run_id"]
    assert all(part.id for part in parts)
    joined = [part async for part in client.runs.join_stream(thread_id, run_id, last_event_id=parts[2].id)]
    assert joined == parts[3:]


async def test_a_stream_of_nothing_known_is_an_error_event(http: httpx.AsyncClient, thread_id: str) -> None:
    unknown_run = await rest(http, f"/threads/{thread_id}/runs/{uuid4()}/stream")
    assert [(frame.event, frame.data) for frame in unknown_run] == [
        ("error", {"error": "HTTPException", "message": "404: Run not found"})
    ]
    (unknown_thread,) = await rest(http, f"/threads/{uuid4()}/runs/{uuid4()}/stream")
    assert unknown_thread.data["message"].startswith("404: ")


async def test_an_id_that_is_none_replays_nothing(http: httpx.AsyncClient, thread_id: str) -> None:
    path, _ = await finished_run(http, thread_id)
    assert await rest(http, path, "garbage") == []


async def test_many_clients_that_leave_do_not_disturb_the_run(
    client: LangGraphClient, http: httpx.AsyncClient, thread_id: str, steps: StepServer
) -> None:
    steps.hold("crowd", 0)
    run = await client.runs.create(thread_id, "gated", input={"url": steps.url, "run": "crowd", "steps": 3})
    path = f"/threads/{thread_id}/runs/{run['run_id']}/stream"
    await asyncio.to_thread(steps.wait_for_arrival, "crowd", 0)
    for _ in range(20):
        async with http.stream("GET", path, headers={"last-event-id": "-1"}) as response:
            async for _ in sse_frames.frames(response):
                break
    steps.release("crowd", 0)
    assert (await client.runs.join(thread_id, run["run_id"]))["log"] == [0, 1, 2]
    assert steps.arrivals("crowd") == {0: 1, 1: 1, 2: 1}
