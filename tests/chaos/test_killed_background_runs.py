"""SIGKILL during background runs: every run ends as if nothing had happened, and no committed super-step runs again."""

import asyncio
from uuid import uuid4

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
from tests.support.step_server import StepServer
from tools.local_server import Server

STEPS = 5


@any_crash
async def test_killed_inside_a_node_only_that_step_runs_again(
    server: Server, client: LangGraphClient, thread_id: str, steps: StepServer, crash: Crash
) -> None:
    steps.hold("inside", 2)
    run = await client.runs.create(thread_id, **gated(steps, "inside", STEPS))
    await reached(steps, "inside", 2)
    await wait_for_commit(client, thread_id, [0, 1])
    await asyncio.to_thread(crash, server)
    steps.release("inside", 2)
    assert await wait_for_end(client, thread_id, run["run_id"]) == "success"
    await assert_ran_once(client, thread_id, STEPS)
    assert steps.arrivals("inside") == {0: 1, 1: 1, 2: 2, 3: 1, 4: 1}
    tokens = steps.tokens("inside")
    assert tokens[2][0] == tokens[2][1]
    assert {token.split(":")[0] for each in tokens.values() for token in each} == {run["run_id"]}
    assert len({token for each in tokens.values() for token in each}) == STEPS


async def test_killed_right_after_a_super_step_at_most_that_step_runs_again(
    server: Server, client: LangGraphClient, thread_id: str, steps: StepServer
) -> None:
    steps.hold("after", 3)
    run = await client.runs.create(thread_id, **gated(steps, "after", STEPS))
    await reached(steps, "after", 3)
    await asyncio.to_thread(kill_workerd, server)
    steps.release("after", 3)
    assert await wait_for_end(client, thread_id, run["run_id"]) == "success"
    await assert_ran_once(client, thread_id, STEPS)
    arrivals = steps.arrivals("after")
    assert arrivals | {2: 1, 3: 2} in ({0: 1, 1: 1, 2: 1, 3: 2, 4: 1}, arrivals)
    assert arrivals[2] <= 2


@any_crash
async def test_killed_before_the_first_checkpoint_the_run_starts_over(
    server: Server, client: LangGraphClient, thread_id: str, steps: StepServer, crash: Crash
) -> None:
    run = await client.runs.create(thread_id, **gated(steps, "early", STEPS))
    await asyncio.to_thread(crash, server)
    assert await wait_for_end(client, thread_id, run["run_id"]) == "success"
    await assert_ran_once(client, thread_id, STEPS)
    assert all(count <= 2 for count in steps.arrivals("early").values())


async def test_a_run_survives_several_kills(
    server: Server, client: LangGraphClient, thread_id: str, steps: StepServer
) -> None:
    for step in (1, 3):
        steps.hold("again", step)
    run = await client.runs.create(thread_id, **gated(steps, "again", STEPS))
    for step in (1, 3):
        await reached(steps, "again", step)
        await wait_for_commit(client, thread_id, list(range(step)))
        await asyncio.to_thread(kill_workerd, server)
        steps.release("again", step)
    assert await wait_for_end(client, thread_id, run["run_id"]) == "success"
    await assert_ran_once(client, thread_id, STEPS)
    assert steps.arrivals("again") == {0: 1, 1: 2, 2: 1, 3: 2, 4: 1}


async def test_thirty_runs_in_flight_all_finish(server: Server, client: LangGraphClient, steps: StepServer) -> None:
    names = [f"fleet{number}" for number in range(30)]
    threads = [(await client.threads.create())["thread_id"] for _ in names]
    for name in names:
        steps.hold(name, 1)
    runs = [
        await client.runs.create(thread, **gated(steps, name, 3)) for name, thread in zip(names, threads, strict=True)
    ]
    for name in names:
        await reached(steps, name, 1)
    await asyncio.to_thread(kill_workerd, server)
    for name in names:
        steps.release(name, 1)
    ends = [await wait_for_end(client, run["thread_id"], run["run_id"]) for run in runs]
    assert ends == ["success"] * len(names)
    for name, thread in zip(names, threads, strict=True):
        await assert_ran_once(client, thread, 3)
        assert steps.arrivals(name)[2] == 1


async def test_runs_waiting_behind_the_killed_one_keep_their_order(
    server: Server, client: LangGraphClient, thread_id: str, steps: StepServer
) -> None:
    steps.hold("head", 0)
    head = await client.runs.create(thread_id, **gated(steps, "head", 1))
    tail = [await client.runs.create(thread_id, "sequence", input={"topic": str(number)}) for number in range(3)]
    await reached(steps, "head", 0)
    await asyncio.to_thread(kill_workerd, server)
    steps.release("head", 0)
    for run in (head, *tail):
        assert await wait_for_end(client, thread_id, run["run_id"]) == "success"
    values = (await client.threads.get_state(thread_id))["values"]
    assert [message.rpartition(":")[2] for message in values["messages"]] == [n for n in "012" for _ in range(4)]


async def test_a_create_whose_answer_was_lost_is_asked_for_again(
    server: Server, client: LangGraphClient, thread_id: str, steps: StepServer
) -> None:
    steps.hold("again", 0)
    body, headers = gated(steps, "again", 2), {"Idempotency-Key": str(uuid4())}
    asked = asyncio.ensure_future(client.runs.wait(thread_id, **body, headers=headers))
    await reached(steps, "again", 0)
    await asyncio.to_thread(kill_workerd, server)
    [answer] = await asyncio.gather(asked, return_exceptions=True)
    assert isinstance(answer, Exception)
    steps.release("again", 0)
    values = await client.runs.wait(thread_id, **body, headers=headers)
    assert isinstance(values, dict)
    assert values["log"] == [0, 1]
    assert len(await client.runs.list(thread_id)) == 1
