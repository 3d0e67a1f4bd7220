"""Subscriptions: before, while and after a run, fast and slow, filtered and resumed."""

import asyncio
import sqlite3

import pytest

from streaming import sse, thread_log
from streaming.events import START, Delivery, Event, EventId, Superstep
from streaming.fanout import From, RunStreams, Subscription
from streaming.run_stream import RunStream
from tests.support.object_storage import SqliteObjectStorage

RUN = "run"


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.ms = 1000

    def __call__(self) -> int:
        return self.ms


@pytest.fixture
def storage() -> SqliteObjectStorage:
    return SqliteObjectStorage()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def streams(storage: SqliteObjectStorage, clock: Clock) -> RunStreams:
    return RunStreams(storage, clock)


def token(data: str = "1", step: int = 1) -> Event:
    return Event("custom", data, Superstep("", step, step), Delivery.LIVE)


def update(data: str, step: int) -> Event:
    return Event("updates", data, Superstep("", step, step), Delivery.RECORD)


async def everything(subscription: Subscription) -> list[tuple[str, str]]:
    text = ""
    while (chunk := await subscription.next_chunk()) is not None:
        text += chunk
    subscription.close()
    return [(frame.name, sse.data_of(frame)) for frame in sse.split(text.replace(sse.HEARTBEAT, ""))]


async def test_a_subscriber_from_before_the_start_sees_all(streams: RunStreams) -> None:
    subscription = streams.subscribe(RUN)
    reading = asyncio.create_task(everything(subscription))
    await asyncio.sleep(0)
    stream = streams.open(RUN)
    for number in range(3):
        stream.emit(token(str(number)))
        await asyncio.sleep(0)
    stream.finish("{}", "completed")
    streams.close(RUN)
    assert await reading == [("custom", "0"), ("custom", "1"), ("custom", "2")]


async def test_a_late_subscriber_sees_what_it_asks_for(streams: RunStreams) -> None:
    stream = streams.open(RUN)
    stream.emit(token("0"))
    second = stream.last_id
    stream.emit(token("1"))
    from_now, from_start, after_first = (
        streams.subscribe(RUN),
        streams.subscribe(RUN, From.START),
        streams.subscribe(RUN, second),
    )
    stream.emit(token("2"))
    stream.finish("{}", "completed")
    streams.close(RUN)
    assert [data for _, data in await everything(from_now)] == ["2"]
    assert [data for _, data in await everything(from_start)] == ["0", "1", "2"]
    assert [data for _, data in await everything(after_first)] == ["1", "2"]


async def test_a_finished_run_is_empty_from_now_and_whole_from_the_start(
    storage: SqliteObjectStorage, streams: RunStreams, clock: Clock
) -> None:
    stream = streams.open(RUN)
    stream.emit_now("metadata", "{}")
    stream.emit(token())
    stream.finish("{}", "failed", error='{"error":"E"}')
    streams.close(RUN)
    for later in (streams, RunStreams(storage, clock)):
        assert await everything(later.subscribe(RUN)) == []
        assert await everything(later.subscribe(RUN, START)) == [
            ("metadata", "{}"),
            ("custom", "1"),
            ("error", '{"error":"E"}'),
        ]


async def test_a_filter_leaves_out_other_modes(streams: RunStreams) -> None:
    stream = streams.open(RUN)
    stream.emit_now("metadata", "{}")
    stream.emit(token())
    stream.committed("", 1)
    stream.emit(update("{}", 1))
    stream.finish("{}", "completed")
    streams.close(RUN)
    assert await everything(streams.subscribe(RUN, START, ["updates"])) == [("updates", "{}")]


async def test_a_slow_subscriber_reads_from_the_log_and_costs_no_memory(
    streams: RunStreams, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(thread_log, "RECENT_CHARACTERS", 2000)
    stream = streams.open(RUN)
    slow = streams.subscribe(RUN, START)
    for number in range(500):
        clock.ms += 10
        stream.emit(token(str(number)))
        assert len(streams.log._recent) < 100  # pyright: ignore[reportPrivateUsage]
    stream.finish("{}", "completed")
    streams.close(RUN)
    assert [data for _, data in await everything(slow)] == [str(number) for number in range(500)]


async def test_an_event_larger_than_a_row_is_stored_and_read_back(streams: RunStreams) -> None:
    stream = streams.open(RUN)
    large = '"' + "🦜" * 1_000_000 + '"'
    stream.emit(update(large, 1))
    stream.before_commit("", 1)
    stream.committed("", 1)
    stream.finish(large, "completed")
    streams.close(RUN)
    assert await everything(streams.subscribe(RUN, START)) == [("updates", large)]
    assert await streams.result(RUN) == large


async def test_heartbeats_come_at_a_steady_pace(streams: RunStreams, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "HEARTBEAT_SECONDS", 0.02)
    subscription = streams.subscribe(RUN)
    assert [await subscription.next_chunk() for _ in range(3)] == [sse.HEARTBEAT] * 3
    subscription.close()


async def test_a_closed_subscription_ends_and_leaves_nothing_behind(streams: RunStreams) -> None:
    subscription = streams.subscribe(RUN)
    subscription.close()
    subscription.close()
    assert await subscription.next_chunk() is None
    assert streams._streams == {}  # pyright: ignore[reportPrivateUsage]


async def test_ids_increase_across_runs_incarnations_and_clocks_that_go_backwards(
    storage: SqliteObjectStorage, streams: RunStreams, clock: Clock
) -> None:
    ids: list[EventId] = []

    def emit_three(stream: RunStream) -> None:
        for _ in range(3):
            stream.emit(token())
            ids.append(stream.last_id)
        stream.finish("{}", "completed")

    emit_three(streams.open("one"))
    emit_three(streams.open("two"))
    clock.ms -= 500
    emit_three(streams.open("three"))
    emit_three(RunStreams(storage, clock).open("four"))
    assert ids == sorted(set(ids))


async def test_a_result_reaches_those_who_wait_and_those_who_come_later(streams: RunStreams) -> None:
    waiting = asyncio.create_task(streams.result(RUN))
    await asyncio.sleep(0)
    assert streams.stored_result(RUN) is None
    streams.end(RUN, '{"a":1}', "completed")
    streams.end(RUN, '{"never":1}', "completed")
    assert await waiting == await streams.result(RUN) == streams.stored_result(RUN) == '{"a":1}'


async def test_deleting_a_run_ends_its_streams_and_forgets_it(streams: RunStreams) -> None:
    stream = streams.open(RUN)
    reader = streams.subscribe(RUN, START)
    stream.emit(token())
    assert await reader.next_chunk() is not None
    streams.delete(RUN)
    assert await reader.next_chunk() is None
    assert streams.stored_result(RUN) is None


async def test_old_runs_are_retired_unless_someone_follows_them(
    storage: SqliteObjectStorage, streams: RunStreams, clock: Clock
) -> None:
    for name in ("old", "followed", "new"):
        stream = streams.open(name)
        stream.emit(token())
        stream.finish("{}", "completed")
        streams.close(name)
        clock.ms += 1000
    follower = streams.subscribe("followed", START)
    assert streams.retire(2500) is True
    assert [streams.stored_result(name) for name in ("old", "followed", "new")] == [None, "{}", "{}"]
    follower.close()
    assert streams.retire(2500) is False
    assert storage.execute("SELECT DISTINCT run_id FROM stream_blocks") == [{"run_id": "new"}]


def test_held_records_survive_and_are_decided_by_what_is_committed(storage: SqliteObjectStorage, clock: Clock) -> None:
    stream = RunStreams(storage, clock).open(RUN)
    stream.committed("", 0)
    stream.emit(update("1", 1))
    stream.before_commit("", 1)
    for committed, expected in ((1, ["1"]), (0, [])):
        copy = sqlite3.connect(":memory:", isolation_level=None)
        storage.connection.backup(copy)
        after = RunStreams(SqliteObjectStorage(copy), clock).open(RUN)
        assert after.first_step == 0
        after.resume({"": committed})
        assert [sse.data_of(frame) for frame in after.frames_after(START)] == expected
        assert after.held_namespaces() == set()
