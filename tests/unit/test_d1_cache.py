"""The node cache on D1: what it keeps, for how long, and that it never costs a run anything but time."""

from collections import Counter
from typing import TypedDict
from uuid import uuid4

import pytest
from langgraph.cache.base import FullKey
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.graph import START, StateGraph
from langgraph.store.memory import InMemoryStore
from langgraph.types import CachePolicy
from pydantic import BaseModel

import clock
from d1_cache import MAX_VALUE_BYTES, D1Cache
from d1_checkpointer import D1Saver
from errors import DatabaseError
from runs.execution.provided import Provided
from tables import node_cache
from tests.support.run_driver import RunDriver
from tests.support.sqlite_database import SqliteDatabase

KEY: FullKey = (("writes", "node"), "key")
OTHER: FullKey = (("writes", "other"), "key")
WRITES = [["channel", {"a": [1, b"2"]}], ["other", None]]
NOW_MS = 1_800_000_000_000


@pytest.fixture
def database() -> SqliteDatabase:
    return SqliteDatabase()


@pytest.fixture(autouse=True)
def now(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The time; tests move it."""
    moment = [NOW_MS]
    monkeypatch.setattr(clock, "now_ms", lambda: moment[0])
    return moment


def open_cache(database: SqliteDatabase, release: str = "release") -> D1Cache:
    return D1Cache(database, release, JsonPlusSerializer())


async def test_what_was_put_is_there_in_one_round_trip(database: SqliteDatabase) -> None:
    await open_cache(database).aset({KEY: (WRITES, None), OTHER: ([], 60)})
    before = database.round_trips
    assert await open_cache(database).aget([KEY, (("nowhere",), "key"), OTHER]) == {KEY: WRITES, OTHER: []}
    assert database.round_trips == before + 1
    await open_cache(database).aset({KEY: ([["channel", 2]], None)})
    assert await open_cache(database).aget([KEY]) == {KEY: [["channel", 2]]}


async def test_other_code_does_not_see_it(database: SqliteDatabase) -> None:
    await open_cache(database).aset({KEY: (WRITES, None)})
    assert await open_cache(database, "next release").aget([KEY]) == {}


async def test_it_expires_and_is_swept(database: SqliteDatabase, now: list[int]) -> None:
    await open_cache(database).aset({KEY: (WRITES, 60), OTHER: (WRITES, None)})
    now[0] += 59_999
    assert len(await open_cache(database).aget([KEY])) == 1
    now[0] += 1
    assert await open_cache(database).aget([KEY, OTHER]) == {OTHER: WRITES}
    await node_cache.delete_expired(database, now_ms=now[0], limit=10)
    [left] = database.connection.execute("SELECT namespace FROM node_cache")
    assert left["namespace"] == '["writes","other"]'


async def test_clearing_takes_a_namespace_or_everything(database: SqliteDatabase) -> None:
    cache = open_cache(database)
    await cache.aset({KEY: (WRITES, None), OTHER: (WRITES, None)})
    await cache.aclear([])
    await cache.aclear([OTHER[0]])
    assert set(await cache.aget([KEY, OTHER])) == {KEY}
    await cache.aclear()
    assert await cache.aget([KEY]) == {}


async def test_a_value_too_large_for_a_row_is_not_kept(database: SqliteDatabase) -> None:
    await open_cache(database).aset({KEY: ([("channel", "x" * MAX_VALUE_BYTES)], None), OTHER: (WRITES, None)})
    assert set(await open_cache(database).aget([KEY, OTHER])) == {OTHER}


async def test_a_database_that_fails_is_a_miss(database: SqliteDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(statements: object) -> None:
        raise DatabaseError("D1_ERROR")

    monkeypatch.setattr(database, "batch", fail)
    await open_cache(database).aset({KEY: (WRITES, None)})
    assert await open_cache(database).aget([KEY]) == {}


class Answer(BaseModel):
    text: str


class State(TypedDict, total=False):
    question: str
    answer: Answer


async def test_a_cached_node_does_not_run_again_in_another_run(database: SqliteDatabase) -> None:
    ran = Counter[str]()

    async def answer(state: State) -> State:
        ran[state["question"]] += 1
        return {"answer": Answer(text=state["question"])}

    builder = StateGraph(State).add_node(answer, cache_policy=CachePolicy()).add_edge(START, "answer")
    provided = Provided(store=InMemoryStore(), open_cache=lambda serde: D1Cache(database, "release", serde))
    for question in ("a", "a", "b"):
        driver = RunDriver(builder.compile(), lambda: D1Saver(database), provided, thread_id=str(uuid4()))
        result = await driver.slice(driver.job(input={"question": question}))
        assert result.wait_result == f'{{"question":"{question}","answer":{{"text":"{question}"}}}}'
        graph = driver.graph.copy({"checkpointer": driver.saver})
        state = await graph.aget_state({"configurable": {"thread_id": driver.thread_id}})
        assert state.values["answer"] == Answer(text=question)
    assert ran == {"a": 1, "b": 1}
