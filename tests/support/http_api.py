"""The HTTP API on CPython: `api.app.handle` over migrated SQLite; queue and thread objects only record calls."""

import json
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from operator import add
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import parse_qsl, urlsplit

from langgraph.graph import END, START, StateGraph
from langgraph.pregel import Pregel
from langgraph.types import interrupt
from typing_extensions import TypedDict  # pydantic wants it before Python 3.12

from api import app
from api.context import Services
from auth.gatekeeper import Gatekeeper, OpenDoor
from d1_checkpointer import D1Saver
from errors import NotFound
from graphs.factories import Purpose
from graphs.ui_bundles import UiBundles
from http_messages import HttpRequest, HttpResponse, Reply
from project_config.sections import ProjectConfig
from settings import Settings
from store.d1_store import D1Store
from tests.support.sqlite_database import SqliteDatabase


class State(TypedDict, total=False):
    """What the two graphs of these tests work on."""

    topic: str
    log: Annotated[list[str], add]


def _sequence() -> StateGraph:
    graph = StateGraph(State)
    graph.add_node("plan", lambda state: {"log": ["plan"]})
    graph.add_node("write", lambda state: {"log": ["write"]})
    graph.add_edge(START, "plan")
    graph.add_edge("plan", "write")
    graph.add_edge("write", END)
    return graph


def _approval() -> StateGraph:
    graph = StateGraph(State)
    graph.add_node("ask", lambda state: {"log": [interrupt({"question": "ok?"})]})
    graph.add_edge(START, "ask")
    return graph


def _failure() -> StateGraph:
    graph = StateGraph(State)
    graph.add_node("fail", _raise)
    graph.add_edge(START, "fail")
    return graph


def _raise(state: State) -> State:
    raise ValueError("boom")


def _nested() -> StateGraph:
    graph = StateGraph(State)
    graph.add_node("child", _approval().compile())
    graph.add_edge(START, "child")
    return graph


@cache
def _compiled() -> dict[str, Pregel[Any, Any, Any, Any]]:
    makers = {"sequence": _sequence, "approval": _approval, "failure": _failure, "nested": _nested}
    return {name: make().compile() for name, make in makers.items()}


@dataclass
class GraphsInMemory:
    """A registry of the graphs above."""

    graphs: dict[str, Pregel[Any, Any, Any, Any]] = field(default_factory=lambda: {**_compiled()})

    descriptions: dict[str, str] = field(default_factory=lambda: {"sequence": "plans, then writes"})

    def graph_ids(self) -> tuple[str, ...]:
        """See `graphs.registry.Registry`."""
        return tuple(self.graphs)

    def description(self, graph_id: str) -> str | None:
        """See `graphs.registry.Registry`."""
        return self.descriptions.get(graph_id)

    @asynccontextmanager
    async def open(self, graph_id: str, purpose: Purpose) -> AsyncGenerator[Pregel[Any, Any, Any, Any]]:
        """See `graphs.registry.Registry`."""
        if graph_id not in self.graphs:
            raise NotFound(f"graph {graph_id!r} is not one of: {', '.join(self.graphs)}")
        yield self.graphs[graph_id]


@dataclass
class QueueNotes:
    """A queue that notes what was sent; fails with `failure` when it is set."""

    sent: list[tuple[str, str]] = field(default_factory=list)
    failure: Exception | None = None

    async def send_batch(self, runs: Sequence[tuple[str, str]]) -> None:
        """See `ports.RunQueue`."""
        if self.failure:
            raise self.failure
        self.sent.extend(runs)


@dataclass
class ThreadObjectNotes:
    """Thread objects that note what was asked of them; the first calls fail with `failures`."""

    opened: list[tuple[str, str]] = field(default_factory=list)
    state_updates: list[tuple[str, Any]] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)

    async def wake(self, thread_id: str) -> None:
        """See `ports.ThreadObjects`."""
        if self.failures:
            raise self.failures.pop(0)

    async def state_updated(self, thread_id: str, state: str) -> None:
        """See `ports.ThreadObjects`."""
        if self.failures:
            raise self.failures.pop(0)
        self.state_updates.append((thread_id, json.loads(state)))

    async def open(self, thread_id: str, path: str) -> object:
        """See `ports.ThreadObjects`."""
        if self.failures:
            raise self.failures.pop(0)
        self.opened.append((thread_id, path))
        return f"the answer to {path}"

    async def connect(self, thread_id: str, path: str, headers: Mapping[str, str]) -> object:
        """See `ports.ThreadObjects`."""
        assert headers["upgrade"] == "websocket"
        return await self.open(thread_id, path)

    async def read(self, thread_id: str, path: str) -> AsyncGenerator[str]:
        """See `ports.ThreadObjects`; `executing_thread_objects` has those that execute."""
        self.opened.append((thread_id, path))
        yield "{}"


@dataclass
class WebhookQueueNotes:
    """A queue of webhooks that takes notes."""

    sent: list[str] = field(default_factory=list)

    async def send_batch(self, run_ids: Sequence[str]) -> None:
        """See `ports.WebhookQueue`."""
        self.sent.extend(run_ids)


#: A project without UI components.
NO_UI = UiBundles(Path(__file__).parent)


class Api:
    """One server and its database."""

    def __init__(
        self,
        settings: Settings | None = None,
        config: ProjectConfig | None = None,
        gatekeeper: Gatekeeper | None = None,
        *,
        ui: UiBundles = NO_UI,
        thread_objects: "Callable[[Api], ThreadObjectNotes]" = lambda _: ThreadObjectNotes(),
    ) -> None:
        self.db = SqliteDatabase()
        self.queue = QueueNotes()
        self.webhook_queue = WebhookQueueNotes()
        self.thread_objects = thread_objects(self)
        self.registry = GraphsInMemory()
        self.saver = D1Saver(self.db)
        self.store = D1Store(self.db)
        self.services = Services(
            db=self.db,
            queue=self.queue,
            webhook_queue=self.webhook_queue,
            thread_objects=self.thread_objects,
            registry=self.registry,
            settings=settings or Settings(),
            config=config or ProjectConfig(),
            gatekeeper=gatekeeper or OpenDoor(),
            checkpointer=lambda: self.saver,
            store=self.store,
            ui=ui,
            version="test",
        )

    async def ask(self, method: str, url: str, body: object = None, *, headers: dict[str, str] | None = None) -> Reply:
        """Send a request; a body that is neither bytes nor str is sent as JSON."""
        parts = urlsplit(url)
        raw = body if isinstance(body, bytes | str) else b"" if body is None else json.dumps(body).encode()
        query = parse_qsl(parts.query, keep_blank_values=True)
        return await self.ask_raw(HttpRequest(method, parts.path, query, headers or {}, raw))

    async def ask_raw(self, request: HttpRequest) -> Reply:
        """Send a request exactly as it is."""
        return await app.handle(request, self.services)

    async def json(self, method: str, url: str, body: object = None, *, status: int = 200, **headers: str) -> Any:
        """The decoded answer to a request that must have `status`."""
        answer = await self.ask(method, url, body, headers=headers)
        assert isinstance(answer, HttpResponse)
        assert answer.status == status, answer.body
        return json.loads(answer.body) if answer.body else None

    async def detail(self, method: str, url: str, body: object = None, *, status: int) -> str:
        """The `detail` of a refusal, which is all there may be in it."""
        answer = await self.json(method, url, body, status=status)
        assert list(answer) == ["detail"]
        return answer["detail"]

    async def new_thread(self, **body: object) -> str:
        """The id of a new thread."""
        return (await self.json("POST", "/threads", body))["thread_id"]

    def rows(self, table: str) -> int:
        """How many rows a table has."""
        return self.db.connection.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0]
