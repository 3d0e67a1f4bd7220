"""When crons run: expressions, zones, and the hours that clocks skip or repeat."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from errors import BadRequest, Unprocessable
from runs.cron_schedule import next_run

NOW = "2026-11-21T04:05:37.411997+00:00"


@pytest.mark.parametrize(
    ("schedule", "timezone", "expected"),
    [
        ("* * * * *", None, "2026-11-21T04:06:00+00:00"),
        ("*/5 9-17 * * 1-5", "America/New_York", "2026-11-23T14:00:00+00:00"),
        ("*/5 9-17 * * mon-fri", "America/New_York", "2026-11-23T14:00:00+00:00"),
        ("0 0 * * *", "America/New_York", "2026-11-21T05:00:00+00:00"),
        ("0 0 * * *", "UTC", "2026-11-22T00:00:00+00:00"),
        ("0 0 1 1 *", None, "2027-01-01T00:00:00+00:00"),
        ("* * * * * *", None, "2026-11-21T04:05:38+00:00"),
        ("*/10 * * * * *", None, "2026-11-21T04:10:00+00:00"),
        ("* * * * * */15", None, "2026-11-21T04:05:45+00:00"),
        ("@hourly", None, "2026-11-21T05:00:00+00:00"),
        ("@daily", None, "2026-11-22T00:00:00+00:00"),
        ("@weekly", "Asia/Tokyo", "2026-11-21T15:00:00+00:00"),
        ("@yearly", None, "2027-01-01T00:00:00+00:00"),
        ("0 0 29 2 *", None, "2028-02-29T00:00:00+00:00"),
        ("0 0 L * *", None, "2026-11-30T00:00:00+00:00"),
        ("0 0 * * 5#2", None, "2026-12-11T00:00:00+00:00"),
    ],
)
def test_the_next_run(schedule: str, timezone: str | None, expected: str) -> None:
    assert next_run(schedule, timezone, after=NOW) == expected


@pytest.mark.parametrize(
    ("schedule", "after", "expected"),
    [
        # On 2027-03-14 New York goes from 2:00 EST (7:00 UTC) to 3:00 EDT.
        ("30 2 * * *", "2027-03-14T05:00:00+00:00", "2027-03-14T07:00:00+00:00"),
        ("30 2 * * *", "2027-03-14T07:00:00+00:00", "2027-03-15T06:30:00+00:00"),
        ("30 * * * *", "2027-03-14T06:30:00+00:00", "2027-03-14T07:30:00+00:00"),
        # On 2026-11-01 it went from 2:00 EDT (6:00 UTC) back to 1:00 EST.
        ("30 1 * * *", "2026-11-01T04:00:00+00:00", "2026-11-01T05:30:00+00:00"),
        ("30 1 * * *", "2026-11-01T05:30:00+00:00", "2026-11-02T06:30:00+00:00"),
        ("30 * * * *", "2026-11-01T05:30:00+00:00", "2026-11-01T06:30:00+00:00"),
    ],
)
def test_skipped_and_repeated_hours(schedule: str, after: str, expected: str) -> None:
    assert next_run(schedule, "America/New_York", after=after) == expected


@given(
    st.sampled_from(["America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Africa/Casablanca"]),
    st.integers(0, 23),
    st.integers(0, 59),
    st.integers(0, 730 * 24 * 60).map(lambda minutes: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)),
)
@settings(max_examples=200, deadline=None)
@example("Australia/Lord_Howe", 2, 15, datetime(2026, 10, 3, 12, tzinfo=UTC))
def test_a_daily_cron_runs_on_every_day_of_its_zone_once(zone: str, hour: int, minute: int, start: datetime) -> None:
    at, days = start.isoformat(), []
    for _ in range(4):
        at = next_run(f"{minute} {hour} * * *", zone, after=at)
        local = datetime.fromisoformat(at).astimezone(ZoneInfo(zone))
        days.append(local.date())
        is_skipped = local.replace(hour=hour, minute=minute, fold=0).astimezone(UTC).astimezone(ZoneInfo(zone)) != (
            local.replace(hour=hour, minute=minute, fold=0)
        )
        assert is_skipped or (local.hour, local.minute) == (hour, minute)
    assert days == [days[0] + timedelta(days=n) for n in range(4)]


FIELD = st.one_of(
    st.just("*"),
    st.integers(0, 59).map(str),
    st.tuples(st.integers(0, 23), st.integers(0, 59)).map(lambda ends: f"{ends[0]}-{ends[1]}"),
    st.integers(1, 30).map(lambda step: f"*/{step}"),
)


@given(st.lists(FIELD, min_size=5, max_size=6).map(" ".join), st.sampled_from([None, "Europe/Berlin"]))
@settings(max_examples=200, deadline=None)
def test_runs_come_one_after_the_other(schedule: str, timezone: str | None) -> None:
    try:
        first = next_run(schedule, timezone, after=NOW)
    except (Unprocessable, BadRequest):
        return
    assert NOW < first < next_run(schedule, timezone, after=first)


@given(st.one_of(st.text(max_size=30), st.text("0123456789*/,-LW#@ MONJAN", max_size=30)))
@settings(max_examples=500, deadline=None)
@example("9" * 150 + " * * * *")
@example("* * * * 1#2/2")
@example("* * L/2 * L")
def test_any_text_is_a_schedule_or_is_refused(schedule: str) -> None:
    with suppress(Unprocessable, BadRequest):
        assert next_run(schedule, None, after=NOW) > NOW


@pytest.mark.parametrize(
    "schedule", ["bad", "* * * *", "@every 5s", "60 * * * *", "", "* * * * * * *", "0 0 0 * *", "x" * 1000]
)
def test_what_is_no_schedule_is_refused_with_an_example(schedule: str) -> None:
    with pytest.raises(Unprocessable, match=r"Invalid cron schedule: .* Reason: .*Example: '\*/5 \* \* \* \*'"):
        next_run(schedule, None, after=NOW)


@pytest.mark.parametrize("schedule", ["0 0 31 2 *", "0 0 30 2 *", "* * */20 * 1L"])
def test_a_day_that_never_comes_is_refused(schedule: str) -> None:
    with pytest.raises(BadRequest, match="failed to find next date"):
        next_run(schedule, None, after=NOW)


@pytest.mark.parametrize("name", ["Mars/Phobos", "", "America", "../etc/passwd", "/etc/passwd", "a" * 300, "UTC\0"])
def test_what_is_no_time_zone_is_refused(name: str) -> None:
    with pytest.raises(Unprocessable, match="Invalid timezone"):
        next_run("* * * * *", name, after=NOW)
