"""Any client decodes from frames what was encoded into them."""

import json
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from langgraph_sdk.sse import BytesLineDecoder, SSEDecoder

from compact_json import compact_json
from streaming import sse
from streaming.events import EventId

names = st.sampled_from(["values", "updates|child:1", "messages/partial", "custom"])
data = st.recursive(
    st.none() | st.integers(-(2**53), 2**53) | st.text(alphabet=st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(alphabet="ab\r\n", max_size=3), inner),
    max_leaves=8,
)
event_ids = st.builds(EventId, st.integers(0, 10**15 - 1), st.integers(0, 10**9 - 1))
events = st.lists(st.tuples(names, data, event_ids), min_size=1, max_size=5)


def texts(written: list[tuple[str, object, EventId]]) -> str:
    """The stream of these events."""
    return "".join(sse.frame(event_id, "run", name, compact_json(value)).text for name, value, event_id in written)


@given(events)
def test_the_sdks_decoder_reads_what_was_written(written: list[tuple[str, object, EventId]]) -> None:
    lines, decoder = BytesLineDecoder(), SSEDecoder()
    parts = [decoder.decode(line) for line in [*lines.decode(texts(written).encode()), *lines.flush()]]
    assert [(part.event, part.data, part.id) for part in parts if part] == [
        (name, json.loads(json.dumps(value)), str(event_id)) for name, value, event_id in written
    ]


@given(events, st.lists(st.integers(0, 400), max_size=8))
async def test_frames_are_read_however_the_stream_was_cut(
    written: list[tuple[str, object, EventId]], cuts: list[int]
) -> None:
    text = texts(written)
    bounds = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]

    async def pieces():
        for start, end in pairwise(bounds):
            yield text[start:end]

    assert [event async for event in sse.read(pieces())] == [(name, compact_json(value)) for name, value, _ in written]


@given(event_ids)
def test_an_id_names_its_position(event_id: EventId) -> None:
    assert sse.parse_last_event_id(f" {event_id} ") == event_id


@given(st.text())
def test_any_header_is_a_position_or_none(header: str) -> None:
    position = sse.parse_last_event_id(header)
    assert position is None or isinstance(position, EventId)
