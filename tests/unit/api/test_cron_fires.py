"""Due crons become runs, each once, whatever dies or fails in between."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import pytest

import clock
from api import cron_fires
from auth.gatekeeper import Gatekeeper
from auth.handlers import Handlers
from errors import DatabaseError, Unavailable
from ports import Row, Statement
from tests.support import owners
from tests.support.http_api import Api

CREATED = "2026-11-21T04:05:37.411997+00:00"
#: The tick of the minute after, and what it looks ahead to.
TICK = "2026-11-21T04:06:00.300000+00:00"
NEXT_MINUTE = "2026-11-21T04:07:00+00:00"


class Server:
    """A server whose clock the test sets."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, gatekeeper: Gatekeeper | None = None) -> None:
        self.now = CREATED
        monkeypatch.setattr(clock, "now_iso", lambda: self.now)
        self.api = Api(gatekeeper=gatekeeper) if gatekeeper else Api()
        #: The headers of who creates crons.
        self.caller: dict[str, str] = {}

    async def cron(self, thread_id: str | None = None, **more: Any) -> dict[str, Any]:
        path = "/runs/crons" if thread_id is None else f"/threads/{thread_id}/runs/crons"
        body = {"assistant_id": "sequence", "schedule": "* * * * *", "input": {"topic": "t"}, **more}
        return await self.api.json("POST", path, body, **self.caller)

    async def tick(self, now: str = TICK, before: str = NEXT_MINUTE) -> int:
        self.now = now
        return await cron_fires.fire_due(self.api.services, before=before)

    def runs(self) -> list[dict[str, Any]]:
        found = self.api.db.connection.execute("SELECT * FROM runs ORDER BY COALESCE(due_at, created_at), run_id")
        return [{**row, "kwargs": json.loads(row["kwargs"])} for row in map(dict, found)]

    async def next_run(self, cron: dict[str, Any]) -> str:
        return (await self.api.json("GET", f"/runs/crons/{cron['cron_id']}"))["next_run_date"]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    return Server(monkeypatch)


async def test_a_due_cron_creates_a_run_and_moves_on(server: Server) -> None:
    cron = await server.cron(metadata={"m": 1})
    assert await server.tick(before="2026-11-21T04:06:00+00:00") == 0
    assert await server.tick() == 1
    [run] = server.runs()
    assert (run["status"], run["assistant_id"], run["due_at"]) == ("pending", cron["assistant_id"], None)
    kwargs = run["kwargs"]
    assert kwargs["input"] == {"topic": "t"}
    assert kwargs["temporary"] is True
    assert kwargs["config"]["configurable"]["cron_id"] == kwargs["context"]["cron_id"] == cron["cron_id"]
    assert json.loads(run["metadata"])["m"] == 1
    assert server.api.queue.sent == [(run["thread_id"], run["run_id"])]
    assert await server.next_run(cron) == NEXT_MINUTE
    assert await server.tick() == 0


async def test_with_keep_each_run_has_a_thread_that_stays(server: Server) -> None:
    await server.cron(on_run_completed="keep", metadata={"km": 1})
    await server.tick()
    await server.tick("2026-11-21T04:07:00.100000+00:00", "2026-11-21T04:08:00+00:00")
    first, second = server.runs()
    assert first["thread_id"] != second["thread_id"]
    assert not first["kwargs"]["temporary"]
    thread = await server.api.json("GET", f"/threads/{first['thread_id']}")
    assert (thread["metadata"]["km"], thread["metadata"]["graph_id"], thread["status"]) == (1, "sequence", "busy")


async def test_a_cron_of_a_thread_runs_there_by_its_strategy(server: Server) -> None:
    thread_id = await server.api.new_thread()
    queueing = await server.cron(thread_id)
    rejecting = await server.cron(thread_id, multitask_strategy="reject")
    assert await server.tick() == 1
    [run] = server.runs()
    assert (run["thread_id"], run["multitask_strategy"]) == (thread_id, "enqueue")
    assert run["kwargs"]["config"]["configurable"]["cron_id"] == queueing["cron_id"]
    assert await server.next_run(rejecting) == NEXT_MINUTE


async def test_seconds_are_runs_that_wait_within_the_minute(server: Server) -> None:
    cron = await server.cron(schedule="* * * * * */20")
    assert await server.tick() == 4
    # The first has waited since 04:05:40, which was in a minute that had begun when the cron was created.
    assert [run["due_at"] and run["due_at"][17:19] for run in server.runs()] == [None, None, "20", "40"]
    assert await server.next_run(cron) == NEXT_MINUTE
    assert await server.tick("2026-11-21T04:07:00.100000+00:00", "2026-11-21T04:08:00+00:00") == 3


async def test_what_was_missed_runs_once_beside_what_is_due_now(server: Server) -> None:
    minutely, hourly = await server.cron(), await server.cron(schedule="@hourly")
    assert await server.tick("2026-11-21T09:30:10.000000+00:00", "2026-11-21T09:31:00+00:00") == 3
    assert await server.next_run(minutely) == "2026-11-21T09:31:00+00:00"
    assert await server.next_run(hourly) == "2026-11-21T10:00:00+00:00"


async def test_disabled_and_ended_crons_never_run(server: Server) -> None:
    await server.cron(enabled=False)
    ended = await server.cron(end_time="2020-01-01T00:00:00Z")
    ending = await server.cron(end_time="2026-11-21T04:07:30+00:00")
    for minute in (6, 7, 8, 9):
        await server.tick(f"2026-11-21T04:0{minute}:00.000000+00:00", f"2026-11-21T04:0{minute + 1}:00+00:00")
    assert [run["kwargs"]["context"]["cron_id"] for run in server.runs()] == [ending["cron_id"]] * 2
    assert await server.next_run(ended) == "2026-11-21T04:06:00+00:00"
    await server.api.json("PATCH", f"/runs/crons/{ended['cron_id']}", {"end_time": None})
    assert await server.tick("2026-11-21T04:10:00.000000+00:00", "2026-11-21T04:11:00+00:00") == 1


async def test_two_ticks_at_once_create_one_run(server: Server) -> None:
    await server.cron(schedule="* * * * * */20")
    created = await asyncio.gather(*(server.tick() for _ in range(3)))
    assert sum(created) == len(server.runs()) == 4


async def test_a_cron_that_cannot_run_does_not_keep_the_others(server: Server) -> None:
    assistant = await server.api.json("POST", "/assistants", {"graph_id": "sequence"})
    gone = await server.cron(assistant_id=assistant["assistant_id"])
    await server.api.json("DELETE", f"/assistants/{assistant['assistant_id']}", status=204)
    unserved = await server.cron(assistant_id="approval")
    del server.api.registry.graphs["approval"]
    fine = await server.cron()
    assert await server.tick() == 1
    assert [run["kwargs"]["context"]["cron_id"] for run in server.runs()] == [fine["cron_id"]]
    assert {await server.next_run(cron) for cron in (gone, unserved, fine)} == {NEXT_MINUTE}


async def test_a_fire_is_its_users(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(monkeypatch, Handlers(owners.handlers()))
    server.caller = owners.bearer(owners.OWNER)
    thread_id = (await server.api.json("POST", "/threads", {}, **server.caller))["thread_id"]
    cron = await server.cron(thread_id)
    await server.cron(on_run_completed="keep", metadata={"km": 1})
    assert cron["user_id"] == owners.OWNER
    assert await server.tick() == 2
    assert {run["kwargs"]["config"]["configurable"]["langgraph_auth_user"]["tenant"] for run in server.runs()} == {
        "acme"
    }
    search = ("POST", "/threads/search", {"metadata": {"km": 1}})
    [kept] = await server.api.json(*search, **server.caller)
    assert kept["metadata"]["owner"] == owners.OWNER
    assert await server.api.json(*search, **owners.bearer(owners.STRANGER)) == []


async def test_a_fire_that_the_projects_handlers_refuse_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    auth, allowed = owners.handlers(), True

    @auth.on.threads.create_run
    async def only_while_allowed(ctx: Any, value: dict[str, Any]) -> bool:
        return allowed

    server = Server(monkeypatch, Handlers(auth))
    server.caller = owners.bearer(owners.OWNER)
    cron = await server.cron()
    allowed = False
    assert await server.tick() == 0
    found = await server.api.json("GET", f"/runs/crons/{cron['cron_id']}", **server.caller)
    assert found["next_run_date"] == NEXT_MINUTE


async def test_context_and_cron_id_go_together(server: Server) -> None:
    cron = await server.cron(context={"tone": "kind"})
    await server.tick()
    [run] = server.runs()
    assert run["kwargs"]["context"] == {"tone": "kind", "cron_id": cron["cron_id"]}
    assert run["kwargs"]["config"]["configurable"]["tone"] == "kind"


async def test_a_change_or_deletion_that_comes_between_wins(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    changed, deleted = await server.cron(), await server.cron()
    create_run = cron_fires.creation.create_run

    async def after_a_change(*args: Any, **kwargs: Any) -> Any:
        await server.api.json("PATCH", f"/runs/crons/{changed['cron_id']}", {"enabled": False})
        await server.api.ask("DELETE", f"/runs/crons/{deleted['cron_id']}")
        return await create_run(*args, **kwargs)

    monkeypatch.setattr(cron_fires.creation, "create_run", after_a_change)
    assert await server.tick() == 0
    assert server.runs() == []


async def test_a_crash_at_any_point_loses_no_fire_and_doubles_none(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    await server.cron(schedule="* * * * * */30")
    batch, left = server.api.db.batch, 0

    async def limited(statements: Sequence[Statement]) -> list[list[Row]]:
        nonlocal left
        if left == 0:
            raise DatabaseError("Network connection lost")
        left -= 1
        return await batch(statements)

    monkeypatch.setattr(server.api.db, "batch", limited)
    for crash_after in range(100):
        left = crash_after
        try:
            await server.tick()
            break
        except DatabaseError:
            continue
    assert crash_after >= 4
    assert [run["due_at"] and run["due_at"][17:19] for run in server.runs()] == [None, "30"]


async def test_what_was_created_before_a_failure_is_announced(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(2):
        await server.cron()
    create_run = cron_fires.creation.create_run

    async def once(*args: Any, **kwargs: Any) -> Any:
        if server.runs():
            raise DatabaseError("Network connection lost")
        return await create_run(*args, **kwargs)

    monkeypatch.setattr(cron_fires.creation, "create_run", once)
    with pytest.raises(DatabaseError):
        await server.tick()
    assert len(server.api.queue.sent) == len(server.runs()) == 1


async def test_a_queue_that_fails_loses_no_run(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails(runs: object) -> None:
        raise Unavailable("no queue")

    monkeypatch.setattr(server.api.queue, "send_batch", fails)
    await server.cron()
    assert await server.tick() == 1
    assert len(server.runs()) == 1


async def test_a_due_cron_is_found_by_its_index(server: Server) -> None:
    await server.cron()
    plan = server.api.db.connection.execute(
        "EXPLAIN QUERY PLAN " + cron_fires.crons._DUE, ("2027-01-01T00:00:00+00:00", 10)
    ).fetchall()
    assert [row["detail"] for row in plan] == ["SEARCH crons USING INDEX crons_due (next_run_date<?)"]
