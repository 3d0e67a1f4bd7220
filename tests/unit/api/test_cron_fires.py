"""Due crons become runs, each once, whatever dies or fails in between."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from langgraph_sdk import Auth

from api import cron_fires
from auth.handlers import Handlers
from errors import DatabaseError, Unavailable
from ports import Row, Statement
from project_config.reading import read_sections
from runs import creation
from tables import crons
from tests.support import owners
from tests.support.creators import ANYBODY
from tests.support.cron_server import NEXT_MINUTE, TICK, CronServer
from tests.support.written_lines import WrittenLines


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> CronServer:
    return CronServer(monkeypatch)


async def test_a_due_cron_creates_a_run_and_moves_on(server: CronServer) -> None:
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


async def test_with_keep_each_run_has_a_thread_that_stays(server: CronServer) -> None:
    await server.cron(on_run_completed="keep", metadata={"km": 1})
    await server.tick()
    await server.tick("2026-11-21T04:07:00.100000+00:00")
    first, second = server.runs()
    assert first["thread_id"] != second["thread_id"]
    assert not first["kwargs"]["temporary"]
    thread = await server.api.json("GET", f"/threads/{first['thread_id']}")
    assert (thread["metadata"]["km"], thread["metadata"]["graph_id"], thread["status"]) == (1, "sequence", "busy")


async def test_the_threads_of_a_cron_live_as_long_as_langgraph_json_says(server: CronServer) -> None:
    config = read_sections({"checkpointer": {"ttl": {"strategy": "delete", "default_ttl": 7}}})
    server.api.services = replace(server.api.services, config=config)
    for on_run_completed in ("keep", "delete"):
        await server.cron(on_run_completed=on_run_completed)
    await server.tick()
    found = server.api.db.connection.execute("SELECT ttl_minutes FROM threads ORDER BY ttl_minutes")
    assert [row["ttl_minutes"] for row in found] == [None, 7]


async def test_a_cron_of_a_thread_runs_there_by_its_strategy(server: CronServer) -> None:
    thread_id = await server.api.new_thread()
    queueing = await server.cron(thread_id)
    rejecting = await server.cron(thread_id, multitask_strategy="reject")
    assert await server.tick() == 1
    [run] = server.runs()
    assert (run["thread_id"], run["multitask_strategy"]) == (thread_id, "enqueue")
    assert run["kwargs"]["config"]["configurable"]["cron_id"] == queueing["cron_id"]
    assert await server.next_run(rejecting) == NEXT_MINUTE


async def test_seconds_are_runs_that_wait_within_the_minute(server: CronServer) -> None:
    cron = await server.cron(schedule="* * * * * */20")
    assert await server.tick() == 4
    # The first has waited since 04:05:40, which was in a minute that had begun when the cron was created.
    assert [run["due_at"] and run["due_at"][17:19] for run in server.runs()] == [None, None, "20", "40"]
    assert await server.next_run(cron) == NEXT_MINUTE
    assert await server.tick("2026-11-21T04:07:00.100000+00:00") == 3


async def test_disabled_and_ended_crons_never_run(server: CronServer) -> None:
    await server.cron(enabled=False)
    ended = await server.cron(end_time="2020-01-01T00:00:00Z")
    ending = await server.cron(end_time="2026-11-21T04:07:30+00:00")
    for minute in (6, 7, 8, 9):
        await server.tick(f"2026-11-21T04:0{minute}:00.000000+00:00")
    assert [run["kwargs"]["context"]["cron_id"] for run in server.runs()] == [ending["cron_id"]] * 2
    assert await server.next_run(ended) == "2026-11-21T04:06:00+00:00"
    await server.api.json("PATCH", f"/runs/crons/{ended['cron_id']}", {"end_time": None})
    assert await server.tick("2026-11-21T04:10:00.000000+00:00") == 1


async def test_the_log_says_which_cron_made_a_run_and_each_run_has_a_trace_of_its_own(server: CronServer) -> None:
    made = [(await server.cron())["cron_id"] for _ in range(2)]
    with WrittenLines() as log:
        await server.tick()
    accepted = [line for line in log.lines if line.get("event") == "run_accepted"]
    assert sorted(line["cron_id"] for line in accepted) == sorted(made)
    assert {line["run_id"] for line in accepted} == {run["run_id"] for run in server.runs()}
    assert len({line["trace_id"] for line in accepted}) == 2


async def test_two_ticks_at_once_create_one_run(server: CronServer) -> None:
    await server.cron(schedule="* * * * * */20")
    created = await asyncio.gather(*(server.tick() for _ in range(3)))
    assert sum(created) == len(server.runs()) == 4


async def test_a_cron_that_cannot_run_does_not_keep_the_others(server: CronServer) -> None:
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
    server = CronServer(monkeypatch, Handlers(owners.handlers()))
    server.caller = owners.bearer(owners.OWNER)
    thread_id = (await server.api.json("POST", "/threads", {}, **server.caller))["thread_id"]
    cron = await server.cron(thread_id)
    keeps = await server.cron(on_run_completed="keep", metadata={"km": 1})
    await server.patch(keeps, server.now, input={"topic": "u"})  # its handlers write metadata into this as well
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

    server = CronServer(monkeypatch, Handlers(auth))
    server.caller = owners.bearer(owners.OWNER)
    cron = await server.cron()
    allowed = False
    assert await server.tick() == 0
    found = await server.api.json("GET", f"/runs/crons/{cron['cron_id']}", **server.caller)
    assert found["next_run_date"] == NEXT_MINUTE


async def test_context_and_cron_id_go_together(server: CronServer) -> None:
    cron = await server.cron(context={"tone": "kind"})
    await server.tick()
    [run] = server.runs()
    told = {"cron_id": cron["cron_id"], "cron_scheduled_at": cron["next_run_date"]}
    assert run["kwargs"]["context"] == {"tone": "kind", **told}
    assert run["kwargs"]["config"]["configurable"]["tone"] == "kind"


async def test_a_change_or_deletion_that_comes_between_wins(
    server: CronServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    disabled, changed, deleted = await server.cron(), await server.cron(), await server.cron()
    create_run = cron_fires.creation.create_run

    async def after_a_change(*args: Any, **kwargs: Any) -> Any:
        monkeypatch.setattr(cron_fires.creation, "create_run", create_run)
        await server.api.json("PATCH", f"/runs/crons/{disabled['cron_id']}", {"enabled": False})
        await server.patch(changed, TICK, input={"topic": "changed"})
        await server.api.ask("DELETE", f"/runs/crons/{deleted['cron_id']}")
        return await create_run(*args, **kwargs)

    monkeypatch.setattr(cron_fires.creation, "create_run", after_a_change)
    assert await server.tick() == 1
    [run] = server.runs()
    assert run["kwargs"]["input"] == {"topic": "changed"}


async def test_a_thread_that_becomes_busy_meanwhile_is_noted(
    server: CronServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    thread_id = await server.api.new_thread()
    cron = await server.cron(thread_id, multitask_strategy="reject")
    batch, others = server.api.db.batch, [{"assistant_id": "sequence"}]

    async def after_another_run(statements: Sequence[Statement]) -> list[list[Row]]:
        if others and any("INSERT INTO cron_fires" in statement.sql for statement in statements):
            await server.api.json("POST", f"/threads/{thread_id}/runs", others.pop(), status=202)
        return await batch(statements)

    monkeypatch.setattr(server.api.db, "batch", after_another_run)
    assert await server.tick() == 0
    assert len(server.runs()) == 1
    assert await server.history(cron) == ["04:06 thread_busy"]
    assert await server.next_run(cron) == NEXT_MINUTE


async def test_a_crash_at_any_point_loses_no_fire_and_doubles_none(
    server: CronServer, monkeypatch: pytest.MonkeyPatch
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


async def test_what_was_created_before_a_failure_is_announced(
    server: CronServer, monkeypatch: pytest.MonkeyPatch
) -> None:
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


async def test_a_queue_that_fails_loses_no_run(server: CronServer, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails(runs: object) -> None:
        raise Unavailable("no queue")

    monkeypatch.setattr(server.api.queue, "send_batch", fails)
    await server.cron()
    assert await server.tick() == 1
    assert len(server.runs()) == 1


async def test_due_crons_are_found_by_their_index(server: CronServer) -> None:
    plan = server.api.db.connection.execute("EXPLAIN QUERY PLAN " + crons._DUE, (TICK, NEXT_MINUTE, 10)).fetchall()
    assert [row["detail"] for row in plan] == [
        "SEARCH crons USING INDEX crons_due (next_run_date>? AND next_run_date<?)"
    ]


async def test_a_tick_of_the_version_before_and_one_of_this_create_one_run(server: CronServer) -> None:
    """That version writes no row in `cron_fires`: a cron's next time is a fence by itself."""
    cron = await server.cron()
    old = [
        Statement(cron_fires.cron_fires._FENCE, (cron["cron_id"], cron["next_run_date"], cron["updated_at"])),
        Statement("UPDATE crons SET next_run_date = ? WHERE cron_id = ?", (NEXT_MINUTE, cron["cron_id"])),
    ]

    async def tick_of_the_version_before() -> None:
        request = creation.RunCreate(assistant_id="sequence")
        services = server.api.services
        await creation.create_run(
            services.db, services.graphs(), request, thread_id=None, by=ANYBODY, alongside=lambda _: old
        )

    await asyncio.gather(tick_of_the_version_before(), server.tick(), server.tick(), return_exceptions=True)
    assert len(server.runs()) == 1
    assert await server.next_run(cron) == NEXT_MINUTE


async def test_what_was_created_ahead_is_not_created_again_after_a_change(server: CronServer) -> None:
    cron = await server.cron(schedule="* * * * * */20")
    assert await server.tick() == 4
    # The runs of :20 and :40 are there already.
    changed = await server.patch(cron, "2026-11-21T04:06:10.000000+00:00", timezone="Asia/Tokyo")
    assert changed["next_run_date"] == NEXT_MINUTE
    # A change by the version before, which knows nothing of them.
    server.api.db.connection.execute("UPDATE crons SET next_run_date = '2026-11-21T04:06:20+00:00'")
    assert await server.tick("2026-11-21T04:07:00.200000+00:00") == 3
    times = [run["kwargs"]["config"]["configurable"]["cron_scheduled_at"][14:19] for run in server.runs()]
    assert sorted(times) == ["05:40", "06:00", "06:20", "06:40", "07:00", "07:20", "07:40"]
    assert await server.history(cron) == ["04:05 created", *["04:06 created"] * 3, *["04:07 created"] * 3]


async def test_a_fire_says_what_came_of_it(server: CronServer) -> None:
    cron = await server.cron()
    await server.tick()
    [run] = server.runs()
    assert await server.fires(cron) == [
        {
            "cron_id": cron["cron_id"],
            "scheduled_at": "2026-11-21T04:06:00+00:00",
            "scheduled_until": None,
            "outcome": "created",
            "run_id": run["run_id"],
            "thread_id": run["thread_id"],
            "reason": None,
            "detail": None,
            "created_at": TICK,
        }
    ]


async def test_a_time_without_a_run_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    auth, answer = owners.handlers(), None

    @auth.on.threads.create_run
    async def as_told(ctx: Any, value: dict[str, Any]) -> None:
        if answer:
            raise answer
        if value["metadata"].get("hangs"):
            await asyncio.sleep(60)

    monkeypatch.setattr(cron_fires, "HANDLERS_SECONDS", 0.05)
    server = CronServer(monkeypatch, Handlers(auth))
    server.caller = owners.bearer(owners.OWNER)
    thread = (await server.api.json("POST", "/threads", {}, **server.caller))["thread_id"]
    assistant = await server.api.json("POST", "/assistants", {"graph_id": "sequence"}, **server.caller)
    busy = await server.cron(thread, multitask_strategy="reject")
    gone = await server.cron(assistant_id=assistant["assistant_id"])
    hangs = await server.cron(metadata={"hangs": True})
    await server.api.json("POST", f"/threads/{thread}/runs", {"assistant_id": "sequence"}, status=202, **server.caller)
    await server.api.json("DELETE", f"/assistants/{assistant['assistant_id']}", status=204, **server.caller)
    assert await server.tick() == 0
    fires = [(await server.fires(cron))[0] for cron in (busy, gone, hangs)]
    answer = Auth.exceptions.HTTPException(403, "not today")
    await server.tick("2026-11-21T04:07:00.000000+00:00")
    answer = RuntimeError("the secret of the project")
    await server.tick("2026-11-21T04:08:00.000000+00:00")
    fires += (await server.fires(hangs))[1:]
    assert [(fire["outcome"], fire["run_id"], fire["reason"], (fire["detail"] or "")[:26]) for fire in fires] == [
        ("skipped", None, "thread_busy", "Thread is already running "),
        ("skipped", None, "not_found", "Thread or assistant not fo"),
        ("skipped", None, "failed", "TimeoutError"),
        ("skipped", None, "not_allowed", "not today"),
        ("skipped", None, "failed", "RuntimeError"),
    ]


async def test_fires_are_listed_newest_first_page_by_page(server: CronServer) -> None:
    cron = await server.cron(schedule="* * * * * *")
    await server.tick()
    path = f"/runs/crons/{cron['cron_id']}/fires"
    answer = await server.api.ask("GET", f"{path}?limit=2&offset=1")
    assert [fire["scheduled_at"][14:19] for fire in json.loads(answer.body)] == ["06:58", "06:57"]
    assert (answer.headers["x-pagination-total"], answer.headers["x-pagination-next"]) == ("4", "3")
    assert len(await server.api.json("GET", path)) == 10
    assert "limit" in await server.api.detail("GET", f"{path}?limit=0", status=422)
    unknown = path.replace(cron["cron_id"], server.runs()[0]["run_id"])
    assert await server.api.detail("GET", unknown, status=404) == "Not Found"
    plan = "EXPLAIN QUERY PLAN " + cron_fires.cron_fires._LIST
    [row] = server.api.db.connection.execute(plan, (cron["cron_id"], 10, 0)).fetchall()
    assert row["detail"] == "SEARCH cron_fires USING PRIMARY KEY (cron_id=?)"


async def test_a_cron_keeps_its_last_fires_and_takes_them_along(server: CronServer) -> None:
    thread_id = await server.api.new_thread()
    crons = [await server.cron(thread_id, schedule="* * * * * *"), await server.cron(schedule="* * * * * */30")]
    for minute in range(6, 9):
        await server.tick(f"2026-11-21T04:0{minute}:00.000000+00:00")
    fires = await server.fires(crons[0])
    assert len(fires) == 100
    assert fires[-1]["scheduled_at"] == "2026-11-21T04:08:59+00:00"
    assert len(await server.fires(crons[1])) == 6
    await server.api.json("DELETE", f"/runs/crons/{crons[1]['cron_id']}", status=204)
    assert server.api.rows("cron_fires") == 100
    server.api.db.connection.execute("UPDATE runs SET status = 'success'")
    await server.api.json("DELETE", f"/threads/{thread_id}", status=204)
    assert server.api.rows("cron_fires") == 0


async def test_what_a_time_costs(server: CronServer) -> None:
    for _ in range(2):
        await server.cron()
    before = server.api.db.rows_written, server.api.db.round_trips
    await server.tick()
    written, trips = server.api.db.rows_written - before[0], server.api.db.round_trips - before[1]
    # Each reads and writes once; the others find what is due: on time, nothing more, nothing left.
    assert trips == 2 * 2 + 3
    # The system assistant; and each time a thread (twice), a run, the note, the cron's next time.
    assert written == 1 + 2 * 5
