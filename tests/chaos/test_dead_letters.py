"""Runs that kill their executors wait for an operator, who redrives them, deletes them or lets them expire."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import httpx
import pytest
import pytest_asyncio
from langgraph_sdk import get_client
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.errors import NotFoundError
from langgraph_sdk.schema import Run

from tests.chaos.conftest import MAX_ATTEMPTS
from tests.chaos.crashes import (
    LONG_AGO,
    gated,
    kill_workerd,
    reached,
    sweep,
    wait_for_commit,
    wait_for_end,
)
from tests.support.database_file import DatabaseFile
from tests.support.step_server import StepServer
from tests.support.waiting import until
from tools.local_server import Server

STEPS = 3


@dataclass(frozen=True)
class GivenUp:
    """Runs that were killed in super-step 2 each time: one on a thread of a caller's, the others stateless."""

    steps: StepServer
    poison: Run
    #: Waits behind `poison`, on the same thread.
    following: Run
    redriven: Run
    deleted: Run
    forgotten: Run


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def given_up(server: Server) -> AsyncIterator[GivenUp]:
    """All of them are killed together."""
    with StepServer().serving() as steps:
        async with get_client(url=server.url) as client:
            thread_id = (await client.threads.create())["thread_id"]
            runs: dict[str, Run] = {}
            for name in ("poison", "redriven", "deleted", "forgotten"):
                steps.hold(name, 1)
                runs[name] = await client.runs.create(
                    thread_id if name == "poison" else None, **gated(steps, name, STEPS)
                )
            following = await client.runs.create(thread_id, **gated(steps, "following", 1))
            for attempt in range(1, MAX_ATTEMPTS + 1):
                for name, run in runs.items():
                    await reached(steps, name, 1, times=attempt)
                    await wait_for_commit(client, run["thread_id"], [0])
                await asyncio.to_thread(kill_workerd, server)
            for run in runs.values():
                assert await wait_for_end(client, run["thread_id"], run["run_id"]) == "error"
        yield GivenUp(steps=steps, following=following, **runs)


async def letters(http: httpx.AsyncClient) -> Mapping[str, dict[str, object]]:
    """The dead letters, by run."""
    return {letter["run_id"]: letter for letter in (await http.get("/runs/dead-letters")).json()}


async def redrive(http: httpx.AsyncClient, *run_ids: str) -> tuple[list[str], dict[str, str]]:
    """The runs that go on, and why others do not."""
    answer = await http.post("/runs/dead-letters/redrive", json={"run_ids": run_ids})
    told = answer.raise_for_status().json()
    return [run["run_id"] for run in told["redriven"]], {run["run_id"]: run["detail"] for run in told["refused"]}


NOT_FOUND = "Dead letter not found: there is none, or it was redriven or deleted."


async def test_a_run_that_keeps_killing_the_server_is_given_up_and_told_of(
    given_up: GivenUp, server: Server, client: LangGraphClient, http: httpx.AsyncClient
) -> None:
    run, thread_id = given_up.poison, given_up.poison["thread_id"]
    joined = await client.runs.join(thread_id, run["run_id"])
    message = joined["__error__"]["message"]
    assert f"cut off {MAX_ATTEMPTS} times in super-step 2" in message
    assert "Worker version unknown" not in message
    assert given_up.steps.arrivals("poison") == {0: 1, 1: MAX_ATTEMPTS}
    assert await wait_for_end(client, thread_id, given_up.following["run_id"]) == "success"
    assert (await letters(http))[run["run_id"]]["reason"] == joined["__error__"]

    async def told() -> bool:
        lines = server.log().splitlines()
        return any("dead_letter_received" in line and run["run_id"] in line for line in lines)

    await until("the dead-letter queue delivers its message", told)
    _, refused = await redrive(http, run["run_id"])
    assert refused == {run["run_id"]: "A newer run was created on the thread: create a run instead."}


async def test_a_stateless_run_that_gave_up_keeps_its_thread_until_it_has_gone_on(
    given_up: GivenUp, client: LangGraphClient, http: httpx.AsyncClient
) -> None:
    run_id, thread_id = given_up.redriven["run_id"], given_up.redriven["thread_id"]
    assert (await letters(http))[run_id]["thread_id"] == thread_id
    assert (await client.threads.get(thread_id))["status"] == "error"
    unknown = str(uuid4())
    assert await redrive(http, run_id, unknown) == ([run_id], {unknown: NOT_FOUND})
    await reached(given_up.steps, "redriven", 1, times=MAX_ATTEMPTS + 1)
    assert await redrive(http, run_id) == ([], {run_id: NOT_FOUND})
    joined = asyncio.ensure_future(client.runs.join(thread_id, run_id))
    given_up.steps.release("redriven", 1)
    assert (await joined)["log"] == list(range(STEPS))
    assert given_up.steps.arrivals("redriven") == {0: 1, 1: MAX_ATTEMPTS + 1, 2: 1}
    assert run_id not in await letters(http)
    with pytest.raises(NotFoundError):
        await client.threads.get(thread_id)


async def test_a_dead_letter_goes_with_its_thread(
    given_up: GivenUp, client: LangGraphClient, http: httpx.AsyncClient
) -> None:
    run_id = given_up.deleted["run_id"]
    await client.threads.delete(given_up.deleted["thread_id"])
    assert run_id not in await letters(http)
    assert await redrive(http, run_id) == ([], {run_id: NOT_FOUND})


async def test_a_dead_letter_that_nobody_wants_is_forgotten_with_its_thread(
    given_up: GivenUp, server: Server, client: LangGraphClient, http: httpx.AsyncClient, database: DatabaseFile
) -> None:
    run_id, thread_id = given_up.forgotten["run_id"], given_up.forgotten["thread_id"]
    shown = await client.threads.get(thread_id, include=["ttl"])
    expires_at = datetime.fromisoformat(shown["ttl"]["expires_at"])
    assert timedelta(days=13) < expires_at - datetime.now(UTC) < timedelta(days=14)
    await sweep(server)
    assert run_id in await letters(http)
    database.run("UPDATE threads SET expires_at = ? WHERE thread_id = ?", LONG_AGO, thread_id)
    database.run("UPDATE dead_letters SET created_at = ? WHERE run_id = ?", LONG_AGO, run_id)
    await sweep(server)
    assert run_id not in await letters(http)
    with pytest.raises(NotFoundError):
        await client.threads.get(thread_id)
    assert await redrive(http, run_id) == ([], {run_id: NOT_FOUND})
