"""Callers, crashes and D1 act on the runs of one thread at any moment; the result is one that a model allows.

The model: one run at a time, in the order in which they began. None is lost, each ends as it was asked to, and the
thread shows its effect once.
"""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from operator import add
from typing import Annotated, Any, Literal, TypeAlias, TypedDict

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langchain_core.runnables import RunnableConfig
from langgraph.graph import END, START, StateGraph
from langgraph.types import interrupt

import patient_database
from http_messages import HttpResponse
from runs.thread_object import workflow_drive
from settings import Settings
from tests.support.dying_thread import DyingThread, Fault, Purpose, graveyard
from tests.support.http_api import Api

NODES = 3
#: The node that asks, if it was told to.
ASKING = 1
WEBHOOK = "https://hooks.example.com/"

#: So long the object may be at work without storing what one waits for.
MOST_TURNS = 200

#: Nodes that are left for whoever resumes the thread: all of them, while it has no checkpoint.
Left: TypeAlias = tuple[int, ...]
EVERYTHING: Left = tuple(range(NODES))


@dataclass(frozen=True)
class Platform:
    """What stays the same in one example."""

    slice_supersteps: int
    #: Whether the object outlasts D1 out of reach, or gives its work up and looks again.
    is_patient: bool
    durability: Literal["async", "sync", "exit"]


@dataclass(frozen=True)
class Create:
    strategy: str
    kind: Literal["plain", "asks", "answers"]
    is_later: bool


@dataclass(frozen=True)
class Stop:
    """One wish, or two at once."""

    index: int
    hows: tuple[str, ...]


@dataclass(frozen=True)
class DeleteThread:
    pass


@dataclass(frozen=True)
class Turns:
    count: int


@dataclass(frozen=True)
class Until:
    """The object is about to store something."""

    what: Purpose


@dataclass(frozen=True)
class Happens:
    """What the platform does."""

    what: Literal["die", "be replaced", "ring twice", "request", "sweep", "workflow steps", "workflows end"]


@dataclass(frozen=True)
class Faults:
    """What happens to the next batches of the object."""

    faults: tuple[Fault, ...]


Deed: TypeAlias = Create | Stop | DeleteThread | Turns | Until | Happens | Faults

STRATEGIES = ["enqueue", "enqueue", "enqueue", "reject", "interrupt", "rollback"]
KINDS = ["plain", "plain", "asks", "answers"]
HAPPENINGS = ["die", "die", "be replaced", "ring twice", "request", "sweep", "workflow steps", "workflows end"]
FAULTS: list[Fault] = ["not sent", "answer lost", "late"]
PLATFORMS = st.builds(
    Platform, st.sampled_from([1, 2, 1000, 1000]), st.booleans(), st.sampled_from(["async", "async", "sync", "exit"])
)
CREATES = st.builds(Create, st.sampled_from(STRATEGIES), st.sampled_from(KINDS), st.sampled_from([False, False, True]))
HOWS = st.lists(st.sampled_from(["interrupt", "rollback", "delete"]), min_size=1, max_size=2).map(tuple)
STOPS = st.builds(Stop, st.integers(0, 5), HOWS)
TROUBLES = st.one_of(
    st.builds(Happens, st.sampled_from(HAPPENINGS)),
    st.builds(Happens, st.sampled_from(HAPPENINGS)),
    st.builds(Faults, st.lists(st.sampled_from(FAULTS), min_size=1, max_size=3).map(tuple)),
)
PAUSES = st.one_of(
    st.builds(Turns, st.integers(1, 9)),
    st.builds(Turns, st.integers(1, 90)),
    st.builds(Until, st.sampled_from(["claim", "resume", "checkpoint", "checkpoint", "end", "end"])),
)
#: A run, and whatever follows it, each after a while.
DEEDS = st.builds(
    lambda create, deeds: [create, *(one for deed, pause in deeds for one in (pause, deed))],
    CREATES,
    st.lists(
        st.tuples(st.one_of(CREATES, CREATES, STOPS, TROUBLES, TROUBLES, TROUBLES, st.just(DeleteThread())), PAUSES),
        min_size=3,
        max_size=12,
    ),
)


class State(TypedDict, total=False):
    """Who did what."""

    asks: bool
    log: Annotated[list[str], add]


def counting_graph() -> Any:
    """Three nodes; each takes a while and notes the number of the run that executes it, and its own."""
    builder = StateGraph(State)

    def node(number: int) -> Any:
        async def act(state: State, config: RunnableConfig) -> State:
            for _ in range(8):
                await asyncio.sleep(0)
            if number == ASKING and state.get("asks"):
                interrupt("?")
            return {"log": [f"{config['configurable']['number']}:{number}"]}

        return act

    builder.add_sequence([(f"n{number}", node(number)) for number in range(NODES)])
    builder.add_edge(START, "n0")
    builder.add_edge(f"n{NODES - 1}", END)
    return builder.compile()


@dataclass
class Asked:
    """A run that was accepted."""

    run_id: str
    number: int
    kind: str
    is_later: bool
    #: Its rollback or deletion was accepted.
    is_gone: bool = False
    #: It had ended when it was deleted: a run after it may have built on what it did.
    is_deleted_late: bool = False
    #: Its interruption was accepted.
    is_interrupted: bool = False
    is_with_thread_gone: bool = False


class World:
    """A thread, and what was asked of its runs."""

    def __init__(self, thread: DyingThread, platform: Platform) -> None:
        self.thread = thread
        self.api = thread.api
        self.platform = platform
        self.asked: dict[str, Asked] = {}
        self._db = thread.api.db.connection

    @classmethod
    async def new(cls, platform: Platform) -> "World":
        api = Api()
        api.registry.graphs["counting"] = counting_graph()
        chosen = Settings(max_attempts=1000, slice_supersteps=platform.slice_supersteps)
        patience_seconds = 1000 if platform.is_patient else 0
        thread = DyingThread(api, await api.new_thread(), chosen, patience_seconds=patience_seconds)
        api.thread_objects.wake = thread.wake  # type: ignore[method-assign]
        return cls(thread, platform)

    async def do(self, deed: Deed) -> None:
        match deed:
            case Create():
                await self.create(deed)
            case Stop() if self.asked:
                for how in deed.hows:
                    await self.stop(list(self.asked.values())[deed.index % len(self.asked)], how)
            case DeleteThread():
                await self.delete_thread()
            case Turns() | Until():
                await self.wait(deed)
            case Faults(faults=faults):
                self.thread.faults.extend(faults)
            case Happens(what=what):
                await self.happen(what)
            case _:
                pass
        self.thread.ring()
        self.check_rows()

    async def wait(self, pause: Turns | Until) -> None:
        turns = pause.count if isinstance(pause, Turns) else MOST_TURNS
        for _ in range(turns):
            if isinstance(pause, Until) and pause.what in self.thread.connection.sent:
                break
            await asyncio.sleep(0)

    def check_rows(self) -> None:
        """What holds at every moment."""
        assert self._count("runs WHERE status = 'running'") <= 1
        for (status,) in self._db.execute("SELECT status FROM threads"):
            assert (status == "busy") == bool(self.unfinished())

    async def happen(self, what: str) -> None:
        match what:
            case "die":
                self.thread.die()
            case "be replaced":
                self.thread.be_replaced()
            case "ring twice":
                self.thread.ring(2)
            case "request":
                await self.thread.request()
            case "sweep":
                await self.thread.sweep()
            case "workflow steps":
                self.thread.step_workflows()
            case _:
                self.thread.terminate_workflows()

    def _count(self, rows: str) -> int:
        return self._db.execute(f"SELECT COUNT(*) FROM {rows}").fetchone()[0]

    def unfinished(self) -> list[str]:
        return [row[0] for row in self._db.execute("SELECT run_id FROM runs WHERE status IN ('pending', 'running')")]

    async def create(self, deed: Create) -> None:
        before, number = self.unfinished(), len(self.asked)
        body: dict[str, Any] = {
            "assistant_id": "counting",
            "config": {"configurable": {"number": number}},
            "multitask_strategy": deed.strategy,
            "durability": self.platform.durability,
            "webhook": WEBHOOK,
            "if_not_exists": "create",
        }
        if deed.kind == "answers":
            body["command"] = {"resume": "yes"}
        else:
            body["input"] = {"asks": deed.kind == "asks"}
        if deed.is_later:
            body["after_seconds"] = 0.001
        answer = await self.api.ask("POST", f"/threads/{self.thread.thread_id}/runs", body)
        assert isinstance(answer, HttpResponse)
        if deed.strategy == "reject" and answer.status == 409:
            assert before
            return
        assert answer.status == 202, answer.body
        left = self._db.execute(
            "SELECT run_id, cancel_action FROM runs WHERE status IN ('pending', 'running')"
        ).fetchall()
        for action in [action for run_id, action in left if run_id in before]:
            assert deed.strategy != "reject", "the thread was busy"
            assert action or deed.strategy == "enqueue"
        # Asked together with the creation, so that what had not ended then is replaced.
        for run_id, action in self._db.execute("SELECT run_id, cancel_action FROM runs").fetchall():
            if action == deed.strategy and run_id in before:
                self.note_stop(self.asked[run_id], deed.strategy)
        run_id = json.loads(answer.body)["run_id"]
        self.asked[run_id] = Asked(run_id, number, deed.kind, deed.is_later)
        await self.thread.wake(self.thread.thread_id)

    def note_stop(self, run: Asked, how: str) -> None:
        if how == "interrupt":
            run.is_interrupted = True
        else:
            run.is_gone = True

    async def stop(self, run: Asked, how: str) -> None:
        path = f"/threads/{self.thread.thread_id}/runs/{run.run_id}"
        if how != "delete":
            answer = await self.api.ask("POST", f"{path}/cancel?action={how}")
            assert isinstance(answer, HttpResponse)
            assert answer.status in (202, 404)
            if answer.status == 202:
                self.note_stop(run, how)
            return
        answer = await self.api.ask("DELETE", path)
        if not isinstance(answer, HttpResponse):  # the object was asked to tell when it is gone
            await self.thread.wake(self.thread.thread_id)
            run.is_gone = True
        elif answer.status == 204:
            run.is_gone = run.is_deleted_late = True

    async def delete_thread(self) -> None:
        answer = await self.api.ask("DELETE", f"/threads/{self.thread.thread_id}")
        assert isinstance(answer, HttpResponse)
        if answer.status == 204:
            for run in self.asked.values():
                run.is_gone = run.is_with_thread_gone = True
        else:
            assert answer.status in (404, 409)

    async def settle(self) -> None:
        """Let everything come to its end by itself: by alarms and by the sweeper."""
        for _ in range(60):
            if not self.unfinished():
                break
            self.thread.ring()
            await self.thread.sweep()
            for _ in range(400):
                await asyncio.sleep(0)
        assert not self.unfinished(), "a run never ended"

    async def check(self) -> None:
        await self.create(Create("enqueue", "plain", is_later=False))  # the thread is of use
        await self.settle()
        api, thread_id = self.api, self.thread.thread_id
        stored = await api.json("GET", f"/threads/{thread_id}/runs?limit=99")
        runs = {run["run_id"]: run["status"] for run in stored}
        assert set(runs) == {run_id for run_id, run in self.asked.items() if not run.is_gone}
        for run_id, status in runs.items():
            assert status == ("interrupted" if self.asked[run_id].is_interrupted else "success")
            # Whoever asks for it is told.
            await self.thread.runner.recall(run_id)
            await asyncio.wait_for(self.thread.streams.result(run_id), 5)
        for table in ("checkpoints", "checkpoint_writes"):
            column = "run_id" if table == "checkpoint_writes" else "json_extract(metadata, '$.run_id')"
            rows = self._db.execute(f"SELECT DISTINCT {column} FROM {table}")
            assert {row[0] for row in rows} <= set(runs), "a run that is gone left something behind"
        for place in ("parent_checkpoint_id", "json_extract(metadata, '$.run_id') || json_extract(metadata, '$.step')"):
            # What followed a run that was deleted has no parent.
            rows = self._db.execute(f"SELECT {place} AS place FROM checkpoints WHERE place IS NOT NULL").fetchall()
            assert len(set(rows)) == len(rows), "a super-step was committed twice"
        rows = self._db.execute("SELECT run_id FROM webhooks")
        assert {row[0] for row in rows} == set(self.asked), "every end is told once"
        state = await api.json("GET", f"/threads/{thread_id}/state")
        shown = await api.json("GET", f"/threads/{thread_id}")
        assert (shown["values"] or {}) == (state["values"] or {})
        assert shown["status"] == "idle"
        self.check_log((state["values"] or {}).get("log", []), self.check_histories())

    def check_histories(self) -> list[Asked]:
        """The runs that are left, in the order in which they began."""
        began: list[tuple[str, Asked]] = []
        for run_id, attempt, history in self._db.execute("SELECT run_id, attempt, history FROM runs"):
            entries = json.loads(history)
            events = [entry["event"] for entry in entries]
            if "started" not in events:  # it was to stop while it waited
                assert events == ["stop_requested", "ended"]
                continue
            assert (events.count("started"), events.count("ended"), events[-1]) == (1, 1, "ended")
            attempts = [entry["attempt"] for entry in entries if entry["event"] in ("started", "resumed")]
            assert attempts == list(range(1, attempt + 1))
            began.append((next(entry["at"] for entry in entries if entry["event"] == "started"), self.asked[run_id]))
        in_order = [run for _, run in sorted(began, key=lambda one: one[0])]
        at_once = [run.number for run in in_order if not run.is_later and not run.is_interrupted]
        assert at_once == sorted(at_once)
        return in_order

    def check_log(self, log: list[str], in_order: list[Asked]) -> None:
        """What stands in the thread is what the runs did, one after the other."""
        wrote = {
            int(number): tuple(int(entry.partition(":")[2]) for entry in entries)
            for number, entries in groupby(log, lambda entry: entry.partition(":")[0])
        }
        assert sum(map(len, wrote.values())) == len(log), f"two runs took turns: {log}"
        numbers = {run.number for run in self.asked.values() if not run.is_gone}
        numbers |= {run.number for run in self.asked.values() if run.is_deleted_late and not run.is_with_thread_gone}
        assert set(wrote) <= numbers
        if any(run.is_deleted_late for run in self.asked.values()):
            return  # what the runs after it found is anybody's guess
        lefts: set[Left] = {EVERYTHING}
        for run in in_order:
            lefts = after(run, wrote.get(run.number, ()), lefts)
            assert lefts, (run, log, in_order)


def plans(run: Asked, lefts: set[Left]) -> Iterator[tuple[Left, Left]]:
    """What a run may have had to do, and what is left for the next when it has done that."""
    match run.kind:
        case "plain":
            yield EVERYTHING, ()
        case "asks":
            yield EVERYTHING[:ASKING], EVERYTHING[ASKING:]
        case _:
            for left in lefts:
                yield left, ()
                # The answer was for a question that had not been asked.
                if left and left[0] < ASKING:
                    yield left[:ASKING], left[ASKING:]


def after(run: Asked, wrote: Left, lefts: set[Left]) -> set[Left]:
    """What may be left for the next run when this one wrote that; nothing when it cannot have."""
    possible: set[Left] = set()
    for plan, left in plans(run, lefts):
        if wrote == plan:
            possible.add(left)
        if run.is_interrupted and wrote == plan[: len(wrote)]:
            possible.add((*plan[len(wrote) :], *left))
            if not wrote:
                possible |= lefts
    return possible


async def play(platform: Platform, deeds: list[Deed]) -> None:
    world = await World.new(platform)
    for deed in deeds:
        await world.do(deed)
    await world.settle()
    await world.check()


@contextmanager
def without_waiting() -> Iterator[None]:
    """Nothing waits for time to pass: not for D1, and not for a Workflow."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(patient_database, "FIRST_PAUSE_SECONDS", 0.0)
        patched.setattr(workflow_drive, "SILENCE_SECONDS", 0)
        yield


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(PLATFORMS, DEEDS)
def test_whatever_is_done_to_runs_at_any_moment_their_thread_makes_sense(platform: Platform, deeds: list[Deed]) -> None:
    loop = asyncio.new_event_loop()
    graveyard.append(loop)
    with without_waiting():
        loop.run_until_complete(play(platform, deeds))
