"""What a release stores: rows of every table, queue messages and Workflow parameters, written by running its code.

`make rows` keeps those of the code that is checked out; `tests/unit/test_release_rows.py` of later releases reads them.
"""

import asyncio
import json
import sqlite3
import subprocess
import sys
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import contextmanager
from operator import add
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace
from typing import Annotated, Any

import pytest
from langgraph.config import get_stream_writer
from langgraph.graph import START, StateGraph
from langgraph.store.base import ensure_embeddings
from langgraph.types import CachePolicy, interrupt
from typing_extensions import TypedDict

import clock
from api import cron_fires
from checkpoints import codec
from errors import Unavailable
from ports import Row, Statement
from project_config.sections import StoreIndex
from settings import Settings
from store.d1_store import D1Store
from store.vectors import Vectors
from streaming.fanout import From
from tables import large_text
from tests.support.http_api import Api
from tests.support.sqlite_database import MIGRATIONS
from tests.support.thread_object_in_memory import ThreadObjectInMemory

SOURCE = Path(__file__).parents[2] / "src"
FOLDER = Path(__file__).parents[1] / "unit" / "release_rows"

WEBHOOK = "https://hooks.example.com/done"
SETTINGS = {"sliced": Settings(slice_supersteps=1), "gave up": Settings(max_attempts=1)}
MODES = ["values", "updates", "custom"]
LONG_TOPIC = "long " * 300

#: Values above this many bytes are stored in parts while a release writes its large values.
SMALL_PART = 1000

#: Where rows are that are in no thread's object.
D1 = "D1"


class State(TypedDict, total=False):
    """What the graphs work on."""

    topic: str
    log: Annotated[list[str], add]


def add_graphs(api: Api, pass_node: Callable[[str], Awaitable[None]]) -> None:
    """The graphs of the runs that are stored; their nodes go on once `pass_node` returns."""

    def node(name: str) -> Any:
        async def act(_state: State) -> State:
            get_stream_writer()(name)
            await pass_node(name)
            return {"log": [name]}

        return act

    steps = StateGraph(State)
    for name in ("one", "left", "right", "three"):
        steps.add_node(name, node(name))
    steps.add_edge(START, "one").add_edge("one", "left").add_edge("one", "right").add_edge(["left", "right"], "three")
    questions = StateGraph(State).add_node("ask", lambda _: {"log": [interrupt("first?"), interrupt("second?")]})
    cached = StateGraph(State).add_node("cached", node("cached"), cache_policy=CachePolicy())
    api.registry.graphs |= {
        "steps": steps.compile(),
        "questions": questions.add_edge(START, "ask").compile(),
        "cached": cached.add_edge(START, "cached").compile(),
    }


def searched_by_meaning(api: Api) -> D1Store:
    """The store of a project that embeds texts, by their lengths and words."""

    async def embed(texts: list[str]) -> list[list[float]]:
        return [[float(len(text)), float(len(text.split()))] for text in texts]

    index = StoreIndex(dims=2, embed="…", fields=("$",))
    return D1Store(api.db, index=Vectors(api.db, index, lambda: ensure_embeddings(embed)))


class Writer:
    """A server that comes to have something of everything."""

    def __init__(self) -> None:
        self.api = Api()
        add_graphs(self.api, self._pass_node)
        self.threads: dict[str, ThreadObjectInMemory] = {}
        self.runs: dict[str, str] = {}
        #: What a client had been sent of runs that were then cut off.
        self.seen: dict[str, str] = {}
        self._work: list[asyncio.Future[None]] = []
        self._is_cut_off = asyncio.Event()

    async def _pass_node(self, name: str) -> None:
        if name == "right":
            self._is_cut_off.set()
            await asyncio.Event().wait()

    async def write(self) -> dict[str, Any]:
        """Everything that is stored in the end."""
        try:
            await self._write_runs()
            await self._write_the_rest()
            await self._call_objects()
            return await self._stored()
        finally:
            await _cancel(*self._work)

    async def _write_runs(self) -> None:
        await self._run("ended", "sequence", input={"topic": "t"}, webhook=WEBHOOK, metadata={"of": "ended"})
        await self._run("asks", "questions", input={})
        await self._run("answered once", "questions", input={})
        await self._run("answered once", "questions", command={"resume": "a"})
        await self._run("cached", "cached", input={"topic": "t"})
        with _small_parts():
            await self._run("large", "sequence", input={"topic": LONG_TOPIC}, webhook=WEBHOOK)
        await self._run("sliced", "steps", input={}, stream_mode=MODES)
        for name in ("cut off", "interrupted", "rolled back"):
            await self._cut_off(name)
        for name, action in (("interrupted", "interrupt"), ("rolled back", "rollback")):
            path = f"/threads/{self.threads[name].thread_id}/runs/{self.runs[name]}/cancel"
            await self.api.ask("POST", f"{path}?wait=0&action={action}")
        await self._lose_answer("unanswered")
        await self._cut_off("gave up")
        await self._give_up(self.threads["gave up"], self.runs["gave up"])
        await self._create("queued", "sequence", input={"topic": "t"}, idempotency_key="key")

    async def _write_the_rest(self) -> None:
        ask = self.api.ask
        assistant = await self.api.json("POST", "/assistants", {"graph_id": "sequence", "name": "first"})
        await ask("PATCH", f"/assistants/{assistant['assistant_id']}", {"name": "second"})
        await ask("PUT", "/store/items", {"namespace": ["a", "b"], "key": "k", "value": {"text": "green tea"}})
        await ask("PUT", "/store/items", {"namespace": ["a"], "key": "gone", "value": {}, "ttl": 0.0001})
        await searched_by_meaning(self.api).aput(("meaning",), "k", {"text": "two words"})
        await ask("POST", "/threads", {"metadata": {"of": "expired"}, "ttl": {"ttl": 0.0001, "strategy": "delete"}})
        cron = {"assistant_id": "sequence", "schedule": "* * * * *", "input": {"topic": "cron"}}
        await ask("POST", "/runs/crons", cron)
        await ask("POST", f"/threads/{await self.api.new_thread()}/runs/crons", cron)
        await cron_fires.fire_due(self.api.services, before=clock.shifted(clock.now_iso(), 61))
        self.api.thread_objects.failures.append(Unavailable("the object was reset"))
        await ask("DELETE", f"/threads/{await self.api.new_thread()}")

    async def _call_objects(self) -> None:
        """Ask as clients do; the objects only note the paths."""
        thread, run = self._ids("ended")
        for method, path, body in (
            ("GET", f"runs/{run}/stream?stream_mode=values", None),
            ("GET", f"runs/{run}/join", None),
            ("GET", "stream", None),
            ("POST", "stream/events", {"channels": ["values"]}),
        ):
            await self.api.ask(method, f"/threads/{thread}/{path}", body, headers={"last-event-id": "0-0"})

    async def _create(self, name: str, graph: str, idempotency_key: str = "", **body: Any) -> ThreadObjectInMemory:
        if name not in self.threads:
            thread_id = await self.api.new_thread(metadata={"of": name})
            self.threads[name] = ThreadObjectInMemory(self.api, thread_id, SETTINGS.get(name))
        path, headers = f"/threads/{self.threads[name].thread_id}/runs", {"idempotency-key": idempotency_key}
        body = {"assistant_id": graph, **body}
        created = await self.api.json("POST", path, body, status=202, **headers if idempotency_key else {})
        self.runs[name] = created["run_id"]
        return self.threads[name]

    async def _run(self, name: str, graph: str, **body: Any) -> None:
        await (await self._create(name, graph, **body)).runner.work()

    async def _cut_off(self, name: str) -> None:
        """A run in whose second super-step one of two tasks has ended."""
        thread = await self._create(name, "steps", input={}, stream_mode=MODES)
        subscription = thread.streams.subscribe(self.runs[name], From.START)
        self._work.append(asyncio.ensure_future(thread.runner.work()))
        self.seen[name] = ""
        while '{"left":' not in self.seen[name]:
            chunk = await asyncio.wait_for(subscription.next_chunk(), 20)
            assert chunk is not None
            self.seen[name] += chunk

    async def _lose_answer(self, name: str) -> None:
        """A run of which D1 has stored what a task wrote, and its object died before it knew."""
        batch, is_lost = self.api.db.batch, asyncio.Event()

        async def lose_answer(statements: Sequence[Statement]) -> list[list[Row]]:
            results = await batch(statements)
            if any("join:left" in str(statement.params) for statement in statements):
                is_lost.set()
                await asyncio.Event().wait()
            return results

        thread = await self._create(name, "steps", input={}, stream_mode=MODES)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(self.api.db, "batch", lose_answer)
            self._work.append(asyncio.ensure_future(thread.runner.work()))
            await asyncio.wait_for(is_lost.wait(), 20)

    async def _give_up(self, thread: ThreadObjectInMemory, run_id: str) -> None:
        """Cut a run off again and again, until it is an operator's."""
        while await thread.status(run_id) == "running":
            await _cancel(self._work.pop())
            thread.incarnate()
            self._is_cut_off.clear()
            self._work.append(asyncio.ensure_future(thread.runner.work()))
            cut_off = asyncio.ensure_future(self._is_cut_off.wait())
            await asyncio.wait((self._work[-1], cut_off), timeout=20, return_when=asyncio.FIRST_COMPLETED)
            await _cancel(cut_off)

    async def _sent(self) -> dict[str, Any]:
        """Queue messages and Workflow parameters, as the bindings make them; with stand-ins for JavaScript."""
        sent = Sent()
        with pytest.MonkeyPatch.context() as patch:
            for name, stand_in in _JAVASCRIPT.items():
                patch.setitem(sys.modules, name, stand_in)
            bindings = run_path(str(SOURCE / "bindings/queues.py")) | run_path(str(SOURCE / "bindings/workflows.py"))
        await bindings["RunQueueBinding"](sent).send_batch([self._ids("queued")])
        await bindings["WebhookQueueBinding"](sent).send_batch([self.runs["ended"]])
        [started] = self.threads["sliced"].workflows.started
        await bindings["RunWorkflowBinding"](sent).start(*started)
        return {"messages": sent.messages, "workflow": sent.workflow}

    def _ids(self, name: str) -> tuple[str, str]:
        return self.threads[name].thread_id, self.runs[name]

    async def _stored(self) -> dict[str, Any]:
        storages = {name: thread.storage.connection for name, thread in self.threads.items()}
        places = {D1: self.api.db.connection, **storages}
        return {
            "at_ms": clock.now_ms(),
            "migrations": [migration.name for migration in sorted(MIGRATIONS.glob("*.sql"))],
            "object_schema": [row["sql"] for row in storages["ended"].execute("SELECT sql FROM sqlite_master")],
            "runs": {name: self._ids(name) for name in self.runs},
            "seen": self.seen,
            "calls": [path for _, path in self.api.thread_objects.opened],
            **await self._sent(),
            "rows": [row for name, connection in places.items() for row in _rows(name, connection)],
        }


class Sent:
    """The bindings of queues and of a Workflow, which note what they are given."""

    def __init__(self) -> None:
        self.messages: list[Any] = []
        self.workflow: Any = None

    async def sendBatch(self, page: list[dict[str, Any]]) -> None:  # noqa: N802 - the platform's name
        """See Cloudflare Queues."""
        self.messages += [message["body"] for message in page]

    async def create(self, options: dict[str, Any]) -> None:
        """See Cloudflare Workflows."""
        self.workflow = options["params"]


_JAVASCRIPT: dict[str, Any] = {
    "js": SimpleNamespace(JSON=SimpleNamespace(parse=json.loads), Object=SimpleNamespace(fromEntries=None)),
    "pyodide": SimpleNamespace(),
    "pyodide.ffi": SimpleNamespace(JsException=Exception, to_js=lambda value, **_: value),
    "workers": SimpleNamespace(env=None),
}


async def _cancel(*tasks: asyncio.Future[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@contextmanager
def _small_parts() -> Generator[None]:
    """Texts and values are cut into several rows although they are short."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (large_text, codec):
            patch.setattr(module, "PART_BYTES", SMALL_PART)
        yield


def _rows(place: str, connection: sqlite3.Connection) -> list[Any]:
    """Place, table and columns of each row; what SQLite itself keeps for the table of words is left out."""
    names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT GLOB 'store_texts_*'")
    return [
        [place, name, dict(row)]
        for (name,) in names.fetchall()
        for row in connection.execute(f"SELECT {'rowid, ' if name == 'store_texts' else ''}* FROM {name}")
    ]


def text(stored: dict[str, Any]) -> str:
    """As JSON, a line for each row."""

    def line(value: Any) -> str:
        return json.dumps(value, ensure_ascii=False, default=lambda blob: {"hex": blob.hex()})

    head = [f"{line(name)}: {line(value)}" for name, value in stored.items() if name != "rows"]
    rows = ",\n".join(map(line, stored["rows"]))
    return "{" + ",\n".join([*head, f'"rows": [\n{rows}\n]']) + "}\n"


def read(text: str) -> dict[str, Any]:
    """See `text`."""
    return json.loads(text, object_hook=lambda value: bytes.fromhex(value["hex"]) if set(value) == {"hex"} else value)


if __name__ == "__main__":
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True)
    (FOLDER / f"{commit.stdout.strip()}.json").write_text(text(asyncio.run(Writer().write())))
