"""SIGKILL during a streamed run: its stream continues after the last event that a client saw, no gap, no repeat."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from langgraph_sdk.client import LangGraphClient

from tests.chaos.crashes import (
    Crash,
    any_crash,
    assert_ran_once,
    gated,
    kill_workerd,
    reached,
    wait_for_commit,
    wait_for_end,
)
from tests.support import sse_frames
from tests.support.sse_frames import Frame
from tests.support.step_server import StepServer
from tools.local_server import Server

STEPS = 5
MODES = ["values", "updates", "custom"]
VALUES = [list(range(count)) for count in range(STEPS + 1)]
UPDATES = [{"step": {"log": [step]}} for step in range(STEPS)]


class Viewer:
    """A client that keeps what it saw and comes back with its last id."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http
        self.seen: list[Frame] = []
        self.path = ""

    async def start(self, thread_id: str, body: dict[str, Any], until: Callable[[Frame], bool]) -> None:
        """Create the run and watch until an event is the wanted one; the connection is left open till then only."""
        async with self._http.stream("POST", f"/threads/{thread_id}/runs/stream", json=body) as response:
            self.path = response.headers["location"]
            async for frame in sse_frames.frames(response):
                self.seen.append(frame)
                if until(frame):
                    return
        raise AssertionError(f"the stream ended early: {self.seen}")

    async def come_back(self) -> None:
        """Watch the rest, from the last event seen."""
        response = await self._http.get(self.path, headers={"last-event-id": self.seen[-1].id or ""})
        self.seen += sse_frames.parse(response.content)

    def of_super_steps(self) -> list[Frame]:
        """All but what a node says while it is at work: the last of that may go down with the server."""
        return [frame for frame in self.seen if frame.event != "custom"]

    def assert_saw_an_uninterrupted_run(self) -> None:
        """Each id once and in order, and of what super-steps produce, exactly what an undisturbed run shows."""
        sse_frames.assert_strictly_increasing(self.seen)
        assert [values["log"] for values in sse_frames.named(self.seen, "values")] == VALUES
        assert sse_frames.named(self.seen, "updates") == UPDATES
        assert sse_frames.named(self.seen, "error") == []


def streamed(steps: StepServer, run: str) -> dict[str, Any]:
    """A gated run with the modes that the viewer checks."""
    return {**gated(steps, run, STEPS), "stream_mode": MODES}


@any_crash
async def test_a_stream_cut_inside_a_node_goes_on(
    server: Server, client: LangGraphClient, http: httpx.AsyncClient, thread_id: str, steps: StepServer, crash: Crash
) -> None:
    steps.hold("inside", 2)
    viewer = Viewer(http)
    await viewer.start(thread_id, streamed(steps, "inside"), lambda frame: frame.data == {"step": 2})
    await wait_for_commit(client, thread_id, [0, 1])
    await asyncio.to_thread(crash, server)
    steps.release("inside", 2)
    await viewer.come_back()
    viewer.assert_saw_an_uninterrupted_run()
    await assert_ran_once(client, thread_id, STEPS)
    assert steps.arrivals("inside") == {0: 1, 1: 1, 2: 2, 3: 1, 4: 1}


@pytest.mark.parametrize("count", [1, 3])
async def test_a_stream_cut_the_moment_a_super_step_was_shown_goes_on(
    server: Server, client: LangGraphClient, http: httpx.AsyncClient, thread_id: str, steps: StepServer, count: int
) -> None:
    run = f"shown{count}"
    steps.hold(run, count)
    viewer = Viewer(http)
    await viewer.start(
        thread_id,
        streamed(steps, run),
        lambda frame: frame.event == "values" and len(frame.data["log"]) == count,
    )
    await asyncio.to_thread(kill_workerd, server)
    steps.release(run, count)
    await viewer.come_back()
    viewer.assert_saw_an_uninterrupted_run()
    await assert_ran_once(client, thread_id, STEPS)
    assert all(steps.arrivals(run)[step] == 1 for step in range(STEPS) if step != count)


async def test_a_stream_cut_before_the_first_checkpoint_goes_on(
    server: Server, client: LangGraphClient, http: httpx.AsyncClient, thread_id: str, steps: StepServer
) -> None:
    viewer = Viewer(http)
    await viewer.start(thread_id, streamed(steps, "early"), lambda frame: frame.event == "metadata")
    await asyncio.to_thread(kill_workerd, server)
    await viewer.come_back()
    viewer.assert_saw_an_uninterrupted_run()
    await assert_ran_once(client, thread_id, STEPS)


async def test_whoever_joins_after_the_crash_sees_one_run_from_the_start(
    server: Server, client: LangGraphClient, http: httpx.AsyncClient, thread_id: str, steps: StepServer
) -> None:
    steps.hold("late", 2)
    viewer, latecomer = Viewer(http), Viewer(http)
    await viewer.start(thread_id, streamed(steps, "late"), lambda frame: frame.data == {"step": 2})
    await asyncio.to_thread(kill_workerd, server)
    steps.release("late", 2)
    await viewer.come_back()
    replay = await http.get(viewer.path, headers={"last-event-id": "-1"})
    latecomer.seen = sse_frames.parse(replay.content)
    latecomer.assert_saw_an_uninterrupted_run()
    assert latecomer.of_super_steps() == viewer.of_super_steps()


async def test_the_sdk_reconnects_by_itself(
    server: Server, client: LangGraphClient, thread_id: str, steps: StepServer
) -> None:
    steps.hold("sdk", 2)
    kill: asyncio.Task[None] | None = None
    logs: list[list[int]] = []
    async for part in client.runs.stream(thread_id, **streamed(steps, "sdk")):
        if part.event == "values":
            logs.append(part.data["log"])
        if part.data == {"step": 2} and kill is None:
            steps.release("sdk", 2)
            kill = asyncio.create_task(asyncio.to_thread(kill_workerd, server))
    assert kill is not None
    await kill
    assert logs == VALUES


async def test_a_wait_that_lost_its_connection_finds_the_result_by_joining(
    server: Server, client: LangGraphClient, http: httpx.AsyncClient, thread_id: str, steps: StepServer
) -> None:
    steps.hold("wait", 1)
    waiting = asyncio.create_task(http.post(f"/threads/{thread_id}/runs/wait", json=gated(steps, "wait", STEPS)))
    await reached(steps, "wait", 1)
    await asyncio.to_thread(kill_workerd, server)
    steps.release("wait", 1)
    (lost,) = await asyncio.gather(waiting, return_exceptions=True)
    assert isinstance(lost, httpx.TransportError) or lost.is_error
    (run,) = await client.runs.list(thread_id)
    assert await wait_for_end(client, thread_id, run["run_id"]) == "success"
    assert (await client.runs.join(thread_id, run["run_id"]))["log"] == list(range(STEPS))
