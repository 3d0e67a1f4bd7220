"""The tables of `runs/lifecycle.py`, walked on SQLite: each statement in each state, also from executors that are late.

A transition happens where the table allows it, and otherwise the statement changes nothing. Each transition that the
table allows is made by some statement.
"""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, get_args

import pytest
from langgraph.graph import END, START, StateGraph
from langgraph_sdk.schema import RunStatus, ThreadStatus

import clock
from checkpoints.group_commit import fence
from d1_checkpointer import D1Saver
from errors import IllegalTransition, StaleAttempt
from runs import completion, lifecycle
from runs.outcome import RunEnd
from streaming.events import START as BEGINNING
from tables import dead_letters, run_claims, run_stops, runs, thread_engagement, thread_guard, threads
from tables.access import EVERYTHING
from tables.run_history import Stamp
from tables.run_stops import Stop
from tables.runs import Run
from tests.support.endings import ending
from tests.support.fragile_threads import Fragile, State
from tests.support.sqlite_database import SqliteDatabase
from tests.support.stored_runs import DETACHED, NOW, THREAD, new_run, new_thread
from tests.support.waiting import until

RUN_ID = DETACHED.run_id
STATUSES = get_args(RunStatus)
LATER = Stamp(clock.shifted(NOW, 60), "v1")


@dataclass(frozen=True)
class At:
    """Where a run is: what its row says that statements compare."""

    status: RunStatus
    attempt: int
    cancel_action: str | None = None
    is_dead_letter: bool = False

    def run(self) -> Run:
        """The row, as somebody read it."""
        changes: dict[str, Any] = {name: getattr(self, name) for name in ("status", "attempt", "cancel_action")}
        return replace(DETACHED, **changes)


def everywhere() -> Iterator[At]:
    """Every state that a row can be in; attempt 2 is that of another executor."""
    for status in STATUSES:
        for attempt in (0,) if status == "pending" else (1, 2):
            yield At(status, attempt)
            yield At(status, attempt, "interrupt")
            yield At(status, attempt, "rollback")
    yield At("error", 1, is_dead_letter=True)
    yield At("pending", 1)


Move = Callable[[SqliteDatabase, Run], Awaitable[object]]


def finishing(status: RunEnd) -> Move:
    async def finish(db: SqliteDatabase, read: Run) -> object:
        try:
            return await completion.finish(db, read, ending(status), LATER, claims_next=False)
        except IllegalTransition:
            return None

    return finish


async def _claim(db: SqliteDatabase, _read: Run) -> object:
    return await run_claims.claim_oldest_pending(db, THREAD, LATER)


async def _resume(db: SqliteDatabase, read: Run) -> object:
    return await run_claims.resume_running(db, read, LATER)


async def _hand_over(db: SqliteDatabase, read: Run) -> object:
    return await db.batch([run_claims.hand_over(read, LATER)])


async def _stop(db: SqliteDatabase, _read: Run) -> object:
    return await db.batch([run_stops.ask_some(Stop("interrupt", "{}"), THREAD, [RUN_ID], EVERYTHING, LATER)])


async def _redrive(db: SqliteDatabase, _read: Run) -> object:
    return await db.batch(dead_letters.redrive([RUN_ID], EVERYTHING, LATER))


async def _delete(db: SqliteDatabase, read: Run) -> object:
    return await db.batch(runs.delete(read))


ENDS: tuple[RunEnd, ...] = ("success", "error", "timeout", "interrupted", "rollback")

#: What an executor does with the row that it read, which may have changed since.
OF_AN_EXECUTOR: dict[str, Move] = {"resume": _resume, "hand over": _hand_over, **{end: finishing(end) for end in ENDS}}

#: What is decided by the row as it is.
OF_ANYBODY: dict[str, Move] = {"claim": _claim, "stop": _stop, "redrive": _redrive}

EXECUTORS = [
    *(At("running", 1, wish) for wish in (None, "interrupt", "rollback")),
    At("pending", 0, "rollback"),
]


async def begin(db: SqliteDatabase) -> None:
    """Nothing but one thread."""
    for table in ("runs", "threads", "dead_letters", "run_metrics"):
        db.connection.execute(f"DELETE FROM {table}")
    await new_thread(db)


async def store(db: SqliteDatabase, at: At) -> None:
    """Nothing but one run, which is there."""
    await begin(db)
    await new_run(db, RUN_ID)
    db.connection.execute(
        "UPDATE runs SET status = ?, attempt = ?, cancel_action = ?, history = '[{},{}]'",
        (at.status, at.attempt, at.cancel_action),
    )
    if at.is_dead_letter:
        db.connection.execute(
            "INSERT INTO dead_letters (run_id, thread_id, reason, created_at) VALUES (?, ?, '{}', ?)",
            (RUN_ID, THREAD, NOW),
        )


@pytest.fixture
def db() -> SqliteDatabase:
    return SqliteDatabase()


def everything(db: SqliteDatabase) -> dict[str, list[tuple[Any, ...]]]:
    """All that is stored."""
    tables = [row["name"] for row in db.connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    return {table: [tuple(row) for row in db.connection.execute(f'SELECT * FROM "{table}"')] for table in tables}


async def status_of(db: SqliteDatabase) -> str:
    run = await runs.get(db, THREAD, RUN_ID)
    return run.status if run else "gone"


async def walked(db: SqliteDatabase, at: At, read: Run, move: Move) -> tuple[str, bool]:
    """The status after a move, and whether anything changed."""
    await store(db, at)
    before = everything(db)
    await move(db, read)
    return await status_of(db), everything(db) != before


@pytest.mark.parametrize("name", OF_AN_EXECUTOR)
@pytest.mark.parametrize("read", EXECUTORS, ids=str)
async def test_an_executor_changes_only_the_row_that_it_read(db: SqliteDatabase, read: At, name: str) -> None:
    for at in everywhere():
        status, changed = await walked(db, at, read.run(), OF_AN_EXECUTOR[name])
        # Taking over and handing over change neither wish nor end, so a wish that came meanwhile does not matter.
        is_same = (at.status, at.attempt) == (read.status, read.attempt) and (
            at.cancel_action == read.cancel_action or name in ("resume", "hand over")
        )
        is_running = read.status == "running"
        if not is_same or (name in ("resume", "hand over") and not is_running):
            assert not changed, f"{name} by {read} at {at}"
            continue
        expected = {"resume": "running", "hand over": "running", "rollback": "gone"}.get(name, name)
        legal = expected in lifecycle.TRANSITIONS[at.status]
        assert changed == legal, f"{name} by {read} at {at}"
        assert status == (expected if legal else at.status)


@pytest.mark.parametrize("name", OF_ANYBODY)
async def test_what_anybody_may_do_happens_exactly_where_it_may(db: SqliteDatabase, name: str) -> None:
    for at in everywhere():
        status, changed = await walked(db, at, at.run(), OF_ANYBODY[name])
        happens = {
            "claim": at.status == "pending",
            "stop": at.status in ("pending", "running") and at.cancel_action is None,
            "redrive": at.is_dead_letter,
        }[name]
        assert changed == happens, f"{name} at {at}"
        expected = {"claim": "running", "stop": at.status, "redrive": "pending"}[name]
        assert status == (expected if happens else at.status)
        assert status == at.status or status in lifecycle.TRANSITIONS[at.status]


async def test_all_that_the_table_allows_happens_and_nothing_else(db: SqliteDatabase) -> None:
    moves = {**OF_AN_EXECUTOR, **OF_ANYBODY, "delete": _delete}
    happened: dict[str, set[str]] = {status: set() for status in STATUSES}
    for at, move in itertools.product(everywhere(), moves.values()):
        status, changed = await walked(db, at, at.run(), move)
        if changed and (status != at.status or at.status == "running"):
            happened[at.status].add(status)
    assert happened == {status: set(following) for status, following in lifecycle.TRANSITIONS.items()}


async def test_a_stale_executor_stores_no_checkpoint_and_no_write(db: SqliteDatabase) -> None:
    for at in everywhere():
        await store(db, at)
        before = everything(db)
        saver = D1Saver(db, guard=fence(THREAD, RUN_ID, 3))
        config: Any = {"configurable": {"thread_id": THREAD, "checkpoint_ns": "", "checkpoint_id": "1"}}
        empty: dict[str, Any] = {"channel_values": {}, "channel_versions": {}, "versions_seen": {}}
        checkpoint: Any = {"v": 4, "id": "2", "ts": NOW, **empty}
        with pytest.raises(StaleAttempt):
            await saver.aput(config, checkpoint, {"step": 1}, {})  # type: ignore[typeddict-item]
        with pytest.raises(StaleAttempt):
            await saver.aput_writes(config, [("channel", 1)], "task")
        with pytest.raises(StaleAttempt):
            await saver.adelete_thread(THREAD)
        assert everything(db) == before


async def test_a_stale_executor_shows_no_event_of_what_it_did_not_commit() -> None:
    """Another incarnation takes the run over while a node is at work; the old one goes on, and nobody sees it."""
    fragile, reached, released = Fragile(), asyncio.Event(), asyncio.Event()
    graph = StateGraph(State)

    async def wait(_state: State) -> State:
        reached.set()
        await released.wait()
        return {"log": [1]}

    graph.add_node("first", lambda _state: {"log": [0]})
    graph.add_node("second", wait)
    graph.add_edge(START, "first")
    graph.add_edge("first", "second")
    graph.add_edge("second", END)
    fragile.api.registry.graphs["fragile"] = graph.compile()
    thread = await fragile.thread()
    modes = ["updates", "values", "checkpoints", "tasks", "debug"]
    run_id = await thread.create("fragile", input={"log": []}, stream_mode=modes)
    working = asyncio.ensure_future(thread.runner.work())
    await reached.wait()

    async def first_is_shown() -> bool:
        return "first" in str(shown(thread.streams.log.read(BEGINNING, run_id)))

    await until("the first node's events are released", first_is_shown)
    claim = await run_claims.claim_oldest_pending(fragile.api.db, thread.thread_id, LATER)
    assert claim.running
    assert await run_claims.resume_running(fragile.api.db, claim.running, LATER)
    before, visible = everything(fragile.api.db), shown(thread.streams.log.read(BEGINNING, run_id))
    released.set()
    await working
    assert everything(fragile.api.db) == before
    assert shown(thread.streams.log.read(BEGINNING, run_id)) == visible
    assert thread.streams.stored_result(run_id) is None


def shown(frames: list[Any]) -> list[str]:
    return [frame.text for frame in frames]


# The thread.


async def _create(db: SqliteDatabase) -> None:
    run = replace(DETACHED, run_id=clock.moment(), created_at=clock.moment())
    await db.batch(
        [*runs.insert(run, EVERYTHING, only_if_idle=False), thread_engagement.engage(run, graph_id="g", config="{}")]
    )


def _ending(status: RunEnd, *, has_next: bool) -> Callable[[SqliteDatabase], Awaitable[None]]:
    async def end(db: SqliteDatabase) -> None:
        claim = await run_claims.claim_oldest_pending(db, THREAD, Stamp(clock.moment(), "v1"))
        if run := claim.claimed:
            result = ending(status, has_next=has_next, values="{}", interrupts="{}")
            assert await completion.finish(db, run, result, Stamp(clock.moment(), "v1"), claims_next=False)

    return end


def _updating(*, has_next: bool) -> Callable[[SqliteDatabase], Awaitable[None]]:
    async def update(db: SqliteDatabase) -> None:
        status = lifecycle.resting_status("success", has_next=has_next)
        [[thread]] = [db.connection.execute("SELECT status FROM threads").fetchall()]
        if thread["status"] != "busy":  # it would be a 409, by the guard that goes first
            shows = threads.refresh(THREAD, status=status, values="{}", interrupts="{}", now=clock.moment())
            await db.batch([thread_guard.rests(THREAD, {}), *shows])

    return update


THREAD_MOVES = [
    _create,
    *(_ending(status, has_next=has_next) for status in ENDS for has_next in (False, True)),
    *(_updating(has_next=has_next) for has_next in (False, True)),
]


async def test_a_thread_goes_where_its_table_says_and_everywhere_it_says(db: SqliteDatabase) -> None:
    happened: dict[str, set[str]] = {status: set() for status in get_args(ThreadStatus)}
    #: How to get to each state: a status, and how many runs have not ended.
    ways: dict[tuple[str, int], tuple[Any, ...]] = {("idle", 0): ()}
    todo = list(ways)
    while todo:
        status, unfinished = before = todo.pop()
        for move in THREAD_MOVES if unfinished < 2 else THREAD_MOVES[1:]:
            await begin(db)
            for earlier in ways[before]:
                await earlier(db)
            changes = db.rows_written
            await move(db)
            [after] = db.connection.execute(
                "SELECT status, (SELECT COUNT(*) FROM runs WHERE status IN ('pending', 'running')) FROM threads"
            )
            if db.rows_written > changes:
                happened[status].add(after["status"])
            if tuple(after) not in ways:
                ways[tuple(after)] = (*ways[before], move)
                todo.append(tuple(after))
    assert happened == {status: set(following) for status, following in lifecycle.THREAD_TRANSITIONS.items()}
