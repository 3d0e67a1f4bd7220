"""W3C Trace Context: the trace of a request, its runs and everything that they cause.

A caller's own trace is kept in the run's row. A request without one begins a trace, whose id is derived from the
request's id. So every attempt of a run knows its trace. It also knows the run's own span, whose id is derived from the
run's id and from when it was started, because a run that is redriven is started again.
"""

import logging
import os
import re
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID

import ids
from trace_sampling import Sampling

logger = logging.getLogger(__name__)

TRACEPARENT: Final = "traceparent"
TRACESTATE: Final = "tracestate"

#: Version, trace, the caller's span, flags; later versions may add more after another hyphen.
_TRACEPARENT: Final = re.compile(r"(?!ff)([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.ASCII)
_SAMPLED: Final = 0b01
_KNOWN_FLAGS: Final = 0b11

#: A list of `key=value`, some of which may be empty; a longer list need not be passed on.
_STATE: Final = re.compile(r"[\x20-\x2b\x2d-\x3c\x3e-\x7e]+=[\x20-\x2b\x2d-\x3c\x3e-\x7e]+")
MAX_STATE_MEMBERS: Final = 32
MAX_STATE_CHARACTERS: Final = 512

#: The member of `tracestate` that says that the caller is a run, and which.
_RUN: Final = "superstep="

#: The key of a run's configuration that keeps its caller's trace context.
CONFIGURABLE: Final = "__trace_context__"

#: The namespace in which a request id that is not a UUID becomes a trace id.
_REQUESTS: Final = "6f1d2c0e-3a52-5c0b-9d5f-0d3f4c6a7b81"

#: The headers of requests made in this context.
_outgoing: Final = ContextVar[Mapping[str, str]]("trace_context", default=MappingProxyType({}))


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceContext:
    """A place in a trace: below the span `parent_id`, or at the top if that is None."""

    trace_id: str
    parent_id: str | None = None
    flags: int = _SAMPLED
    #: The `tracestate`, with data of other vendors.
    state: str = ""

    @property
    def is_sampled(self) -> bool:
        """Whether the beginner of the trace wants it recorded."""
        return bool(self.flags & _SAMPLED)

    @property
    def is_below_run(self) -> bool:
        """Whether the parent is the span of another run."""
        return self.state.split(",")[0].strip() == f"{_RUN}{self.parent_id}"

    def headers(self, span_id: str) -> dict[str, str]:
        """The headers of a request that is made in this span of the trace."""
        state = {TRACESTATE: self.state} if self.state else {}
        return {TRACEPARENT: f"00-{self.trace_id}-{span_id}-{self.flags:02x}", **state}


def of(headers: Mapping[str, str], request_id: str) -> TraceContext:
    """The place that a caller's headers name, or the top of the request's own trace."""
    place = received(headers)
    caller_records = place and place.is_sampled
    place = place or TraceContext(trace_id=UUID(ids.canonical(request_id) or ids.derived(_REQUESTS, request_id)).hex)
    is_sampled = sampling().records(place.trace_id, caller_records=caller_records)
    return replace(place, flags=place.flags | _SAMPLED if is_sampled else place.flags & ~_SAMPLED)


@lru_cache(maxsize=1)
def sampling() -> Sampling:
    """Which traces are recorded; read at the first request, when a Worker has its variables."""
    try:
        return Sampling.from_environment(os.environ)
    except ValueError as error:
        logger.error("all traces are recorded: %s", error, extra={"event": "traces_misconfigured"})
        return Sampling()


def received(headers: Mapping[str, str]) -> TraceContext | None:
    """The place that a caller's headers name; None if they name none, or are invalid."""
    found = _TRACEPARENT.fullmatch(headers.get(TRACEPARENT, "").strip())
    if not found or (found[1] == "00" and found[5]) or not int(found[2], 16) or not int(found[3], 16):
        return None
    members = [member for member in headers.get(TRACESTATE, "").strip().split(",") if member.strip()]
    state = ",".join(members)
    is_valid = len(members) <= MAX_STATE_MEMBERS and all(map(_STATE.fullmatch, members))
    return TraceContext(
        trace_id=found[2],
        parent_id=found[3],
        flags=int(found[4], 16) & _KNOWN_FLAGS,
        state=state if is_valid and len(state) <= MAX_STATE_CHARACTERS else "",
    )


def of_run(run_id: str, configurable: Mapping[str, Any]) -> TraceContext:
    """The trace of a run, from the `configurable` of its row."""
    return of(configurable.get(CONFIGURABLE) or {}, configurable.get("langgraph_request_id") or run_id)


def span_of(run_id: str, started_at: str | None) -> str:
    """The id of a run's span since it was last started; None for a run that was not."""
    return UUID(ids.derived(run_id, started_at or "")).hex[16:]


@contextmanager
def within(context: TraceContext, span_id: str) -> Generator[None]:
    """Requests made in the block belong to the span of a run."""
    others = [member for member in context.state.split(",") if member and not member.strip().startswith(_RUN)]
    members = [f"{_RUN}{span_id}", *others][:MAX_STATE_MEMBERS]
    while len(state := ",".join(members)) > MAX_STATE_CHARACTERS:
        members.pop()
    token = _outgoing.set(replace(context, state=state).headers(span_id))
    try:
        yield
    finally:
        _outgoing.reset(token)


def outgoing() -> Mapping[str, str]:
    """The headers for a request made now; none outside of a trace."""
    return _outgoing.get()
