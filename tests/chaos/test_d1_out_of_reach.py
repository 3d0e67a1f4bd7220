"""D1 answers nobody for a while, or never: no run fails, none costs an attempt, no super-step runs twice."""

import asyncio
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing

import httpx
import pytest
from langgraph_sdk.client import LangGraphClient

from tests.chaos.campaign.round import MAIN
from tests.chaos.crashes import assert_ran_once, break_things, gated, reached, wait_for_end
from tests.support.database_file import DatabaseFile
from tests.support.project_server import serving
from tests.support.step_server import StepServer
from tests.support.waiting import until
from tools.local_server import Server

#: `D1_OUTAGE_SECONDS=60` is a minute.
OUTAGE_SECONDS = float(os.environ.get("D1_OUTAGE_SECONDS", "8"))
STEPS = 4
SILENCE = "D1 never answers"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server whose D1 can be silenced."""
    with serving(main=MAIN) as server:
        yield server


async def test_an_outage_in_the_middle_of_a_run_is_waited_out(
    server: Server, client: LangGraphClient, thread_id: str, steps: StepServer, database: DatabaseFile
) -> None:
    steps.hold("outage", 1)
    run = await client.runs.create(thread_id, **gated(steps, "outage", STEPS))
    await reached(steps, "outage", 1)
    with closing(sqlite3.connect(database.path, timeout=10, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        steps.release("outage", 1)
        await asyncio.sleep(OUTAGE_SECONDS)
        other.execute("ROLLBACK")
    await assert_nothing_happened(client, thread_id, run["run_id"], steps, "outage", database)
    assert "D1 is out of reach" in server.log()


async def test_a_call_that_is_never_answered_holds_up_neither_a_run_nor_a_caller(
    server: Server,
    client: LangGraphClient,
    http: httpx.AsyncClient,
    thread_id: str,
    steps: StepServer,
    database: DatabaseFile,
) -> None:
    steps.hold("silence", 1)
    run = await client.runs.create(thread_id, **gated(steps, "silence", STEPS))
    await reached(steps, "silence", 1)
    await break_things(http, **{SILENCE: 1})
    steps.release("silence", 1)

    async def is_met() -> bool:
        return SILENCE in server.log()

    await until("the run meets the silence", is_met)
    refused = await http.get(f"/threads/{thread_id}")
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    await break_things(http)
    await assert_nothing_happened(client, thread_id, run["run_id"], steps, "silence", database)


async def assert_nothing_happened(
    client: LangGraphClient, thread_id: str, run_id: str, steps: StepServer, name: str, database: DatabaseFile
) -> None:
    """The run ends well, in one attempt, with each step once."""
    assert await wait_for_end(client, thread_id, run_id) == "success"
    await assert_ran_once(client, thread_id, STEPS)
    assert steps.arrivals(name) == dict.fromkeys(range(STEPS), 1)
    assert database.run("SELECT attempt FROM runs WHERE run_id = ?", run_id) == [(1,)]
