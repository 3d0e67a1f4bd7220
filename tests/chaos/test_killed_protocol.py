"""SIGKILL while clients follow a thread by the streaming protocol: whoever comes back has no gap and no repeat."""

import asyncio
import json
from contextlib import suppress
from typing import Any
from uuid import uuid4

import httpx
from langgraph_sdk.client import LangGraphClient
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from tests.chaos.crashes import assert_ran_once, gated, kill_workerd, reached
from tests.support import sse_frames
from tests.support.step_server import StepServer
from tests.support.waiting import until
from tools.local_server import Server

STEPS = 4
CHANNELS = ["values", "lifecycle"]


def is_end(event: dict[str, Any]) -> bool:
    return event["params"]["data"].get("event") in ("completed", "failed", "interrupted")


async def follow(http: httpx.AsyncClient, thread_id: str, seen: list[dict[str, Any]]) -> None:
    """Add to what a client has seen until the run has ended, or the server is gone."""
    body = {"channels": CHANNELS, "since": seen[-1]["seq"] if seen else 0}
    async with http.stream("POST", f"/threads/{thread_id}/stream/events", json=body) as response:
        async for frame in sse_frames.frames(response):
            seen.append(frame.data)
            if is_end(frame.data):
                return


async def listen(server: Server, thread_id: str, seen: list[dict[str, Any]]) -> None:
    """The same by WebSocket, whose replay begins anew; a client knows by their ids what it has seen."""
    known = {event["event_id"] for event in seen}
    url = f"{server.url.replace('http', 'ws', 1)}/threads/{thread_id}/stream/events"
    async with connect(url) as socket:
        await socket.send(json.dumps({"id": 1, "method": "subscription.subscribe", "params": {"channels": CHANNELS}}))
        async for text in socket:
            message = json.loads(text)
            if message["type"] == "event" and message["event_id"] not in known:
                seen.append(message)
            if message["type"] == "event" and is_end(message):
                return


async def test_followers_of_both_kinds_go_on_after_a_crash(
    server: Server, client: LangGraphClient, http: httpx.AsyncClient, steps: StepServer
) -> None:
    thread_id, run = str(uuid4()), "protocol"
    steps.hold(run, 2)
    params = gated(steps, run, STEPS)
    answer = await http.post(f"/threads/{thread_id}/commands", json={"id": 1, "method": "run.start", "params": params})
    assert answer.json()["type"] == "success"
    streamed: list[dict[str, Any]] = []
    socketed: list[dict[str, Any]] = []
    followers = [
        asyncio.create_task(follow(http, thread_id, streamed)),
        asyncio.create_task(listen(server, thread_id, socketed)),
    ]
    await reached(steps, run, 2)

    async def saw_two_steps() -> bool:
        return all(seen and seen[-1]["params"]["data"].get("log") == [0, 1] for seen in (streamed, socketed))

    await until("both followers saw two steps", saw_two_steps)
    await asyncio.to_thread(kill_workerd, server)
    for follower in followers:
        with suppress(httpx.HTTPError, WebSocketException, OSError):
            await asyncio.wait_for(follower, 60)
    steps.release(run, 2)
    async with asyncio.timeout(60):
        await asyncio.gather(follow(http, thread_id, streamed), listen(server, thread_id, socketed))
    replay: list[dict[str, Any]] = []
    await follow(http, thread_id, replay)

    assert streamed == socketed == replay
    for seen in (streamed, socketed, replay):
        numbers = [event["seq"] for event in seen]
        assert numbers == sorted(set(numbers))
        values = [event["params"]["data"]["log"] for event in seen if event["method"] == "values"]
        assert values == [list(range(count)) for count in range(STEPS + 1)]
        ends = [event["params"]["data"]["event"] for event in seen if event["method"] == "lifecycle"]
        assert ends == ["running", "completed"]
    await assert_ran_once(client, thread_id, STEPS)
