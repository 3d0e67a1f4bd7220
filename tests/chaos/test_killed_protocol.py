"""SIGKILL while clients follow a thread over the streaming protocol: a client that resumes has no gap and no repeat."""

import asyncio
from contextlib import suppress
from typing import Any
from uuid import uuid4

import httpx
from langgraph_sdk.client import LangGraphClient
from websockets.exceptions import WebSocketException

from tests.chaos.crashes import assert_ran_once, gated, kill_workerd, reached
from tests.chaos.followers import follow, listen
from tests.support.step_server import StepServer
from tests.support.waiting import until
from tools.local_server import Server

STEPS = 4


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
