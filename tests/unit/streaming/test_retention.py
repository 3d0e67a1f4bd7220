"""How long the events of ended runs are kept."""

import pytest

from streaming.fanout import RunStreams
from tests.support.object_storage import SqliteObjectStorage


@pytest.fixture
def storage() -> SqliteObjectStorage:
    return SqliteObjectStorage()


def test_retiring_forgets_also_what_ended_just_now_and_says_whether_some_is_left(storage: SqliteObjectStorage) -> None:
    streams = RunStreams(storage, lambda: 1000)
    for number in range(250):
        streams.end(f"run {number}", "{}", "completed")
    assert streams.retire(999) is False
    assert [streams.retire(1000) for _ in range(3)] == [True, True, False]
    assert storage.execute("SELECT * FROM stream_notes") == []
