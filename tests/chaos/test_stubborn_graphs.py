"""A node that catches its own cancellation and goes on: the object is lost to it, and the run ends all the same.

It does so in a slice that a Workflow asked for.
"""

import asyncio

from langgraph_sdk import get_client
from langgraph_sdk.client import LangGraphClient

from tests.chaos.crashes import stopped
from tests.support.database_file import DatabaseFile
from tests.support.project_server import serving
from tests.support.waiting import until

TIMEOUT_SECONDS = 10


async def ends(client: LangGraphClient, action: str) -> tuple[str, list[str] | None]:
    """How a run ends that is stopped so, and what its thread holds then."""
    thread_id = (await client.threads.create())["thread_id"]
    run = await client.runs.create(thread_id, "stubborn", input={"log": []})

    async def log() -> list[str] | None:
        return ((await client.threads.get_state(thread_id))["values"] or {}).get("log")  # type: ignore[union-attr]

    async def is_stuck() -> bool:
        return await log() == ["before"]

    await until("the first step is stored", is_stuck)
    if action != "timeout":
        await client.runs.cancel(thread_id, run["run_id"], action=action)  # type: ignore[arg-type]
    ended = await stopped(client, thread_id, run["run_id"])
    left = await log()
    after = await client.runs.wait(thread_id, "sequence", input={"topic": "after"}, multitask_strategy="reject")
    assert isinstance(after, dict)
    return ended, left


async def test_what_does_not_let_itself_be_stopped_is_stopped() -> None:
    with serving(BG_JOB_TIMEOUT_SECS=str(TIMEOUT_SECONDS), SLICE_SUPERSTEPS="1") as server:
        async with get_client(url=server.url) as client:
            found = await asyncio.gather(*[ends(client, action) for action in ("interrupt", "rollback", "timeout")])
        histories = DatabaseFile(server.persist_to).run(
            "SELECT history FROM runs WHERE status IN ('interrupted', 'timeout')"
        )
    assert [history.count('"handed_over"') for (history,) in histories] == [1, 1]
    assert found == [("interrupted", ["before"]), ("gone", None), ("timeout", ["before"])]
