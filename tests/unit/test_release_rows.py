"""This release goes on with whatever a release before has left: each row, object log, queue message and Workflow.

`tests/support/release_rows.py` wrote the files; "today" is what this very code writes.
"""

import asyncio
import json
import sqlite3
import time
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any

import pytest

import clock
import each_minute
import queue_consumer
from api import cron_fires
from runs.thread_object import following, object_paths
from runs.thread_object.object_paths import FollowRequest
from streaming import sse
from streaming.events import EventId
from streaming.fanout import From
from tests.support import release_rows
from tests.support.http_api import Api
from tests.support.object_storage import SqliteObjectStorage
from tests.support.release_rows import D1, FOLDER, LONG_TOPIC, WEBHOOK
from tests.support.sqlite_database import MIGRATIONS
from tests.support.thread_object_in_memory import ThreadObjectInMemory
from tests.support.webhook_outside import Receiver, courier

RELEASES = sorted(FOLDER.glob("*.json"))


@dataclass
class Message:
    """A queue message."""

    body: Any
    attempts: int = 1
    id: str = "m"
    is_acknowledged: bool = False

    def ack(self) -> None:
        """See `ports.QueuedMessage`."""
        self.is_acknowledged = True

    def retry(self, delay_seconds: int) -> None:
        """See `ports.QueuedMessage`."""


@dataclass
class Left:
    """What a release left, served by this one; nothing of it is in memory yet."""

    stored: dict[str, Any]
    api: Api = field(default_factory=Api)
    #: The nodes that this release executed.
    executed: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        migrated(self.stored).backup(self.api.db.connection)
        release_rows.add_graphs(self.api, self._note)
        self.threads = {name: self._thread(name) for name in self.stored["runs"]}
        self.api.thread_objects.wake = self._wake  # type: ignore[method-assign]

    async def _note(self, name: str) -> None:
        self.executed.append(name)

    def _thread(self, name: str) -> ThreadObjectInMemory:
        thread = ThreadObjectInMemory(self.api, self.stored["runs"][name][0])
        thread.storage = SqliteObjectStorage()
        for statement in self.stored["object_schema"]:
            thread.storage.execute(statement)
        fill(thread.storage.connection, self.stored, name)
        thread.incarnate()
        return thread

    async def _wake(self, thread_id: str) -> None:
        for thread in self.threads.values():
            if thread.thread_id == thread_id:
                await thread.runner.wake()

    def run(self, name: str) -> str:
        """The id of a run."""
        return self.stored["runs"][name][1]

    def needs(self, table: str) -> None:
        """Skip what a release without this table could not leave."""
        if table not in {name for _, name, _ in self.stored["rows"]}:
            pytest.skip(f"this release had no {table}")

    def url(self, name: str) -> str:
        """The path of a run."""
        return f"/threads/{self.threads[name].thread_id}/runs/{self.run(name)}"

    async def status(self, name: str) -> str:
        """The status of a run."""
        return await self.threads[name].status(self.run(name))

    async def values(self, name: str) -> Any:
        """The values of a run's thread, which are those of its state."""
        values = (await self.threads[name].thread())["values"]
        state = await self.api.json("GET", f"/threads/{self.threads[name].thread_id}/state")
        assert state["values"] == (values or {})
        return values

    async def work(self, name: str, run_id: str | None = None) -> list[tuple[str, Any]]:
        """Let a thread execute what is due; all that a client sees of a run that was cut off from it meanwhile."""
        seen = sse.split(self.stored["seen"].get(name, ""))
        await asyncio.wait_for(self.threads[name].runner.work(), 20)
        seen += sse.split(await self.streamed(name, seen[-1].id if seen else From.START, run_id))
        assert [frame.id for frame in seen] == sorted({frame.id for frame in seen})
        return [(frame.name, json.loads(sse.data_of(frame))) for frame in seen]

    async def streamed(self, name: str, after: EventId | From, run_id: str | None = None) -> str:
        """What a client is sent that joins now."""
        subscription = self.threads[name].streams.subscribe(run_id or self.run(name), after)
        text = ""
        while (chunk := await asyncio.wait_for(subscription.next_chunk(), 20)) is not None:
            text += chunk
        subscription.close()
        return text

    async def deliver(self, receiver: Receiver) -> list[Message]:
        """Take the messages that were on their way."""
        messages = [Message(body) for body in self.stored["messages"]]

        async def keep(_message_id: str, body: Any) -> None:
            raise AssertionError(f"{body} was not understood")

        send = courier(self.api.db, receiver).deliver
        await queue_consumer.deliver_batch(messages, self.api.thread_objects, send, keep)
        return messages


def fill(connection: sqlite3.Connection, stored: dict[str, Any], place: str) -> None:
    """Insert the rows of one place; columns that are not there yet are left out."""
    for at, table, row in stored["rows"]:
        known = {column for _, column, *_ in connection.execute(f"PRAGMA table_info({table})")} | {"rowid"}
        if at == place and len(known) > 1:
            kept = {name: value for name, value in row.items() if name in known}
            marks = ", ".join("?" * len(kept))
            connection.execute(f"INSERT INTO {table} ({', '.join(kept)}) VALUES ({marks})", tuple(kept.values()))


def migrated(stored: dict[str, Any], before: str | None = None) -> sqlite3.Connection:
    """A database of today with the rows of a release, filled when the migrations of that time had been applied."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrations = sorted(MIGRATIONS.glob("*.sql"))
    later = [path for path in migrations if path.name not in stored["migrations"] or (before and path.name >= before)]
    for path in migrations:
        if path not in later:
            connection.executescript(path.read_text())
    fill(connection, stored, D1)
    assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    for path in later:
        was = contents(connection)
        connection.executescript(path.read_text())
        assert contents(connection, was) == was, path.name
    return connection


def contents(connection: sqlite3.Connection, of: dict[str, Any] | None = None) -> dict[str, Any]:
    """The rows of all tables; with `of`, of the tables and columns in it."""
    names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    columns = {name: [row[1] for row in connection.execute(f"PRAGMA table_info({name})")] for name in names}
    columns = {name: of[name][0] for name in of} if of is not None else columns
    return {
        name: (listed, sorted(map(repr, connection.execute(f"SELECT {', '.join(listed)} FROM {name}"))))
        for name, listed in columns.items()
    }


@pytest.fixture(scope="module")
def written() -> str:
    """What this very code writes."""
    return release_rows.text(asyncio.run(release_rows.Writer().write()))


@pytest.fixture(params=[*RELEASES, "today"], ids=lambda source: source.stem if isinstance(source, Path) else source)
def left(request: pytest.FixtureRequest, written: str, monkeypatch: pytest.MonkeyPatch) -> Left:
    stored = release_rows.read(request.param.read_text() if isinstance(request.param, Path) else written)
    turn_back(monkeypatch, stored["at_ms"] + 1000)
    return Left(stored)


def turn_back(monkeypatch: pytest.MonkeyPatch, to_ms: int) -> None:
    """Go on at a time: later much of what is stored would have expired."""
    time_ns = time.time_ns
    passed_ns = time_ns() - to_ms * 1_000_000

    class Then(datetime):
        """The time in the form of `clock`."""

        @classmethod
        def now(cls, tz: tzinfo | None = None) -> "Then":
            return cls.fromtimestamp(time.time_ns() / 1_000_000_000, tz)

    monkeypatch.setattr(time, "time_ns", lambda: time_ns() - passed_ns)
    monkeypatch.setattr(clock, "datetime", Then)


def test_a_release_leaves_rows_in_every_table(written: str) -> None:
    stored = release_rows.read(written)
    tables = [name for name in contents(Api().db.connection) if not name.startswith("store_texts_")]
    assert {table for place, table, _ in stored["rows"] if place == D1} == set(tables)
    assert {table for place, table, _ in stored["rows"] if place == "cut off"} == {"stream_blocks", "stream_notes"}


@pytest.mark.parametrize("migration", sorted(path.name for path in MIGRATIONS.glob("*.sql"))[1:])
@pytest.mark.parametrize("release", RELEASES, ids=lambda path: path.stem)
def test_a_migration_keeps_the_rows_of_a_database_in_use(release: Path, migration: str) -> None:
    stored = release_rows.read(release.read_text())
    [(runs,)] = migrated(stored, before=migration).execute("SELECT COUNT(*) FROM runs")
    assert runs == sum(table == "runs" for _, table, _ in stored["rows"])


async def test_everything_can_be_read_and_listed(left: Left) -> None:
    ask = left.api.json
    threads = await ask("POST", "/threads/search", {"limit": 100})
    assert set(left.stored["runs"]) <= {thread["metadata"].get("of") for thread in threads}
    for thread in threads:
        path = f"/threads/{thread['thread_id']}"
        await ask("GET", f"{path}/state")
        await ask("POST", f"{path}/history", {})
        for run in await ask("GET", f"{path}/runs"):
            assert await ask("GET", f"{path}/runs/{run['run_id']}") == run
            assert (await ask("GET", f"{path}/runs/{run['run_id']}/timeline"))["run_id"] == run["run_id"]
    assert len(await ask("POST", "/runs/crons/search", {})) == 2
    assert (await left.api.ask("GET", "/metrics")).status == 200
    assert await left.values("ended") == {"topic": "t", "log": ["plan", "write"]}


@pytest.mark.parametrize("name", ["cut off", "unanswered", "sliced"])
async def test_a_run_goes_on_where_it_was_and_nobody_can_tell(left: Left, name: str) -> None:
    workflow, thread = left.stored["workflow"], left.threads[name]
    if name == "sliced":
        assert set(workflow) == {"thread_id", "run_id", "attempt"}
        assert not await thread.runner.run_slice(workflow["run_id"], workflow["attempt"])
        assert thread.alarm.at_ms is not None
    events = await left.work(name)
    assert sorted(left.executed) == (["left", "right", "three"] if name == "sliced" else ["right", "three"])
    log = ["one", "left", "right", "three"]
    assert (await left.status(name), await left.values(name)) == ("success", {"log": log})
    assert [list(data) for kind, data in events if kind == "updates"] == [[node] for node in log]
    assert [data["log"] for kind, data in events if kind == "values"] == [log[:length] for length in (1, 3, 4)]


async def test_what_was_asked_to_stop_stops(left: Left) -> None:
    await left.work("interrupted")
    await left.work("rolled back")
    assert (await left.status("interrupted"), left.executed) == ("interrupted", [])
    assert (await left.values("interrupted"))["log"] == ["one", "left"]
    await left.api.json("GET", left.url("rolled back"), status=404)
    assert await left.values("rolled back") is None


@pytest.mark.parametrize(("name", "answers"), [("asks", ["a", "b"]), ("answered once", ["b"])])
async def test_questions_are_answered(left: Left, name: str, answers: list[str]) -> None:
    assert (await left.threads[name].thread())["status"] == "interrupted"
    for answer in answers:
        run_id = await left.threads[name].create("questions", command={"resume": answer})
        await left.work(name, run_id)
    assert (await left.values(name))["log"] == ["a", "b"]


async def test_messages_on_their_way_are_understood(left: Left) -> None:
    receiver = Receiver()
    assert all(message.is_acknowledged for message in await left.deliver(receiver))
    [received] = receiver.received
    assert (received.url, received.body["status"]) == (WEBHOOK, "success")
    assert received.body["run_id"] == left.run("ended")
    assert left.threads["queued"].alarm.at_ms is not None
    await left.work("queued")
    assert await left.status("queued") == "success"


async def test_workers_of_the_release_get_their_answers(left: Left) -> None:
    streams, shown = left.threads["ended"].streams, list[str | None]()
    for path in left.stored["calls"]:
        request = object_paths.parse(path)
        if isinstance(request, FollowRequest):
            answer = following.subscription(streams, request).next_chunk()
        else:
            assert (request.joins, request.last_event_id) == (True, "0-0")
            answer = streams.result(request.run_id) if request.kind == "wait" else left.streamed("ended", EventId(0, 0))
        shown.append(await asyncio.wait_for(answer, 20))
    assert ["write" in (text or "") for text in shown] == [True] * 4


async def test_a_stream_is_shown_again_and_the_next_one_has_greater_ids(left: Left) -> None:
    frames = sse.split(await left.streamed("ended", From.START))
    assert [frame.name for frame in frames] == ["metadata", "values", "values", "values"]
    again = sse.split(await left.streamed("ended", frames[1].id))
    assert [frame.text for frame in again] == [frame.text for frame in frames[2:]]
    before = frames[-1].id
    run_id = await left.threads["ended"].create("sequence", input={"topic": "u"})
    await left.work("ended", run_id)
    assert (await left.values("ended"))["log"] == ["plan", "write"] * 2
    after = sse.split(await left.streamed("ended", From.START, run_id))[0].id
    assert after > before
    assert after.n > before.n


async def test_what_spans_several_rows_comes_back(left: Left) -> None:
    assert await left.values("large") == {"topic": LONG_TOPIC, "log": ["plan", "write"]}
    run = await left.api.json("GET", left.url("large"))
    assert run["kwargs"]["input"] == {"topic": LONG_TOPIC}
    receiver = Receiver()
    assert await courier(left.api.db, receiver).deliver(left.run("large")) is None
    assert receiver.received[0].body["values"]["topic"] == LONG_TOPIC


async def test_crons_fire(left: Left) -> None:
    before = left.api.rows("runs")
    assert await cron_fires.fire_due(left.api.services, before=clock.shifted(clock.now_iso(), 180)) >= 2
    assert left.api.rows("runs") >= before + 2
    for cron in await left.api.json("POST", "/runs/crons/search", {}):
        assert await left.api.json("GET", f"/runs/crons/{cron['cron_id']}/fires")
        assert cron["next_run_date"] > clock.now_iso()


async def test_what_has_expired_goes(left: Left) -> None:
    await each_minute.tick(left.api.services, scheduled_ms=clock.now_ms())
    assert left.api.rows("deleted_threads") == 0
    expired = await left.api.json("POST", "/threads/search", {"metadata": {"of": "expired"}})
    keys = [item["key"] for item in (await left.api.json("POST", "/store/items/search", {}))["items"]]
    assert (expired, sorted(keys)) == ([], ["k", "k"])


async def test_the_sweeper_announces_what_nobody_works_on(left: Left) -> None:
    left.api.db.connection.execute("UPDATE runs SET updated_at = '2026-01-01', created_at = '2026-01-01'")
    await each_minute.tick(left.api.services, scheduled_ms=clock.now_ms())
    announced = {run_id for _, run_id in left.api.queue.sent}
    assert {left.run(name) for name in ("cut off", "queued", "interrupted", "sliced")} <= announced


async def test_a_retry_gets_what_the_first_request_made(left: Left) -> None:
    left.needs("idempotency_keys")
    path = f"/threads/{left.threads['queued'].thread_id}/runs"
    body = {"assistant_id": "sequence", "input": {"topic": "t"}}
    again = await left.api.json("POST", path, body, status=202, **{"idempotency-key": "key"})
    assert again["run_id"] == left.run("queued")


async def test_a_dead_letter_is_redriven(left: Left) -> None:
    assert await left.status("gave up") == "error"
    left.needs("dead_letters")
    redriven = await left.api.json("POST", "/runs/dead-letters/redrive", {"run_ids": [left.run("gave up")]})
    assert [run["run_id"] for run in redriven["redriven"]] == [left.run("gave up")]
    await left.threads["gave up"].runner.work()
    assert (await left.values("gave up"))["log"] == ["one", "left", "right", "three"]
    assert (left.api.rows("dead_letters"), left.api.rows("circuits")) == (0, 0)


async def test_the_store_finds_items_by_key_words_and_meaning(left: Left) -> None:
    item = await left.api.json("GET", "/store/items?namespace=a.b&key=k")
    assert item["value"] == {"text": "green tea"}
    found = await left.api.json("POST", "/store/items/search", {"namespace_prefix": ["a"], "query": "tea"})
    assert [item["namespace"] for item in found["items"]] == [["a", "b"]]
    [similar] = await release_rows.searched_by_meaning(left.api).asearch(("meaning",), query="two words")
    assert similar.score == pytest.approx(1, abs=0.01)


async def test_a_version_of_an_assistant_is_chosen_again(left: Left) -> None:
    [assistant] = await left.api.json("POST", "/assistants/search", {"name": "second"})
    path = f"/assistants/{assistant['assistant_id']}"
    assert [each["version"] for each in await left.api.json("POST", f"{path}/versions", {})] == [2, 1]
    assert (await left.api.json("POST", f"{path}/latest", {"version": 1}))["name"] == "first"


async def test_a_cached_node_does_not_run_again(left: Left) -> None:
    thread = ThreadObjectInMemory(left.api, await left.api.new_thread())
    run_id = await thread.create("cached", input={"topic": "t"})
    await thread.runner.work()
    assert (await thread.status(run_id), left.executed) == ("success", [])
