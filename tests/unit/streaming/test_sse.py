"""Server-sent events on the wire."""

import pytest

from streaming import sse
from streaming.events import START, EventId


def test_a_frame_has_event_data_id_and_crlf() -> None:
    framed = sse.frame(EventId(12, 3), "run", "values", '{"a":1}')
    assert framed.text == 'event: values\r\ndata: {"a":1}\r\nid: 12-3\r\n\r\n'
    assert sse.data_of(framed) == '{"a":1}'
    assert sse.split(framed.text * 2, "run") == [framed, framed]


@pytest.mark.parametrize("header", ["-1", "-", "0", " 0 "])
def test_some_ids_mean_from_the_start(header: str) -> None:
    assert sse.parse_last_event_id(header) == START


@pytest.mark.parametrize("header", ["", "x", "1", "1-", "-1-0", "1-2-3", "9" * 20 + "-0", "\u0661-0"])
def test_garbage_is_no_position(header: str) -> None:
    assert sse.parse_last_event_id(header) is None


def test_an_id_is_read_back() -> None:
    assert sse.parse_last_event_id("1795233874301-17") == EventId(1795233874301, 17)


@pytest.mark.parametrize(
    ("name", "modes", "wanted"),
    [
        ("values", [], True),
        ("values", ["values"], True),
        ("values|child:1", ["values"], True),
        ("updates", ["values"], False),
        ("metadata", ["values"], False),
        ("error", ["values"], True),
        ("messages/partial", ["messages"], True),
        ("messages", ["messages-tuple"], True),
        ("messages|child:1", ["messages-tuple", "values"], True),
    ],
)
def test_a_filter_compares_modes(name: str, modes: list[str], wanted: bool) -> None:
    assert sse.is_wanted(name, modes) is wanted
