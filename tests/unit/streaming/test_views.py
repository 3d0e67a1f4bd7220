"""The thread's log in the streams of a run and of a thread: which events, in which order, with which ids."""

from collections.abc import Collection

import pytest

from streaming import sse
from streaming.events import START, Delivery, Event, EventId, Superstep
from streaming.fanout import From, RunStreams
from streaming.views import thread_view
from tests.support.object_storage import SqliteObjectStorage

FIRST = '{"run_id":"one","attempt":1}'


@pytest.fixture
def storage() -> SqliteObjectStorage:
    return SqliteObjectStorage()


@pytest.fixture
def streams(storage: SqliteObjectStorage) -> RunStreams:
    return RunStreams(storage, lambda: 1000)


def run(streams: RunStreams, run_id: str, *, error: str | None = None) -> None:
    """A run of one event."""
    stream = streams.open(run_id)
    stream.begin(1, "graph")
    stream.emit(Event("values", f'"{run_id}"', Superstep("", 1, 1), Delivery.LIVE))
    stream.finish("{}", "failed" if error else "completed", error=error)
    streams.close(run_id)


async def read(
    streams: RunStreams, modes: Collection[str] = ("run_modes",), after: EventId | From = START
) -> list[tuple[str, str]]:
    """Name and data of everything a follower gets at once."""
    subscription = streams.follow(thread_view(modes), after)
    text = ""
    while (chunk := await subscription.next_chunk()) and chunk != sse.HEARTBEAT:
        text += chunk
    subscription.close()
    return [(frame.name, sse.data_of(frame)) for frame in sse.split(text)]


@pytest.fixture(autouse=True)
def quick_heartbeats(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "HEARTBEAT_SECONDS", 0.01)


def done(run_id: str) -> tuple[str, str]:
    return "metadata", f'{{"status":"run_done","run_id":"{run_id}"}}'


async def test_all_runs_follow_each_other_each_with_its_end(streams: RunStreams) -> None:
    run(streams, "one")
    run(streams, "two", error='{"error":"E"}')
    assert await read(streams) == [
        ("metadata", FIRST),
        ("values", '"one"'),
        done("one"),
        ("metadata", '{"run_id":"two","attempt":1}'),
        ("values", '"two"'),
        ("error", '{"error":"E"}'),
        done("two"),
    ]


async def test_modes_choose_and_several_add_up(streams: RunStreams) -> None:
    run(streams, "one")
    streams.state_updated("t", '{"values":{}}')
    updated = ("state_update", '{"state":{"values":{}},"thread_id":"t"}')
    assert await read(streams, ["lifecycle"]) == [("metadata", FIRST), done("one")]
    assert await read(streams, ["state_update"]) == [updated]
    assert await read(streams, ["lifecycle", "state_update"]) == [("metadata", FIRST), done("one"), updated]


async def test_a_follower_begins_with_what_happens_next(streams: RunStreams) -> None:
    run(streams, "one")
    subscription = streams.follow(thread_view(["lifecycle"]))
    run(streams, "two")
    assert [sse.data_of(frame) for frame in sse.split(await subscription.next_chunk() or "")] == [
        '{"run_id":"two","attempt":1}',
        '{"status":"run_done","run_id":"two"}',
    ]
    subscription.close()


@pytest.mark.parametrize("incarnations", [1, 2])
async def test_it_goes_on_after_any_of_its_events(
    storage: SqliteObjectStorage, streams: RunStreams, incarnations: int
) -> None:
    for number in range(5):
        run(streams, str(number))
    subscription = streams.follow(thread_view(["run_modes"]), START)
    whole = sse.split(await subscription.next_chunk() or "")
    subscription.close()
    if incarnations == 2:
        streams = RunStreams(storage, lambda: 1000)
    for position, frame in enumerate(whole):
        rest = await read(streams, after=frame.id)
        assert rest == [(later.name, sse.data_of(later)) for later in whole[position + 1 :]]


async def test_a_long_log_is_read_page_by_page(
    storage: SqliteObjectStorage, streams: RunStreams, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(250):
        run(streams, str(number))
    shown = [data for name, data in await read(RunStreams(storage, lambda: 1000)) if name == "values"]
    assert shown == [f'"{number}"' for number in range(250)]


async def test_what_happens_besides_runs_is_retired_with_them(
    storage: SqliteObjectStorage, streams: RunStreams
) -> None:
    streams.state_updated("t", "{}")
    streams.retire(999)
    assert await read(streams, ["state_update"]) != []
    streams.retire(1000)
    assert storage.execute("SELECT * FROM stream_blocks") == []


async def test_numbers_that_were_shown_are_never_given_again(storage: SqliteObjectStorage, streams: RunStreams) -> None:
    stream = streams.open("one")
    stream.begin(1, "graph")
    shown = streams.log.last_id().n
    streams.log.promise(shown)
    crashed = RunStreams(storage, lambda: 1000)
    run(crashed, "one")
    assert crashed.log.read(START)[0].id.n > shown
