"""Runs that give up, what they leave behind, and how they are redriven, with executors that die again and again."""

import asyncio
import json
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

import pytest
from langgraph.graph import START, StateGraph
from langgraph.runtime import get_runtime

import clock
import each_minute
from errors import Unavailable
from ports import Row, Statement
from runs import attempts, dead_letters
from runs.thread_object import stored_result
from settings import Settings
from streaming import sse
from streaming.fanout import From
from tables import dead_letters as letters_table
from tables import run_claims, run_history, runs
from tables.access import EVERYTHING
from tables.run_history import Stamp
from tests.support.fragile_threads import SETTINGS, Fragile, Outside, State
from tests.support.http_api import Api
from tests.support.thread_object_in_memory import ThreadObjectInMemory

T = TypeVar("T")


@dataclass
class DiedBefore:
    """The database of an executor that dies before its first checkpoint gets there, until the world is well."""

    api: Api
    outside: Outside

    async def batch(self, statements: Sequence[Statement]) -> list[list[Row]]:
        """See `ports.Database.batch`."""
        if not self.outside.is_well and any("INTO checkpoints" in statement.sql for statement in statements):
            await asyncio.Event().wait()
        return await self.api.db.batch(statements)

    def wait(self, call: Coroutine[Any, Any, T]) -> T:
        """See `ports.Database.wait`."""
        return self.api.db.wait(call)


@pytest.fixture
def fragile() -> Fragile:
    return Fragile()


async def events(thread: ThreadObjectInMemory, run_id: str, after: Any = From.START) -> list[tuple[str, Any]]:
    """Everything a stream of the run shows to its end."""
    subscription = thread.streams.subscribe(run_id, after)
    text = ""
    while (chunk := await subscription.next_chunk()) is not None:
        text += chunk
    subscription.close()
    return [(frame.name, json.loads(sse.data_of(frame))) for frame in sse.split(text)]


async def test_a_run_gives_up_and_becomes_a_dead_letter(fragile: Fragile) -> None:
    thread = await fragile.thread()
    run_id = await fragile.give_up(thread, webhook="https://example.com/hook")
    assert await thread.status(run_id) == "error"
    [letter] = await fragile.letters()
    assert letter["reason"]["error"] == "AttemptsExhausted"
    assert "cut off 3 times in super-step 3" in letter["reason"]["message"]
    assert (letter["run_id"], letter["thread_id"], letter["graph_id"]) == (run_id, thread.thread_id, "fragile")
    assert (letter["status"], letter["attempts"], letter["message"]) == ("error", 4, None)
    assert thread.dead_letter_queue.sent == [(thread.thread_id, run_id)]
    assert (await thread.thread())["error"] == letter["reason"]
    assert (await events(thread, run_id))[-1] == ("error", letter["reason"])
    assert await fragile.letters("?graph_id=sequence") == []
    assert await fragile.letters("?graph_id=fragile&limit=1") == [letter]


async def test_a_run_that_advances_between_its_crashes_does_not_give_up(fragile: Fragile) -> None:
    thread = await fragile.thread()
    fragile.outside.deadly = set()
    run_id = await thread.create("fragile", input={"log": []})
    for step in range(4):
        for _ in range(SETTINGS.max_attempts - 1):
            fragile.outside.deadly = {step}
            await fragile.kill(thread)
    fragile.outside.is_well = True
    await thread.runner.work()
    assert await thread.status(run_id) == "success"
    assert (await thread.thread())["values"] == {"log": [0, 1, 2, 3]}
    assert await fragile.letters() == []


async def test_a_redriven_run_goes_on_from_its_last_checkpoint(fragile: Fragile) -> None:
    thread = await fragile.thread()
    run_id = await fragile.give_up(thread, stream_mode="updates")
    fragile.outside.is_well = True
    fragile.api.queue.sent.clear()
    assert await fragile.redrive(run_id) == {
        "redriven": [{"thread_id": thread.thread_id, "run_id": run_id}],
        "refused": [],
    }
    assert fragile.api.queue.sent == [(thread.thread_id, run_id)]
    assert (await thread.status(run_id), (await thread.thread())["status"]) == ("pending", "busy")
    assert await fragile.letters() == []
    await thread.runner.work()
    assert await thread.status(run_id) == "success"
    after = await thread.thread()
    assert (after["status"], after["values"], after["error"]) == ("idle", {"log": [0, 1, 2, 3]}, None)
    updates = [data for name, data in await events(thread, run_id) if name == "updates"]
    assert updates == [{str(number): {"log": [number]}} for number in range(4)]
    assert "error" not in [name for name, _ in await events(thread, run_id)]
    stored = await runs.get(fragile.api.db, thread.thread_id, run_id)
    assert stored
    entries = run_history.parse(stored.history)
    assert [entry.event for entry in entries] == [
        *("started", *["resumed"] * 3, "ended"),
        *("redriven", "started", "ended"),
    ]
    assert {entry.version for entry in entries} == {"test"}


async def supersteps(fragile: Fragile) -> set[str]:
    """The numbers of super-steps in the metrics, by status."""
    counted = [line for line in (await fragile.metrics()).splitlines() if "supersteps_total{" in line]
    return {line.split('status="')[1] for line in counted}


async def test_each_end_of_a_redriven_run_counts_the_super_steps_since_the_one_before(fragile: Fragile) -> None:
    thread = await fragile.thread()
    run_id = await fragile.give_up(thread)
    fragile.outside.is_well = True
    await fragile.redrive(run_id)
    await thread.runner.work()
    # LangGraph's own `__start__` is one.
    assert await supersteps(fragile) == {'error"} 3', 'success"} 2'}


async def test_all_super_steps_count_of_a_run_that_had_stored_nothing_when_it_was_redriven(fragile: Fragile) -> None:
    thread = await fragile.thread()
    thread.open_database = lambda: DiedBefore(fragile.api, fragile.outside)  # type: ignore[method-assign]
    thread.incarnate()
    run_id = await fragile.give_up(thread)
    hours_ago = "UPDATE runs SET history = json_set(history, '$[0].at', ?)"
    fragile.api.db.connection.execute(hours_ago, (clock.shifted(clock.now_iso(), -7200),))
    fragile.outside.is_well = True
    await fragile.redrive(run_id)
    await thread.runner.work()
    assert await supersteps(fragile) == {'error"} 0', 'success"} 5'}


async def test_a_task_that_was_at_work_before_anything_was_stored_keeps_its_token_when_it_is_redriven() -> None:
    fragile, tokens = Fragile(), list[str]()

    async def pay(_state: Any) -> dict[str, Any]:
        info = get_runtime().execution_info
        assert info
        tokens.append(f"{info.run_id}:{info.task_id}")
        if not fragile.outside.is_well:
            fragile.outside.reached.set()
            await asyncio.Event().wait()
        return {"log": [1]}

    graph = StateGraph(State).add_node(pay).add_edge(START, "pay")
    fragile.api.registry.graphs["fragile"] = graph.compile()
    thread = await fragile.thread()
    thread.open_database = lambda: DiedBefore(fragile.api, fragile.outside)  # type: ignore[method-assign]
    thread.incarnate()
    run_id = await fragile.give_up(thread)
    [letter] = await fragile.letters()
    assert "before its first checkpoint" in letter["reason"]["message"]
    fragile.outside.is_well = True
    await fragile.redrive(run_id)
    await thread.runner.work()
    assert await thread.status(run_id) == "success"
    assert len(tokens) == SETTINGS.max_attempts + 1
    assert len(set(tokens)) == 1


async def test_the_timeline_of_a_redriven_run_tells_everything_in_order(fragile: Fragile) -> None:
    thread = await fragile.thread()
    run_id = await fragile.give_up(thread)
    await asyncio.sleep(0.01)
    fragile.outside.is_well = True
    await fragile.redrive(run_id)
    await thread.runner.work()
    told = await fragile.api.json("GET", f"/threads/{thread.thread_id}/runs/{run_id}/timeline")
    assert [(event["event"], event.get("step")) for event in told["events"]] == [
        *(("accepted", None), ("started", None), ("input", -1), ("superstep", 0), ("superstep", 1), ("superstep", 2)),
        *(*[("resumed", 2)] * 3, ("ended", None), ("redriven", None), ("started", None)),
        *(("superstep", 3), ("superstep", 4), ("ended", None)),
    ]


async def test_whoever_joins_a_redriven_run_gets_to_its_new_end(fragile: Fragile) -> None:
    thread = await fragile.thread()
    run_id = await fragile.give_up(thread)
    fragile.outside.is_well = True
    await thread.runner.recall(run_id)
    assert "AttemptsExhausted" in await thread.streams.result(run_id)
    await fragile.redrive(run_id)
    await thread.runner.recall(run_id)
    joined = asyncio.ensure_future(thread.streams.result(run_id))
    await asyncio.sleep(0.01)
    assert not joined.done()
    await thread.runner.work()
    assert json.loads(await joined) == {"log": [0, 1, 2, 3]}


async def test_a_redriven_run_has_all_its_attempts_and_may_give_up_again(fragile: Fragile) -> None:
    thread = await fragile.thread()
    run_id = await fragile.give_up(thread, webhook="https://example.com/hook")
    await fragile.redrive(run_id)
    for _ in range(SETTINGS.max_attempts - 1):
        await fragile.kill(thread)
        assert await fragile.letters() == []
    await fragile.kill(thread)
    await thread.runner.work()
    [letter] = await fragile.letters()
    assert "cut off 3 times" in letter["reason"]["message"]
    assert [name for name, _ in await events(thread, run_id)].count("error") == 1
    assert fragile.api.webhook_queue.sent == [run_id] * 2
    assert fragile.api.rows("webhooks") == 2


async def test_who_dies_while_giving_up_gives_up_the_next_time(fragile: Fragile) -> None:
    thread = await fragile.thread()
    run_id = await thread.create("fragile", input={"log": []})
    for _ in range(SETTINGS.max_attempts):
        await fragile.kill(thread)
    database = fragile.api.db
    claim = await run_claims.claim_oldest_pending(database, thread.thread_id, Stamp(clock.moment(), "test"))
    assert claim.running
    taken = await attempts.take_over(database, claim.running, Stamp(clock.moment(), "test"), SETTINGS)
    assert taken
    assert taken.gave_up
    assert await fragile.letters() == []
    await thread.runner.work()
    assert [letter["run_id"] for letter in await fragile.letters()] == [run_id]


async def test_who_dies_right_after_giving_up_leaves_an_end_for_whoever_joins(fragile: Fragile) -> None:
    thread = await fragile.thread()
    run_id = await fragile.give_up(thread)
    thread.streams.log.reopen(run_id)  # what was to be written next
    thread.incarnate()
    await thread.runner.recall(run_id)
    assert "AttemptsExhausted" in await thread.streams.result(run_id)
    fragile.outside.is_well = True
    await fragile.redrive(run_id)
    await thread.runner.work()
    assert await thread.status(run_id) == "success"


@pytest.mark.parametrize("result", ['{"__error__":"x"}', '{"__error__":{"error":"ValueError"}}', "null", "[1]"])
def test_other_results_are_final(result: str) -> None:
    assert not stored_result.gave_up(result)


async def test_redriving_twice_does_nothing_more(fragile: Fragile) -> None:
    thread = await fragile.thread()
    run_id = await fragile.give_up(thread)
    await asyncio.gather(*(fragile.redrive(run_id) for _ in range(3)))
    assert await fragile.redrive(run_id) == {
        "redriven": [],
        "refused": [
            {"run_id": run_id, "detail": "Dead letter not found: there is none, or it was redriven or deleted."}
        ],
    }
    stored = await runs.get(fragile.api.db, thread.thread_id, run_id)
    assert stored
    assert [entry.event for entry in run_history.parse(stored.history)].count("redriven") == 1


async def test_a_redrive_that_nobody_was_told_of_is_found_by_the_sweeper(fragile: Fragile) -> None:
    thread = await fragile.thread()
    run_id = await fragile.give_up(thread)
    fragile.api.queue.failure = Unavailable("the queue is gone")
    assert (await fragile.redrive(run_id))["redriven"]
    fragile.api.queue.failure = None
    fragile.outside.is_well = True
    await thread.runner.work()
    assert await thread.status(run_id) == "success"


@pytest.mark.parametrize(
    ("method", "path", "body", "detail"),
    [
        ("POST", "runs", {"assistant_id": "sequence"}, "A newer run was created on the thread"),
        ("POST", "state", {"values": {"log": [9]}}, "The thread's state was changed after the run gave up"),
    ],
)
async def test_a_thread_that_went_on_keeps_its_dead_run_where_it_is(
    fragile: Fragile, method: str, path: str, body: Any, detail: str
) -> None:
    thread = await fragile.thread()
    run_id = await fragile.give_up(thread)
    await fragile.api.ask(method, f"/threads/{thread.thread_id}/{path}", body)
    refused = (await fragile.redrive(run_id))["refused"]
    assert refused == [{"run_id": run_id, "detail": f"{detail}: create a run instead."}]
    assert await thread.status(run_id) == "error"


@pytest.mark.parametrize("path", ["", "/runs/{run_id}"])
async def test_a_letter_goes_with_its_thread_and_with_its_run(fragile: Fragile, path: str) -> None:
    thread = await fragile.thread()
    run_id = await fragile.give_up(thread)
    await fragile.api.json("DELETE", f"/threads/{thread.thread_id}{path.format(run_id=run_id)}", status=204)
    assert fragile.api.rows("dead_letters") == 0
    assert (await fragile.redrive(run_id))["refused"] == [
        {"run_id": run_id, "detail": "Dead letter not found: there is none, or it was redriven or deleted."}
    ]


@pytest.mark.parametrize("action", ["interrupt", "rollback"])
async def test_a_redriven_run_that_is_cancelled_before_it_goes_on_leaves_what_was_asked_for(
    fragile: Fragile, action: str
) -> None:
    thread = await fragile.thread()
    run_id = await fragile.give_up(thread)
    await fragile.redrive(run_id)
    await fragile.api.json("POST", f"/threads/{thread.thread_id}/runs/{run_id}/cancel?action={action}", status=202)
    await thread.runner.work()
    after = await thread.thread()
    values = {"log": [0, 1]} if action == "interrupt" else None
    assert (after["status"], after["values"]) == ("interrupted" if values else "idle", values)
    assert bool(fragile.api.rows("checkpoints")) == bool(values)


async def test_a_redrive_by_filter_takes_a_page_and_passes_over_what_it_is_told(fragile: Fragile) -> None:
    fragile.settings = Settings(max_attempts=SETTINGS.max_attempts)
    threads = [await fragile.thread() for _ in range(3)]
    run_ids = [await fragile.give_up(thread) for thread in threads]
    url = "/runs/dead-letters/redrive"
    nothing = await fragile.api.json("POST", url, {"filter": {"graph_id": "sequence"}})
    assert nothing == {"redriven": [], "refused": []}
    newest = await fragile.api.json("POST", url, {"filter": {"graph_id": "fragile"}, "limit": 1})
    assert [run["run_id"] for run in newest["redriven"]] == run_ids[2:]
    oldest = await fragile.api.json("POST", url, {"filter": {}, "offset": 1})
    assert [run["run_id"] for run in oldest["redriven"]] == run_ids[:1]
    assert [letter["run_id"] for letter in await fragile.letters()] == run_ids[1:2]


@pytest.mark.parametrize(
    "body", [{}, {"run_ids": []}, {"run_ids": ["x"]}, {"filter": {}, "run_ids": [str(1)]}, {"filter": {}, "limit": 0}]
)
async def test_what_cannot_be_meant_is_refused(fragile: Fragile, body: Any) -> None:
    await fragile.api.detail("POST", "/runs/dead-letters/redrive", body, status=422)


async def stateless(fragile: Fragile, **headers: str) -> tuple[ThreadObjectInMemory, str]:
    """A stateless run that gave up, and its thread."""
    body = {"assistant_id": "fragile", "input": {"log": []}}
    created = await fragile.api.json("POST", "/runs", body, status=202, **headers)
    thread = await fragile.thread(created["thread_id"])
    for _ in range(SETTINGS.max_attempts):
        await fragile.kill(thread)
    await thread.runner.work()
    return thread, created["run_id"]


async def test_a_stateless_run_that_gave_up_keeps_its_thread_until_it_is_redriven(fragile: Fragile) -> None:
    thread, run_id = await stateless(fragile)
    assert [letter["run_id"] for letter in await fragile.letters()] == [run_id]
    fragile.outside.is_well = True
    await fragile.redrive(run_id)
    await thread.runner.recall(run_id)
    joined = asyncio.ensure_future(thread.streams.result(run_id))
    await asyncio.sleep(0)
    await thread.runner.work()
    assert json.loads(await joined) == {"log": [0, 1, 2, 3]}
    assert [fragile.api.rows(table) for table in ("threads", "runs", "checkpoints", "dead_letters")] == [0] * 4


async def lifetime(fragile: Fragile, thread_id: str) -> timedelta:
    """From the thread's last change to its end, in whole seconds."""
    shown = await fragile.api.json("GET", f"/threads/{thread_id}?include=ttl")
    lives = datetime.fromisoformat(shown["ttl"]["expires_at"]) - datetime.fromisoformat(shown["updated_at"])
    return timedelta(seconds=round(lives.total_seconds()))


RETENTION = timedelta(seconds=SETTINGS.dead_letter_retention_seconds)
HOUR, YEAR = timedelta(hours=1), timedelta(days=365)


@pytest.mark.parametrize(("ttl", "kept"), [(HOUR, RETENTION), (YEAR, YEAR)])
async def test_a_thread_stays_as_long_as_the_letter_of_its_run(
    fragile: Fragile, ttl: timedelta, kept: timedelta
) -> None:
    created = await fragile.api.json("POST", "/threads", {"ttl": {"ttl": ttl.total_seconds() / 60}})
    thread = await fragile.thread(created["thread_id"])
    run_id = await fragile.give_up(thread)
    assert await lifetime(fragile, thread.thread_id) == kept
    fragile.outside.is_well = True
    await fragile.redrive(run_id)
    await thread.runner.work()
    assert await lifetime(fragile, thread.thread_id) == ttl


async def test_the_thread_of_a_stateless_run_with_a_key_stays_as_long_as_its_letter(fragile: Fragile) -> None:
    thread, _ = await stateless(fragile, **{"idempotency-key": "k"})
    assert await lifetime(fragile, thread.thread_id) == RETENTION


async def test_what_nobody_wanted_is_forgotten(fragile: Fragile, monkeypatch: pytest.MonkeyPatch) -> None:
    await stateless(fragile)
    kept = await fragile.thread()
    run_id = await fragile.give_up(kept)
    await dead_letters.keep_message(fragile.api.db, "m", None)
    services = fragile.api.services
    seconds = SETTINGS.dead_letter_retention_seconds
    for passed, left in ((seconds - 60, (2, 3)), (seconds + 60, (1, 0))):
        monkeypatch.setattr(clock, "now_iso", lambda passed=passed: clock.iso_of_ms(clock.now_ms() + passed * 1000))
        tick = each_minute.Tick(services=services, minute=0)
        for job in (each_minute.forget_dead_letters, each_minute.delete_threads):
            await job(tick)
        assert (fragile.api.rows("threads"), fragile.api.rows("dead_letters")) == left
    assert await kept.status(run_id) == "error"


MESSAGE_ID = "message-1"


async def test_a_message_that_could_not_be_delivered_is_shown_while_its_run_waits(fragile: Fragile) -> None:
    thread = await fragile.thread()
    run_id = await thread.create("fragile", input={"log": []})
    body = {"thread_id": thread.thread_id, "run_id": run_id}
    for _ in range(2):
        await dead_letters.keep_message(fragile.api.db, MESSAGE_ID, body)
    [letter] = await fragile.letters("?graph_id=fragile")
    assert (letter["run_id"], letter["status"], letter["reason"]["error"]) == (run_id, "pending", "Undeliverable")
    assert json.loads(letter["message"]) == body
    fragile.outside.is_well = True
    assert 'superstep_dead_letters{graph="fragile"} 1' in await fragile.metrics()
    await thread.runner.work()
    assert await fragile.letters() == []
    assert "superstep_dead_letters{" not in await fragile.metrics()


async def test_redriving_a_message_that_could_not_be_delivered_sends_it_again(fragile: Fragile) -> None:
    thread = await fragile.thread()
    run_id = await thread.create("fragile", input={"log": []})
    await dead_letters.keep_message(fragile.api.db, MESSAGE_ID, {"thread_id": thread.thread_id, "run_id": run_id})
    fragile.api.queue.sent.clear()
    assert (await fragile.redrive(run_id))["redriven"] == [{"thread_id": thread.thread_id, "run_id": run_id}]
    assert fragile.api.queue.sent == [(thread.thread_id, run_id)]
    assert await fragile.letters() == []


LOOP: list[Any] = []
LOOP.append(LOOP)


@pytest.mark.parametrize(
    "body", [None, b"bytes", "\ud800\0", LOOP, {"thread_id": "x", "run_id": "y"}, {1: {2}}, "x" * 100_000]
)
async def test_a_message_that_means_nothing_is_shown_as_it_came(fragile: Fragile, body: Any) -> None:
    await dead_letters.keep_message(fragile.api.db, MESSAGE_ID, body)
    await dead_letters.keep_message(fragile.api.db, MESSAGE_ID, body)
    [letter] = await fragile.letters()
    assert (letter["run_id"], letter["thread_id"], letter["reason"]["error"]) == (MESSAGE_ID, None, "UnknownMessage")
    assert letter["message"]
    assert len(letter["message"]) <= dead_letters.MAX_MESSAGE_CHARACTERS


async def test_announcements_and_webhooks_in_the_dead_letter_queue_need_nothing(fragile: Fragile) -> None:
    thread = await fragile.thread()
    run_id = await fragile.give_up(thread)
    letters = await fragile.letters()
    announcement = {"thread_id": thread.thread_id, "run_id": run_id, "dead_letter": True}
    for body in (announcement, {"webhook": run_id}):
        await dead_letters.keep_message(fragile.api.db, MESSAGE_ID, body)
    assert await fragile.letters() == letters
    await fragile.redrive(run_id)
    await dead_letters.keep_message(fragile.api.db, MESSAGE_ID, announcement)
    assert await fragile.letters() == []


async def test_lists_are_read_from_their_indexes(fragile: Fragile) -> None:
    for graph_id, index in ((None, "dead_letters_by_created_at"), ("g", "dead_letters_by_graph")):
        statement = letters_table.select(graph_id, EVERYTHING, limit=10, offset=0)
        plan = plan_of(fragile.api, statement.sql, statement.params)
        assert any(index in step for step in plan), plan
        assert not any("TEMP B-TREE" in step or "SCAN runs" in step for step in plan), plan


def plan_of(api: Api, sql: str, params: Sequence[Any]) -> list[str]:
    """What SQLite is going to do."""
    return [row["detail"] for row in api.db.connection.execute(f"EXPLAIN QUERY PLAN {sql}", params)]
