"""GET /threads/{thread_id}/stream with the official client: all runs of a thread, resumed at any place."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from langgraph_sdk.client import LangGraphClient

from tests.support import sse_frames
from tests.support.sse_frames import Frame

INPUT = {"topic": "t"}


async def first(events: AsyncIterator[Any], count: int) -> list[Any]:
    """So many events of a stream that never ends."""
    found: list[Any] = []
    async with asyncio.timeout(30):
        async for event in events:
            found.append(event)
            if len(found) == count:
                return found
    raise AssertionError(f"the stream ended after {found}")


async def test_a_follower_sees_every_run_begin_and_end(client: LangGraphClient, thread_id: str) -> None:
    following = asyncio.create_task(
        first(await client.threads.join_stream(thread_id, stream_mode=["run_modes"], last_event_id="-"), 11)
    )
    good = await client.runs.create(thread_id, "sequence", input=INPUT, stream_mode="updates")
    await client.runs.join(thread_id, good["run_id"])
    bad = await client.runs.create(thread_id, "failing", input={"log": ["in"]})
    await client.runs.join(thread_id, bad["run_id"])
    events = await following
    assert [(event.event, event.data) for event in events if event.event == "metadata"] == [
        ("metadata", {"run_id": good["run_id"], "attempt": 1}),
        ("metadata", {"run_id": good["run_id"], "status": "run_done"}),
        ("metadata", {"run_id": bad["run_id"], "attempt": 1}),
        ("metadata", {"run_id": bad["run_id"], "status": "run_done"}),
    ]
    assert [event.event for event in events].count("updates") == 4
    assert [event.event for event in events][-2] == "error"
    assert all(event.id for event in events)


async def test_it_goes_on_after_any_event(client: LangGraphClient, http: httpx.AsyncClient, thread_id: str) -> None:
    for _ in range(2):
        await client.runs.wait(thread_id, "sequence", input=INPUT)
    path = f"/threads/{thread_id}/stream"
    whole = await read(http, path, "-", 14)
    sse_frames.assert_strictly_increasing(whole)
    for position in (0, 6, 12):
        assert await read(http, path, whole[position].id or "", 13 - position) == whole[position + 1 :]


async def read(http: httpx.AsyncClient, path: str, after: str, count: int) -> list[Frame]:
    """So many frames after a place."""
    async with http.stream("GET", path, headers={"last-event-id": after}) as response:
        assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
        return await first(sse_frames.frames(response), count)


@pytest.mark.parametrize("thread", ["3a8483bb-a45e-424a-ae57-0bebddbee6e3", None])
async def test_where_nothing_happens_heartbeats_come(
    http: httpx.AsyncClient, thread_id: str, thread: str | None
) -> None:
    async with http.stream("GET", f"/threads/{thread or thread_id}/stream") as response:
        assert await first(response.aiter_bytes(), 1) == [b": heartbeat\r\n\r\n"]


async def test_a_state_made_by_hand_is_told(client: LangGraphClient, http: httpx.AsyncClient, thread_id: str) -> None:
    await client.runs.wait(thread_id, "sequence", input=INPUT)
    await client.threads.update_state(thread_id, {"topic": "by hand"}, as_node="editor")
    path = f"/threads/{thread_id}/stream?stream_modes=lifecycle&stream_modes=state_update"
    *_, told = await read(http, path, "-", 3)
    assert (told.event, told.data["thread_id"]) == ("state_update", thread_id)
    assert told.data["state"]["values"]["topic"] == "by hand"
