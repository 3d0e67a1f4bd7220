"""D1 answers nobody for a while: no run fails, none costs an attempt, no super-step runs twice."""

import asyncio
import os
import sqlite3
from contextlib import closing

from langgraph_sdk.client import LangGraphClient

from tests.chaos.crashes import assert_ran_once, gated, reached, wait_for_end
from tests.support.database_file import DatabaseFile
from tests.support.step_server import StepServer
from tools.local_server import Server

#: `D1_OUTAGE_SECONDS=60` is a minute.
OUTAGE_SECONDS = float(os.environ.get("D1_OUTAGE_SECONDS", "8"))
STEPS = 4


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
    assert await wait_for_end(client, thread_id, run["run_id"]) == "success"
    await assert_ran_once(client, thread_id, STEPS)
    assert steps.arrivals("outage") == dict.fromkeys(range(STEPS), 1)
    assert database.run("SELECT attempt FROM runs WHERE run_id = ?", run["run_id"]) == [(1,)]
    assert "D1 is out of reach" in server.log()
