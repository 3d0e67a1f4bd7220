"""W3C Trace Context: what is accepted, and what is passed on."""

from dataclasses import replace

import pytest

import trace_context
from trace_context import TraceContext

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
REQUEST = "0190b2c4-1111-4222-8333-444455556666"


@pytest.mark.parametrize(
    ("traceparent", "flags"),
    [
        (f"00-{TRACE}-{SPAN}-01", 1),
        (f"00-{TRACE}-{SPAN}-00", 0),
        (f"00-{TRACE}-{SPAN}-03", 3),
        (f"00-{TRACE}-{SPAN}-ff", 3),  # flags that are not known yet are dropped
        (f" 00-{TRACE}-{SPAN}-01\t", 1),
        (f"01-{TRACE}-{SPAN}-01", 1),
        (f"cc-{TRACE}-{SPAN}-01-what-the-future-will-be-like", 1),
    ],
)
def test_a_callers_trace_is_understood(traceparent: str, flags: int) -> None:
    found = trace_context.received({"traceparent": traceparent})
    assert found == TraceContext(trace_id=TRACE, parent_id=SPAN, flags=flags)
    assert found.is_sampled is bool(flags & 1)


@pytest.mark.parametrize(
    "traceparent",
    [
        "",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01-more",
        f"cc-{TRACE}-{SPAN}-01.more",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE[1:]}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-1",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE}-{SPAN}-\u0660\u0661",
        f"00-{TRACE}-{SPAN}-01, 00-{TRACE}-{SPAN}-01",
    ],
)
def test_what_cannot_be_understood_begins_a_trace(traceparent: str) -> None:
    headers = {"traceparent": traceparent, "tracestate": "a=1"}
    assert trace_context.received(headers) is None
    assert trace_context.of(headers, REQUEST) == TraceContext(trace_id=REQUEST.replace("-", ""))


@pytest.mark.parametrize(
    ("state", "kept"),
    [
        ("rojo=00f067aa0ba902b7,congo=t61rcWkgMzE", "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"),
        ("a=1, b=2", "a=1, b=2"),
        ("", ""),
        ("nonsense", ""),
        ("a=ü", ""),
        ("a=1,,b", ""),
        ("a=1,, ,b=2,", "a=1,b=2"),
        (",".join(f"k{n}=1" for n in range(33)), ""),
        ("a=" + "x" * 600, ""),
    ],
)
def test_a_state_that_is_wrong_does_not_spoil_the_trace(state: str, kept: str) -> None:
    found = trace_context.received({"traceparent": f"00-{TRACE}-{SPAN}-01", "tracestate": state})
    assert found
    assert (found.trace_id, found.state) == (TRACE, kept)
    assert found.headers("1" * 16) == {
        "traceparent": f"00-{TRACE}-{'1' * 16}-01",
        **({"tracestate": kept} if kept else {}),
    }


def test_the_trace_of_a_request_comes_out_of_its_id() -> None:
    odd = trace_context.of({}, "my-request")
    assert odd == trace_context.of({}, "my-request") != trace_context.of({}, "another")
    assert len(odd.trace_id) == 32
    assert (odd.parent_id, odd.is_sampled) == (None, True)


def test_requests_are_made_in_the_name_of_a_span() -> None:
    assert trace_context.outgoing() == {}
    with trace_context.within(TraceContext(trace_id=TRACE), SPAN):
        sent = trace_context.outgoing()
    assert sent == {"traceparent": f"00-{TRACE}-{SPAN}-01", "tracestate": f"superstep={SPAN}"}
    assert trace_context.outgoing() == {}


def test_a_request_says_which_run_makes_it_and_keeps_what_others_say() -> None:
    others = ",".join(f"k{number}=1" for number in range(31))
    with trace_context.within(TraceContext(trace_id=TRACE, state=f"{others}, superstep=1"), SPAN):
        below = trace_context.of(trace_context.outgoing(), REQUEST)
    assert below == TraceContext(trace_id=TRACE, parent_id=SPAN, state=f"superstep={SPAN},{others}")
    assert below.is_below_run
    with trace_context.within(replace(below, state=f"{others},k31=1"), SPAN):
        assert trace_context.of(trace_context.outgoing(), REQUEST) == below


def test_the_oldest_members_of_a_full_state_make_room() -> None:
    others = [f"vendor{number}={'v' * 53}" for number in range(8)]
    with trace_context.within(TraceContext(trace_id=TRACE, state=",".join(others)), SPAN):
        below = trace_context.received(trace_context.outgoing())
    assert below == TraceContext(trace_id=TRACE, parent_id=SPAN, state=",".join([f"superstep={SPAN}", *others[:-1]]))


@pytest.mark.parametrize("state", ["", f"a=1,superstep={SPAN}", "superstep=1"])
def test_a_caller_in_between_is_not_a_run(state: str) -> None:
    assert not TraceContext(trace_id=TRACE, parent_id=SPAN, state=state).is_below_run
