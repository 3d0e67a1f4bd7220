"""Runs that are created, cancelled, replaced, deleted and cut off at any moment leave a thread that makes sense."""

import asyncio
import json
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, TypeVar

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langgraph.graph import END, START, StateGraph

from http_messages import HttpResponse
from patient_database import PatientDatabase
from ports import Row, Statement
from settings import Settings
from tests.support.http_api import Api, State
from tests.unit.runs.test_thread_runner import AlarmNotes, ThreadObjectInMemory

T = TypeVar("T")

NODES = 3
WEBHOOK = "https://hooks.example.com/"

#: What crashes left behind. Kept, so that nothing of it ever runs again, not even a `finally`.
_graveyard: list[Any] = []


class Connection:
    """One incarnation's way to the database; after its death no answer arrives any more."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self.is_dead = False

    async def batch(self, statements: Sequence[Statement]) -> list[list[Row]]:
        """See `ports.Database.batch`."""
        await self._turns(2)
        results = await self._api.db.batch(statements)
        await self._turns(2)
        return results

    def wait(self, call: Coroutine[Any, Any, T]) -> T:
        """See `ports.Database.wait`."""
        return self._api.db.wait(call)

    async def _turns(self, count: int) -> None:
        for _ in range(count):
            await asyncio.sleep(0)
            if self.is_dead:
                never = asyncio.get_running_loop().create_future()
                _graveyard.append(never)
                await never


class Thread(ThreadObjectInMemory):
    """A thread whose object can die and whose alarm rings."""

    def open_database(self) -> PatientDatabase:
        """See `ThreadObjectInMemory`."""
        self.connection = Connection(self.api)
        return PatientDatabase(self.connection)

    def incarnate(self) -> None:
        """A new isolate; the alarm of the one before it rings again."""
        if hasattr(self, "connection"):
            self.connection.is_dead = True
        self.alarm = AlarmNotes(at_ms=0)
        super().incarnate()

    async def wake(self, _thread_id: str) -> None:
        """See `ports.ThreadObjects`."""
        await self.runner.wake()

    def ring(self) -> None:
        """What the platform does when the alarm's time has come."""
        if self.alarm.at_ms is not None:
            self.alarm.at_ms = None
            asyncio.ensure_future(self.runner.work())  # noqa: RUF006 - the thread's lock keeps it


@dataclass(frozen=True)
class Create:
    strategy: str
    is_later: bool


@dataclass(frozen=True)
class Stop:
    index: int
    how: str


@dataclass(frozen=True)
class Turns:
    count: int


@dataclass(frozen=True)
class Die:
    pass


Deed = Create | Stop | Turns | Die
DEEDS = st.lists(
    st.one_of(
        st.builds(Create, st.sampled_from(["enqueue", "enqueue", "reject", "interrupt", "rollback"]), st.booleans()),
        st.builds(Stop, st.integers(0, 5), st.sampled_from(["interrupt", "rollback", "delete"])),
        st.builds(Turns, st.integers(1, 90)),
        st.builds(Turns, st.integers(1, 90)),
        st.just(Die()),
    ),
    min_size=2,
    max_size=14,
)


def counting_graph() -> Any:
    """Three nodes; each takes a while and notes the run's topic and its own number."""
    builder = StateGraph(State)
    previous = START

    def node(number: int) -> Any:
        async def act(state: State) -> State:
            for _ in range(8):
                await asyncio.sleep(0)
            return {"log": [f"{state['topic']}:{number}"]}

        return act

    for number in range(NODES):
        builder.add_node(f"n{number}", node(number))
        builder.add_edge(previous, f"n{number}")
        previous = f"n{number}"
    builder.add_edge(previous, END)
    return builder.compile()


class World:
    """A thread, and what was asked of its runs."""

    def __init__(self, api: Api, thread: Thread) -> None:
        self.api = api
        self.thread = thread
        self.created: list[str] = []
        #: Those that were to begin a little later.
        self.later: set[str] = set()
        #: Runs whose rollback or deletion was accepted.
        self.gone: set[str] = set()
        #: Those that had ended: a run after them may have built on what they did.
        self.deleted_late: set[str] = set()
        #: Runs whose interruption was accepted, and nothing stronger.
        self.interrupted: set[str] = set()

    @classmethod
    async def new(cls) -> "World":
        api = Api()
        api.registry.graphs["counting"] = counting_graph()
        thread = Thread(api, await api.new_thread(), Settings(max_attempts=1000))
        api.thread_objects.wake = thread.wake  # type: ignore[method-assign]
        return cls(api, thread)

    async def do(self, deed: Deed) -> None:
        match deed:
            case Create():
                await self.create(deed)
            case Stop() if self.created:
                await self.stop(self.created[deed.index % len(self.created)], deed.how)
            case Turns(count=count):
                for _ in range(count):
                    await asyncio.sleep(0)
            case Die():
                self.thread.incarnate()
            case _:
                pass
        self.thread.ring()

    async def unfinished(self) -> list[str]:
        rows = self.api.db.connection.execute("SELECT run_id FROM runs WHERE status IN ('pending', 'running')")
        return [row[0] for row in rows]

    async def create(self, deed: Create) -> None:
        before = await self.unfinished()
        body: dict[str, Any] = {
            "assistant_id": "counting",
            "input": {"topic": str(len(self.created))},
            "multitask_strategy": deed.strategy,
            "webhook": WEBHOOK,
        }
        if deed.is_later:
            body["after_seconds"] = 0.001
        answer = await self.api.ask("POST", f"/threads/{self.thread.thread_id}/runs", body)
        assert isinstance(answer, HttpResponse)
        if deed.strategy == "reject" and answer.status == 409:
            assert before
            return
        assert answer.status == 202, answer.body
        run_id = json.loads(answer.body)["run_id"]
        # Asked together with the creation, so that what had not ended then is replaced.
        rows = self.api.db.connection.execute("SELECT run_id, cancel_action FROM runs").fetchall()
        asked = {row[0] for row in rows if row[1] == deed.strategy and row[0] in before}
        (self.gone if deed.strategy == "rollback" else self.interrupted).update(asked)
        self.created.append(run_id)
        if deed.is_later:
            self.later.add(run_id)
        await self.thread.wake(self.thread.thread_id)

    async def stop(self, run_id: str, how: str) -> None:
        path = f"/threads/{self.thread.thread_id}/runs/{run_id}"
        if how == "delete":
            answer = await self.api.ask("DELETE", path)
            if not isinstance(answer, HttpResponse):  # the object was asked to tell when it is gone
                await self.thread.wake(self.thread.thread_id)
                self.gone.add(run_id)
            elif answer.status == 204:
                self.gone.add(run_id)
                self.deleted_late.add(run_id)
            return
        answer = await self.api.ask("POST", f"{path}/cancel?action={how}")
        assert isinstance(answer, HttpResponse)
        assert answer.status in (202, 404)
        if answer.status == 202:
            (self.gone if how == "rollback" else self.interrupted).add(run_id)

    async def settle(self) -> None:
        """Let everything come to its end."""
        for _ in range(400):
            if not await self.unfinished():
                break
            self.thread.alarm.at_ms = 0
            self.thread.ring()
            for _ in range(200):
                await asyncio.sleep(0)
        assert not await self.unfinished(), "a run never ended"

    async def check(self) -> None:
        api, thread_id = self.api, self.thread.thread_id
        runs = {run["run_id"]: run["status"] for run in await api.json("GET", f"/threads/{thread_id}/runs?limit=99")}
        assert set(runs) == set(self.created) - self.gone
        for run_id in self.interrupted - self.gone:
            assert runs[run_id] == "interrupted"
        for run_id in set(runs) - self.interrupted:
            assert runs[run_id] in ("success", "interrupted")  # one that a newer run replaced
        for table in ("checkpoints", "checkpoint_writes"):
            column = "run_id" if table == "checkpoint_writes" else "json_extract(metadata, '$.run_id')"
            rows = api.db.connection.execute(f"SELECT DISTINCT {column} FROM {table}")
            assert {row[0] for row in rows} <= set(runs), "a run that is gone left something behind"
        rows = api.db.connection.execute("SELECT run_id FROM webhooks")
        assert {row[0] for row in rows} == set(self.created), "every end is told once"
        state = await api.json("GET", f"/threads/{thread_id}/state")
        shown = await api.json("GET", f"/threads/{thread_id}")
        log = (state["values"] or {}).get("log", [])
        self.check_log(log, runs)
        assert (shown["values"] or {}) == (state["values"] or {})
        assert shown["status"] != "busy"

    def check_log(self, log: list[str], runs: dict[str, str]) -> None:
        """The runs wrote one after the other, in the order they became due, and each node once."""
        wrote = {topic: [entry.partition(":")[2] for entry in entries] for topic, entries in groupby(log, _topic)}
        assert sum(map(len, wrote.values())) == len(log), f"two runs took turns: {log}"
        numbers = [int(topic) for topic in wrote]
        at_once = [number for number in numbers if self.created[number] not in self.later]
        assert at_once == sorted(at_once)
        for number in numbers:
            run_id = self.created[number]
            assert run_id in runs or run_id in self.deleted_late, (log, runs)
            assert wrote[str(number)] == [str(node) for node in range(len(wrote[str(number)]))]
        for number, run_id in enumerate(self.created):
            if runs.get(run_id) == "success":
                assert len(wrote[str(number)]) == NODES, (log, runs)


def _topic(entry: str) -> str:
    return entry.partition(":")[0]


async def play(deeds: list[Deed]) -> None:
    world = await World.new()
    for deed in deeds:
        await world.do(deed)
    await world.settle()
    await world.check()


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(DEEDS)
def test_whatever_is_done_to_runs_at_any_moment_their_thread_makes_sense(deeds: list[Deed]) -> None:
    loop = asyncio.new_event_loop()
    _graveyard.append(loop)
    loop.run_until_complete(play(deeds))
