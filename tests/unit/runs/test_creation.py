"""Creating runs while other requests change what they depend on."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest

from errors import Conflict, NotFound
from ports import Row, Statement
from runs import creation
from tests.support.creators import ANYBODY
from tests.support.http_api import Api
from wire.runs import RunCreate


class Interrupted:
    """A database in which something happens between the read and the write of whoever uses it."""

    def __init__(self, api: Api, meanwhile: Callable[[], Awaitable[object]]) -> None:
        self._api = api
        self._meanwhile = meanwhile
        self._trips = 0

    async def batch(self, statements: Sequence[Statement]) -> list[list[Row]]:
        """See `ports.Database.batch`."""
        self._trips += 1
        if self._trips == 2:
            await self._meanwhile()
        return await self._api.db.batch(statements)


async def test_a_thread_that_is_deleted_meanwhile_gets_no_run() -> None:
    api = Api()
    thread_id = await api.new_thread()
    db = Interrupted(api, lambda: api.json("DELETE", f"/threads/{thread_id}", status=204))
    request = RunCreate(assistant_id="sequence", input="x" * 2_000_000)
    with pytest.raises(NotFound, match="Thread or assistant not found"):
        await creation.create_run(db, api.services.graphs(), request, thread_id=thread_id, by=ANYBODY)
    assert [api.rows(table) for table in ("threads", "runs", "large_texts")] == [0, 0, 0]


async def test_a_thread_that_becomes_busy_meanwhile_refuses_a_run_that_wants_it_idle() -> None:
    api = Api()
    thread_id = await api.new_thread()
    path = f"/threads/{thread_id}/runs"
    db = Interrupted(api, lambda: api.json("POST", path, {"assistant_id": "sequence"}, status=202))
    request = RunCreate(assistant_id="approval", multitask_strategy="reject")
    with pytest.raises(Conflict, match="already running a task"):
        await creation.create_run(db, api.services.graphs(), request, thread_id=thread_id, by=ANYBODY)
    assert api.rows("runs") == 1
    assert (await api.json("GET", f"/threads/{thread_id}"))["metadata"]["graph_id"] == "sequence"


async def test_a_thread_that_is_deleted_meanwhile_is_made_anew_if_it_may_be() -> None:
    api = Api()
    thread_id = await api.new_thread(metadata={"old": 1})
    db = Interrupted(api, lambda: api.json("DELETE", f"/threads/{thread_id}", status=204))
    request = RunCreate(assistant_id="sequence", if_not_exists="create")
    run = await creation.create_run(db, api.services.graphs(), request, thread_id=thread_id, by=ANYBODY)
    thread = await api.json("GET", f"/threads/{thread_id}")
    assert thread["metadata"] == {"graph_id": "sequence", "assistant_id": run.assistant_id}


async def test_a_thread_that_is_created_meanwhile_is_used() -> None:
    api = Api()
    thread_id = "0b4211ba-46f4-4cdb-830a-6ba6412ee448"
    db = Interrupted(api, lambda: api.new_thread(thread_id=thread_id, metadata={"mine": 1}))
    request = RunCreate(assistant_id="sequence", if_not_exists="create")
    await creation.create_run(db, api.services.graphs(), request, thread_id=thread_id, by=ANYBODY)
    assert (await api.json("GET", f"/threads/{thread_id}"))["metadata"]["mine"] == 1


async def test_only_one_of_many_rejecting_runs_is_created() -> None:
    api = Api()
    thread_id = await api.new_thread()
    body = {"assistant_id": "sequence", "multitask_strategy": "reject"}
    answers = await asyncio.gather(*(api.ask("POST", f"/threads/{thread_id}/runs", body) for _ in range(6)))
    assert sorted(answer.status for answer in answers) == [202, 409, 409, 409, 409, 409]
    assert api.rows("runs") == 1
