"""A queue message is only a hint: lost, the sweeper finds the run; doubled, nothing runs twice."""

import httpx
from langgraph_sdk.client import LangGraphClient

from tests.chaos.conftest import Database
from tests.chaos.crashes import assert_ran_once, gated, reached, wait_for_end
from tests.support.step_server import StepServer

SWEEP = "/cdn-cgi/handler/scheduled?cron=*+*+*+*+*"
LONG_AGO = "2026-01-01T00:00:00.000000+00:00"
#: A pending run that nobody looks at: its time is an hour away, so its message came to nothing.
ONE_HOUR = 3600


def forget(database: Database, run_id: str) -> None:
    """Make the run look as if its only message had been lost long ago."""
    database.run("UPDATE runs SET due_at = NULL, updated_at = ? WHERE run_id = ?", LONG_AGO, run_id)


async def test_the_sweeper_rescues_a_run_whose_message_was_lost(
    client: LangGraphClient, http: httpx.AsyncClient, thread_id: str, steps: StepServer, database: Database
) -> None:
    run = await client.runs.create(thread_id, **gated(steps, "lost", 2), after_seconds=ONE_HOUR)
    forget(database, run["run_id"])
    assert (await client.runs.get(thread_id, run["run_id"]))["status"] == "pending"
    assert (await http.get(SWEEP)).status_code == 200
    assert await wait_for_end(client, thread_id, run["run_id"]) == "success"
    await assert_ran_once(client, thread_id, 2)


async def test_the_sweeper_leaves_alone_what_is_not_due(
    client: LangGraphClient, http: httpx.AsyncClient, thread_id: str, steps: StepServer, database: Database
) -> None:
    run = await client.runs.create(thread_id, **gated(steps, "later", 1), after_seconds=ONE_HOUR)
    database.run("UPDATE runs SET updated_at = ? WHERE run_id = ?", LONG_AGO, run["run_id"])
    other = (await client.threads.create())["thread_id"]
    lost = await client.runs.create(other, **gated(steps, "now", 1), after_seconds=ONE_HOUR)
    forget(database, lost["run_id"])
    await http.get(SWEEP)
    assert await wait_for_end(client, other, lost["run_id"]) == "success"
    assert (await client.runs.get(thread_id, run["run_id"]))["status"] == "pending"
    assert steps.arrivals("later") == {}


async def test_messages_for_a_run_that_is_at_work_do_not_start_it_again(
    client: LangGraphClient, http: httpx.AsyncClient, thread_id: str, steps: StepServer, database: Database
) -> None:
    steps.hold("doubled", 1)
    run = await client.runs.create(thread_id, **gated(steps, "doubled", 3))
    await reached(steps, "doubled", 1)
    for _ in range(3):
        forget(database, run["run_id"])
        await http.get(SWEEP)
    steps.release("doubled", 1)
    assert await wait_for_end(client, thread_id, run["run_id"]) == "success"
    assert steps.arrivals("doubled") == {0: 1, 1: 1, 2: 1}
    await assert_ran_once(client, thread_id, 3)


async def test_many_messages_for_one_waiting_run_start_it_once(
    client: LangGraphClient, http: httpx.AsyncClient, thread_id: str, steps: StepServer, database: Database
) -> None:
    steps.hold("burst", 0)
    run = await client.runs.create(thread_id, **gated(steps, "burst", 2), after_seconds=ONE_HOUR)
    for _ in range(3):
        forget(database, run["run_id"])
        await http.get(SWEEP)
    await reached(steps, "burst", 0)
    steps.release("burst", 0)
    assert await wait_for_end(client, thread_id, run["run_id"]) == "success"
    assert steps.arrivals("burst") == {0: 1, 1: 1}


async def test_a_message_for_a_finished_run_changes_nothing(
    client: LangGraphClient, http: httpx.AsyncClient, thread_id: str, steps: StepServer, database: Database
) -> None:
    run = await client.runs.create(thread_id, **gated(steps, "done", 1))
    assert await wait_for_end(client, thread_id, run["run_id"]) == "success"
    finished = await client.runs.get(thread_id, run["run_id"])
    await http.get(SWEEP)
    other = (await client.threads.create())["thread_id"]
    await client.runs.wait(other, **gated(steps, "meanwhile", 1))
    assert await client.runs.get(thread_id, run["run_id"]) == finished
    assert steps.arrivals("done") == {0: 1}
