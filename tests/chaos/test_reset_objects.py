"""The object of a thread is reset, while its isolate, with everything that Python has in memory, lives on.

That is the effect of a deploy, of a failure of an object's storage, and of an eviction. Whatever the old incarnation
awaits never happens, and the new one finds what the old one left in modules.
"""

import asyncio
import json
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import httpx
import pytest
from langgraph_sdk.client import LangGraphClient
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from tests.chaos.campaign.round import MAIN
from tests.chaos.crashes import (
    Action,
    assert_ran_once,
    assert_stopped,
    break_things,
    gated,
    kill_workerd,
    reached,
    wait_for_commit,
    wait_for_end,
)
from tests.chaos.followers import listen, socket_url
from tests.support.database_file import DatabaseFile
from tests.support.project_server import serving
from tests.support.step_server import StepServer
from tests.support.waiting import until
from tools.local_server import Server

STEPS = 8
#: Of a slice; the rest of a run is a Workflow's.
SLICE = 4
#: From a reset to the next step: the platform tries an alarm again after two seconds. The sweeper would need a minute.
RECOVERY_SECONDS = 15
#: The platform evicts an object after ten idle seconds; one that a timer keeps awake, after 70 or more.
IDLE_SECONDS = 20


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server whose objects can be reset."""
    with serving(main=MAIN, SLICE_SUPERSTEPS=str(SLICE)) as server:
        yield server


async def reset(http: httpx.AsyncClient, thread_id: str) -> None:
    """Reset the object of a thread."""
    (await http.post(f"/chaos/reset/{thread_id}")).raise_for_status()


async def reset_in_step(http: httpx.AsyncClient, steps: StepServer, thread_id: str, run: str, step: int) -> None:
    """Reset the object while a node is in this step, and see it begin again within seconds."""
    times = steps.arrivals(run)[step]
    began = time.monotonic()
    await reset(http, thread_id)
    await reached(steps, run, step, times=times + 1)
    assert time.monotonic() - began < RECOVERY_SECONDS


async def assert_as_if_nothing_happened(
    server: Server, client: LangGraphClient, thread_id: str, steps: StepServer, run: str, *again: int
) -> None:
    """The thread rests after each step of its run was committed once; only these steps were executed again."""
    await assert_ran_once(client, thread_id, STEPS)
    assert steps.arrivals(run) == {step: 1 + again.count(step) for step in range(STEPS)}
    assert (await client.threads.get(thread_id))["status"] == "idle"
    ((status,),) = DatabaseFile(server.persist_to).run("SELECT status FROM runs WHERE thread_id = ?", thread_id)
    assert status == "success"


@pytest.mark.parametrize("step", [1, SLICE + 1], ids=["of its alarm", "of a Workflow"])
async def test_a_reset_inside_a_slice(
    server: Server, client: LangGraphClient, http: httpx.AsyncClient, thread_id: str, steps: StepServer, step: int
) -> None:
    name = f"inside{step}"
    steps.hold(name, step)
    run = await client.runs.create(thread_id, **gated(steps, name, STEPS))
    await reached(steps, name, step)
    await reset_in_step(http, steps, thread_id, name, step)
    steps.release(name, step)
    assert await wait_for_end(client, thread_id, run["run_id"]) == "success"
    await assert_as_if_nothing_happened(server, client, thread_id, steps, name, step)


async def test_a_reset_between_two_slices(
    server: Server, client: LangGraphClient, http: httpx.AsyncClient, thread_id: str, steps: StepServer
) -> None:
    """The Workflow asks for the second slice, and the object that handed the run over is gone."""
    name = "between"
    steps.hold(name, 0)
    run = await client.runs.create(thread_id, **gated(steps, name, STEPS))
    await reached(steps, name, 0)
    await break_things(http, **{"a slice is refused": 1})
    steps.release(name, 0)
    database = DatabaseFile(server.persist_to)

    async def is_handed_over() -> bool:
        ((history,),) = database.run("SELECT history FROM runs WHERE run_id = ?", run["run_id"])
        return "handed_over" in (history or "")

    await until("the run is handed over", is_handed_over)
    began = time.monotonic()
    await reset(http, thread_id)
    await break_things(http)
    assert await wait_for_end(client, thread_id, run["run_id"]) == "success"
    assert time.monotonic() - began < RECOVERY_SECONDS
    await assert_as_if_nothing_happened(server, client, thread_id, steps, name)


async def test_who_watches_a_run_does_not_notice(
    server: Server, client: LangGraphClient, http: httpx.AsyncClient, thread_id: str, steps: StepServer
) -> None:
    """The SDK comes back to its stream with the id that it saw last, and a WebSocket is opened again."""
    name, resets = "watched", (1, SLICE + 1)
    for step in resets:
        steps.hold(name, step)
    shown: list[Any] = []
    heard: list[dict[str, Any]] = []

    async def watch() -> None:
        stream = client.runs.stream(thread_id, **gated(steps, name, STEPS), stream_mode=["values", "updates"])
        shown.extend([part async for part in stream])

    async def hear() -> None:
        while not heard or heard[-1]["params"]["data"].get("event") != "completed":
            with suppress(WebSocketException, OSError):
                await listen(server, thread_id, heard)

    async with asyncio.timeout(120):
        watching = asyncio.gather(watch(), hear())
        for step in resets:
            await reached(steps, name, step)
            await wait_for_commit(client, thread_id, list(range(step)))
            await reset_in_step(http, steps, thread_id, name, step)
            steps.release(name, step)
        await watching
    events = [part for part in shown if part.event != "metadata"]
    logs = [list(range(count)) for count in range(STEPS + 1)]
    assert [part.event for part in events] == ["values"] + ["updates", "values"] * STEPS
    assert [part.data["log"] for part in events if part.event == "values"] == logs
    assert [event["params"]["data"]["log"] for event in heard if event["method"] == "values"] == logs
    numbers = [event["seq"] for event in heard]
    assert numbers == sorted(set(numbers))
    await assert_as_if_nothing_happened(server, client, thread_id, steps, name, *resets)


async def test_who_waits_for_a_run_is_told_its_result(
    server: Server, client: LangGraphClient, http: httpx.AsyncClient, thread_id: str, steps: StepServer
) -> None:
    """Whether or not they have got the head of their answer when the object goes."""
    name = "awaited"
    steps.hold(name, 1)
    waiting = asyncio.create_task(client.runs.wait(thread_id, **gated(steps, name, STEPS)))
    await reached(steps, name, 1)
    (run,) = await client.runs.list(thread_id)
    joining = asyncio.create_task(client.runs.join(thread_id, run["run_id"]))
    await reset_in_step(http, steps, thread_id, name, 1)
    async with http.stream("GET", f"/threads/{thread_id}/runs/{run['run_id']}/join") as response:
        chunks = response.aiter_raw()
        assert await anext(chunks) == b"\n"
        await reset_in_step(http, steps, thread_id, name, 1)
        with pytest.raises(httpx.TransportError):
            await anext(chunks)
    steps.release(name, 1)
    async with asyncio.timeout(60):
        for values in await asyncio.gather(waiting, joining):
            assert isinstance(values, dict)
            assert values["log"] == list(range(STEPS))
    await assert_as_if_nothing_happened(server, client, thread_id, steps, name, 1, 1)


@pytest.mark.parametrize("how", ["reset", "evicted"])
async def test_a_run_that_waits_for_an_answer_survives_its_object(
    client: LangGraphClient, http: httpx.AsyncClient, thread_id: str, how: str
) -> None:
    """And costs nothing meanwhile: nothing that it left keeps the object awake."""
    asked = await client.runs.wait(thread_id, "approval", input={"draft": "d"})
    assert isinstance(asked, dict)
    assert "__interrupt__" in asked
    made = int((await http.get("/chaos/incarnations")).text)
    if how == "evicted":
        await asyncio.sleep(IDLE_SECONDS)
    else:
        await reset(http, thread_id)
    assert (await client.threads.get(thread_id))["status"] == "interrupted"
    values = await client.runs.wait(thread_id, "approval", command={"resume": "yes"})
    assert values == {"draft": "draft-d", "decision": "yes", "log": ["write", "approve", "publish"]}
    assert int((await http.get("/chaos/incarnations")).text) == made + 1


@pytest.mark.parametrize("lost", ["the object", "the process", "the socket"])
async def test_a_command_that_was_carried_out_and_not_answered_is_sent_again(
    server: Server, client: LangGraphClient, http: httpx.AsyncClient, thread_id: str, steps: StepServer, lost: str
) -> None:
    """D1 is slow, so that the run's row is there long before its client can be told."""
    name = f"unanswered-{lost}"
    command = {"method": "run.start", "params": gated(steps, name, STEPS), "idempotency_key": name}
    database = DatabaseFile(server.persist_to)

    async def made() -> list[tuple[str]]:
        return database.run("SELECT run_id FROM runs WHERE thread_id = ?", thread_id)

    async with connect(socket_url(server, thread_id)) as socket:
        await break_things(http, **{"D1 stalls": 1})
        await socket.send(json.dumps({"id": 1, **command}))
        await until("the run is made", made)
        match lost:
            case "the object":
                await reset(http, thread_id)
            case "the process":
                await asyncio.to_thread(kill_workerd, server)
            case _:
                await socket.close()
        with pytest.raises(ConnectionClosed):  # and no answer before
            await asyncio.wait_for(socket.recv(), 30)
    await break_things(http)
    async with connect(socket_url(server, thread_id)) as socket:
        await socket.send(json.dumps({"id": 7, **command}))
        answer = json.loads(await asyncio.wait_for(socket.recv(), 30))
    ((run_id,),) = await made()
    meta = {"applied_through_seq": 0, "idempotent_replayed": True}
    assert answer == {"type": "success", "id": 7, "result": {"run_id": run_id}, "meta": meta}
    assert await wait_for_end(client, thread_id, run_id) == "success"
    await assert_ran_once(client, thread_id, STEPS)


@pytest.mark.parametrize("action", ["interrupt", "rollback"])
async def test_a_reset_while_a_run_is_stopped(
    server: Server, client: LangGraphClient, http: httpx.AsyncClient, thread_id: str, steps: StepServer, action: Action
) -> None:
    """D1 is slow, so that the object is between the wish and its fulfilment when it goes."""
    name = f"stopped-{action}"
    steps.hold(name, 1)
    run = await client.runs.create(thread_id, **gated(steps, name, STEPS))
    await reached(steps, name, 1)
    await wait_for_commit(client, thread_id, [0])
    await break_things(http, **{"D1 stalls": 1})
    await client.runs.cancel(thread_id, run["run_id"], action=action)
    await reset(http, thread_id)
    await break_things(http)
    steps.release(name, 1)
    await assert_stopped(client, DatabaseFile(server.persist_to), thread_id, run["run_id"], action)
    assert steps.arrivals(name) == {0: 1, 1: 1}
