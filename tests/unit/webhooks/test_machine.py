"""A webhook under all faults at once: lost and doubled messages, senders that die at any call, failing receivers.

A property-based state machine over real SQLite, with a clock of its own. Whatever happens, the receiver accepts the
webhook of each end of the run, or it is tried for a whole day. The receiver sees one id for each end. A webhook that it
accepted is not sent again, unless the sender died before it could store that.
"""

import asyncio
import json
from collections.abc import Coroutine, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

import clock
import ids
from errors import Unavailable
from ports import HttpAnswer, Row, Statement
from runs import sweep
from tables import runs, threads, webhooks
from tables.access import EVERYTHING
from tests.support.http_api import WebhookQueueNotes
from tests.support.sqlite_database import SqliteDatabase
from tests.support.stored_runs import DETACHED
from tests.support.webhook_outside import URL, Names, courier
from webhooks.delivery import LEASE_SECONDS
from webhooks.schedule import TRIED_SECONDS

T = TypeVar("T")

START = "2026-11-21T04:00:00.000000+00:00"
MAX_ENDS = 3

RUN = replace(DETACHED, run_id="00000000-0000-7000-8000-000000000001", status="running", attempt=1)


class Died(BaseException):
    """The isolate is gone."""


class Isolate:
    """A sender's way to the outside. It dies before the call number `dies_at`, or before the answer of that number."""

    def __init__(self, machine: "WebhookMachine", dies_at: int | None) -> None:
        self._machine, self._left = machine, dies_at

    def _live(self) -> None:
        if self._left == 0:
            raise Died
        if self._left is not None:
            self._left -= 1

    async def batch(self, statements: Sequence[Statement]) -> list[list[Row]]:
        """See `ports.Database.batch`."""
        self._live()
        results = await self._machine.db.batch(statements)
        self._live()
        return results

    def wait(self, call: Coroutine[Any, Any, T]) -> T:
        """See `ports.Database.wait`."""
        return self._machine.db.wait(call)

    async def post(self, url: str, headers: Any, body: str) -> HttpAnswer:
        """See `ports.HttpSender`."""
        self._live()
        answer = self._machine.receive(headers["webhook-id"], json.loads(body))
        self._live()
        return answer


class WebhookMachine(RuleBasedStateMachine):
    """One run, which may end several times, and all that may befall its webhooks."""

    def __init__(self) -> None:
        super().__init__()
        self.monkeypatch = pytest.MonkeyPatch()
        self.now = START
        self.monkeypatch.setattr(clock, "now_iso", lambda: self.now)
        self.monkeypatch.setattr(clock, "now_ms", lambda: clock.epoch_ms(self.now))
        self.loop = asyncio.new_event_loop()
        self.db = SqliteDatabase()
        #: What the receiver answers; None for nothing.
        self.status: int | None = 500
        self.told: list[str] = []
        #: Webhooks that the receiver took, those of them whose sender lived to store it, and those it refused.
        self.taken: set[str] = set()
        self.heard: set[str] = set()
        self.refused: set[str] = set()
        #: What the receiver should not have got.
        self.wrong: list[str] = []

    def run(self, call: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(call)

    def rows(self) -> list[dict[str, Any]]:
        return [dict(row) for row in self.db.connection.execute("SELECT * FROM webhooks ORDER BY delivery_id")]

    def receive(self, delivery_id: str, body: dict[str, Any]) -> HttpAnswer:
        if body["end"] != delivery_id:
            self.wrong.append(f"{delivery_id} is the id of another end")
        if delivery_id in self.heard:
            self.wrong.append(f"{delivery_id} was sent again after it was taken")
        if self.status is None:
            raise Unavailable("no answer in time")
        if self.status == 200:
            self.taken.add(delivery_id)
        if self.status == 410:
            self.refused.add(delivery_id)
        return HttpAnswer(self.status)

    @initialize()
    def begin(self) -> None:
        thread = threads.new(RUN.thread_id, metadata="{}", config="{}", now=START)
        self.run(self.db.batch([threads.insert(thread), *runs.insert(RUN, EVERYTHING, only_if_idle=False)]))

    @precondition(lambda self: len(self.told) < MAX_ENDS)
    @rule()
    def end(self) -> None:
        """The run ends; whether its message comes is up to `message`."""
        delivery_id = ids.time_ordered()
        body = json.dumps({"end": delivery_id, "kwargs": {"config": {"configurable": {}}}})
        self.run(self.db.batch(webhooks.insert(RUN, delivery_id, URL, body, now=self.now)))
        self.told.append(delivery_id)

    @rule(dies_at=st.none() | st.integers(0, 8))
    def message(self, dies_at: int | None) -> None:
        """A message comes, wanted or not, to an isolate that may die over it."""
        isolate, before = Isolate(self, dies_at), self.taken
        self.taken = set()
        try:
            self.run(courier(isolate, isolate, names=Names()).deliver(RUN.run_id))
            self.heard |= self.taken
        except Died:
            pass
        finally:
            self.taken |= before

    @rule(dies_at=st.none() | st.integers(0, 8), seconds=st.sampled_from([1, LEASE_SECONDS + 16, 700, 8000, 40_000]))
    def minute(self, dies_at: int | None, seconds: int) -> None:
        """Some time later the sweeper looks, and its message comes."""
        self.now = clock.shifted(self.now, seconds)
        queue = WebhookQueueNotes()
        self.run(sweep.announce_overdue_webhooks(self.db, queue, now=self.now))
        for _ in queue.sent:
            self.message(dies_at)

    @rule(status=st.sampled_from([200, 500, 410, None]))
    def receiver_changes(self, status: int | None) -> None:
        self.status = status

    @rule(by_id=st.booleans())
    def operator_redelivers(self, by_id: bool) -> None:
        by_run = webhooks.redeliver([RUN.run_id], EVERYTHING, now=self.now)
        dead = webhooks.redeliver_dead(EVERYTHING, limit=2, now=self.now)
        [redelivered] = self.run(self.db.batch([by_run if by_id else dead]))
        self.refused -= {row["delivery_id"] for row in redelivered}

    @invariant()
    def nothing_is_lost(self) -> None:
        assert self.wrong == []
        rows = self.rows()
        assert [row["delivery_id"] for row in rows] == sorted(self.told)
        for row in rows:
            self.check(row)

    def check(self, row: dict[str, Any]) -> None:
        end_of_day = clock.shifted(row["since"], TRIED_SECONDS)
        if row["due_at"] is not None:
            assert row["due_at"] <= max(end_of_day, clock.shifted(self.now, LEASE_SECONDS))
            assert json.loads(row["body"])["end"] == row["delivery_id"]
        elif row["delivered_at"] is not None:
            assert row["delivery_id"] in self.taken
        else:
            last_attempt = json.loads(row["history"])[-1]["at"]
            assert row["delivery_id"] in self.refused or last_attempt >= end_of_day

    def teardown(self) -> None:
        """The receiver recovers and nothing dies any more: each webhook comes to its end within a day."""
        self.status = 200
        for _ in range(MAX_ENDS):
            if due := [row["due_at"] for row in self.rows() if row["due_at"] is not None]:
                self.now = max(self.now, clock.shifted(min(due), sweep.OVERDUE_SECONDS))
            self.minute(None, 0)
            self.nothing_is_lost()
        assert [row for row in self.rows() if row["due_at"] is not None] == []
        assert {row["delivery_id"] for row in self.rows() if row["delivered_at"]} <= self.taken
        self.loop.close()
        self.db.close()
        self.monkeypatch.undo()


WebhookMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestWebhookMachine = WebhookMachine.TestCase
