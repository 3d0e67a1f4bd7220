"""A queue message is only a hint: if it is lost, the sweeper finds the run; if it is doubled, nothing runs twice."""

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import httpx
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.schema import Run

from runs.dead_letters import MAX_MESSAGE_CHARACTERS
from tests.chaos.crashes import LONG_AGO, assert_ran_once, gated, reached, sweep, wait_for_end
from tests.support.database_file import DatabaseFile
from tests.support.step_server import StepServer
from tests.support.waiting import until
from tools.local_server import Server

#: A pending run that nobody looks at: its time is an hour away, so its message came to nothing.
ONE_HOUR = 3600


def forget(database: DatabaseFile, run_id: str) -> None:
    """Make the run look as if its only message had been lost long ago."""
    database.run("UPDATE runs SET due_at = NULL, updated_at = ? WHERE run_id = ?", LONG_AGO, run_id)


def insert_unannounced(database: DatabaseFile, template: Run, thread_id: str) -> str:
    """A pending run like `template` on another thread, of which nobody was told; its id."""
    run_id = str(uuid4())
    changed = {"thread_id": thread_id, "run_id": run_id, "status": "pending", "attempt": 0, "updated_at": LONG_AGO}
    columns = [name for _, name, *_ in database.run("PRAGMA table_info(runs)")]
    values = ", ".join("?" if name in changed else name for name in columns)
    parameters = [changed[name] for name in columns if name in changed]
    database.run(f"INSERT INTO runs SELECT {values} FROM runs WHERE run_id = ?", *parameters, template["run_id"])
    for old, new in ((template["run_id"], run_id), (template["thread_id"], thread_id)):
        database.run("UPDATE runs SET kwargs = REPLACE(kwargs, ?, ?) WHERE run_id = ?", old, new, run_id)
    return run_id


async def test_the_sweeper_rescues_a_run_whose_message_was_lost(
    client: LangGraphClient, server: Server, thread_id: str, steps: StepServer, database: DatabaseFile
) -> None:
    template = await client.runs.create(thread_id, **gated(steps, "lost", 2))
    assert await wait_for_end(client, thread_id, template["run_id"]) == "success"
    other = (await client.threads.create(graph_id="gated"))["thread_id"]
    run_id = insert_unannounced(database, template, other)
    await client.runs.wait(None, **gated(steps, "meanwhile", 1))
    assert (await client.runs.get(other, run_id))["status"] == "pending"
    await sweep(server)
    assert await wait_for_end(client, other, run_id) == "success"
    await assert_ran_once(client, other, 2)
    assert steps.arrivals("lost") == {0: 2, 1: 2}


async def test_the_sweeper_leaves_alone_what_is_not_due(
    client: LangGraphClient, server: Server, thread_id: str, steps: StepServer, database: DatabaseFile
) -> None:
    run = await client.runs.create(thread_id, **gated(steps, "later", 1), after_seconds=ONE_HOUR)
    database.run("UPDATE runs SET updated_at = ? WHERE run_id = ?", LONG_AGO, run["run_id"])
    other = (await client.threads.create())["thread_id"]
    lost = await client.runs.create(other, **gated(steps, "now", 1), after_seconds=ONE_HOUR)
    forget(database, lost["run_id"])
    await sweep(server)
    assert await wait_for_end(client, other, lost["run_id"]) == "success"
    assert (await client.runs.get(thread_id, run["run_id"]))["status"] == "pending"
    assert steps.arrivals("later") == {}


async def test_messages_for_a_run_that_is_at_work_do_not_start_it_again(
    client: LangGraphClient, server: Server, thread_id: str, steps: StepServer, database: DatabaseFile
) -> None:
    steps.hold("doubled", 1)
    run = await client.runs.create(thread_id, **gated(steps, "doubled", 3))
    await reached(steps, "doubled", 1)
    for _ in range(3):
        forget(database, run["run_id"])
        await sweep(server)
    steps.release("doubled", 1)
    assert await wait_for_end(client, thread_id, run["run_id"]) == "success"
    assert steps.arrivals("doubled") == {0: 1, 1: 1, 2: 1}
    await assert_ran_once(client, thread_id, 3)


async def test_many_messages_for_one_waiting_run_start_it_once(
    client: LangGraphClient, server: Server, thread_id: str, steps: StepServer, database: DatabaseFile
) -> None:
    steps.hold("burst", 0)
    run = await client.runs.create(thread_id, **gated(steps, "burst", 2), after_seconds=ONE_HOUR)
    for _ in range(3):
        forget(database, run["run_id"])
        await sweep(server)
    await reached(steps, "burst", 0)
    steps.release("burst", 0)
    assert await wait_for_end(client, thread_id, run["run_id"]) == "success"
    assert steps.arrivals("burst") == {0: 1, 1: 1}


async def test_a_message_for_a_finished_run_changes_nothing(
    client: LangGraphClient, server: Server, thread_id: str, steps: StepServer, database: DatabaseFile
) -> None:
    run = await client.runs.create(thread_id, **gated(steps, "done", 1))
    assert await wait_for_end(client, thread_id, run["run_id"]) == "success"
    finished = await client.runs.get(thread_id, run["run_id"])
    await sweep(server)
    other = (await client.threads.create())["thread_id"]
    await client.runs.wait(other, **gated(steps, "meanwhile", 1))
    assert await client.runs.get(thread_id, run["run_id"]) == finished
    assert steps.arrivals("done") == {0: 1}


async def post(client: LangGraphClient, binding: str, messages: Sequence[Any]) -> None:
    """Put messages on a queue, and one that contains itself."""
    await client.runs.wait(None, "posting", input={"binding": binding, "messages": messages})


async def letters(http: httpx.AsyncClient) -> dict[str, dict[str, Any]]:
    """The dead letters, by run, or by message when that names none."""
    return {letter["run_id"]: letter for letter in (await http.get("/runs/dead-letters?limit=1000")).json()}


async def test_the_good_messages_of_a_batch_are_delivered_whatever_else_is_in_it(
    client: LangGraphClient, http: httpx.AsyncClient, steps: StepServer, database: DatabaseFile
) -> None:
    """What means nothing is shown to an operator; what names a run that is not there, or is over, just ends."""
    before = await letters(http)
    good: list[Run] = []
    for number in range(5):
        thread = await client.threads.create()
        waiting = {**gated(steps, f"good {number}", 1), "after_seconds": ONE_HOUR}
        good.append(await client.runs.create(thread["thread_id"], **waiting))
        database.run("UPDATE runs SET due_at = NULL WHERE run_id = ?", good[-1]["run_id"])
    deleted = await client.threads.create()
    await client.threads.delete(deleted["thread_id"])
    names = ("", "'; DROP TABLE runs; --", "../..", "x" * 10_000)
    foreign = [
        *(None, 1, "text", [], {}, {"thread_id": 1, "run_id": "r"}, "x" * 100_000),
        *({"thread_id": name, "run_id": "r"} for name in names),
    ]
    outdated = [
        {"thread_id": deleted["thread_id"], "run_id": str(uuid4())},
        {"thread_id": str(uuid4()), "run_id": str(uuid4())},
        {"webhook": str(uuid4())},
    ]
    messages = [{"thread_id": run["thread_id"], "run_id": run["run_id"]} for run in good]
    await post(client, "RUN_QUEUE", [*foreign, *outdated, *messages, *foreign])
    for run in good:
        assert await wait_for_end(client, run["thread_id"], run["run_id"]) == "success"

    async def kept() -> list[dict[str, Any]] | None:
        found = [letter for message_id, letter in (await letters(http)).items() if message_id not in before]
        return found if len(found) > 2 * len(foreign) else None

    found = await until("what means nothing is kept", kept)
    assert {letter["reason"]["error"] for letter in found} == {"UnknownMessage"}
    bodies = Counter(letter["message"][:MAX_MESSAGE_CHARACTERS] for letter in found)
    assert bodies == Counter([*2 * [json.dumps(body)[:MAX_MESSAGE_CHARACTERS] for body in foreign], "null"])
    asked = await http.post("/runs/dead-letters/redrive", json={"run_ids": [found[0]["run_id"]]})
    assert asked.json()["redriven"] == []


async def test_a_message_that_was_tried_too_often_is_shown_as_long_as_its_run_waits(
    client: LangGraphClient, http: httpx.AsyncClient, thread_id: str, steps: StepServer, database: DatabaseFile
) -> None:
    run = await client.runs.create(thread_id, **gated(steps, "moved", 1), after_seconds=ONE_HOUR)
    run_id = run["run_id"]
    await post(client, "DEAD_LETTER_QUEUE", [{"thread_id": thread_id, "run_id": run_id}])

    async def letter() -> dict[str, Any] | None:
        return (await letters(http)).get(run_id)

    shown = await until("the message is a letter", letter)
    assert (shown["status"], shown["reason"]["error"]) == ("pending", "Undeliverable")
    database.run("UPDATE runs SET due_at = NULL WHERE run_id = ?", run_id)
    asked = await http.post("/runs/dead-letters/redrive", json={"run_ids": [run_id]})
    assert asked.json()["redriven"] == [{"thread_id": thread_id, "run_id": run_id}]
    assert await wait_for_end(client, thread_id, run_id) == "success"
    assert await letter() is None
