"""OpenTelemetry's variables for which traces are recorded."""

import pytest

import ids
import trace_context
from trace_sampling import Sampling

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def sampled(sampler: str | None, argument: str | None = None, *, caller_records: bool | None = None) -> float:
    """The share of traces of requests that is recorded."""
    given = {"OTEL_TRACES_SAMPLER": sampler, "OTEL_TRACES_SAMPLER_ARG": argument}
    sampling = Sampling.from_environment({name: text for name, text in given.items() if text is not None})
    traces = [make().replace("-", "") for make in (ids.random_id, ids.time_ordered) for _ in range(500)]
    return sum(sampling.records(trace, caller_records=caller_records) for trace in traces) / len(traces)


@pytest.mark.parametrize("name", [None, "", "always_on", "parentbased_always_on", "traceidratio"])
def test_every_trace_is_recorded_unless_somebody_says_otherwise(name: str | None) -> None:
    assert sampled(name) == 1


@pytest.mark.parametrize("name", ["always_off", "parentbased_always_off"])
def test_none_is(name: str) -> None:
    assert sampled(name) == 0


@pytest.mark.parametrize("name", ["traceidratio", "parentbased_traceidratio"])
@pytest.mark.parametrize("ratio", [0, 0.1, 0.5, 0.9, 1])
def test_a_share_is(name: str, ratio: float) -> None:
    assert sampled(name, str(ratio)) == pytest.approx(ratio, abs=0.08)


@pytest.mark.parametrize("caller_records", [True, False])
def test_callers_decide_about_their_own_where_the_sampler_heeds_them(caller_records: bool) -> None:
    for name in ("always_on", "always_off", "traceidratio"):
        assert sampled(f"parentbased_{name}", "0.5", caller_records=caller_records) == caller_records
    assert sampled("always_on", caller_records=False) == 1
    assert sampled("always_off", caller_records=True) == 0


@pytest.mark.parametrize(
    ("sampler", "argument", "named"),
    [("jaeger_remote", None, "OTEL_TRACES_SAMPLER must be one of always_on, ")]
    + [("traceidratio", text, "OTEL_TRACES_SAMPLER_ARG") for text in ("half", "1.1", "-0.1", "nan", "inf")],
)
def test_what_is_wrong_is_named(sampler: str, argument: str | None, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        sampled(sampler, argument)


@pytest.mark.parametrize(("sampler", "flags"), [("always_off", 0b10), ("always_on", 0b11), ("nonsense", 0b11)])
def test_whoever_is_called_hears_what_was_decided(sampler: str, flags: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", sampler)
    trace_context.sampling.cache_clear()
    try:
        for headers in ({"traceparent": f"00-{TRACE}-{SPAN}-03"}, {}):
            place = trace_context.of(headers, TRACE)
            assert place.flags == (flags if headers else flags & 1)
            assert place.headers(SPAN)["traceparent"].endswith(f"-{place.flags:02x}")
    finally:
        monkeypatch.undo()
        trace_context.sampling.cache_clear()
