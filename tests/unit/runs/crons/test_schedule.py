"""When crons run: expressions, zones, and the hours that clocks skip or repeat."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import example, given, settings
from hypothesis import strategies as st

from errors import BadRequest, Unprocessable
from runs.crons.schedule import last_run, next_run

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


#: A zone, and a moment a day or so before its clocks change.
CHANGES = {
    "New York, forward": ("America/New_York", "2027-03-13T12:00:00+00:00"),
    "New York, back": ("America/New_York", "2026-10-31T12:00:00+00:00"),
    "Berlin, forward": ("Europe/Berlin", "2027-03-27T12:00:00+00:00"),
    "Berlin, back": ("Europe/Berlin", "2026-10-24T12:00:00+00:00"),
    "Lord Howe, half an hour forward": ("Australia/Lord_Howe", "2026-10-02T18:00:00+00:00"),
    "Lord Howe, half an hour back": ("Australia/Lord_Howe", "2027-04-02T18:00:00+00:00"),
    "Santiago, forward at midnight": ("America/Santiago", "2026-09-05T12:00:00+00:00"),
    "Santiago, back into the day before": ("America/Santiago", "2027-04-03T12:00:00+00:00"),
    "Nuuk, forward into the next day": ("America/Nuuk", "2027-03-27T12:00:00+00:00"),
    "Troll, two hours": ("Antarctica/Troll", "2027-03-27T12:00:00+00:00"),
    "Casablanca, back for Ramadan": ("Africa/Casablanca", "2027-02-06T12:00:00+00:00"),
    "Kolkata, never": ("Asia/Kolkata", "2027-03-27T12:00:00+00:00"),
}
#: How far the tests look.
TWO_DAYS = timedelta(days=2)

across_a_change = pytest.mark.parametrize(("zone", "start"), CHANGES.values(), ids=CHANGES)


def runs_between(schedule: str, zone: str, start: str, end: datetime) -> list[datetime]:
    """Every time that `next_run` gives, one after the other."""
    found: list[datetime] = []
    at = start
    while (moment := datetime.fromisoformat(at := next_run(schedule, zone, after=at))) < end:
        found.append(moment)
    return found


def minutes_between(start: datetime, end: datetime) -> list[datetime]:
    return [start + timedelta(minutes=n) for n in range(int((end - start) / timedelta(minutes=1)))]


def shown(moment: datetime, zone: str) -> datetime:
    """What clocks show."""
    return moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None)


@across_a_change
@pytest.mark.parametrize("minute", [10, 45])
@pytest.mark.parametrize("hour", [0, 1, 2, 23])
@pytest.mark.parametrize("second", ["", " 20"])
def test_a_daily_cron_runs_once_for_each_day(zone: str, start: str, minute: int, hour: int, second: str) -> None:
    begin = datetime.fromisoformat(start)
    found = runs_between(f"{minute} {hour} * * *{second}", zone, start, begin + TWO_DAYS)
    # Where the hour that is skipped is the last of its day, the next day has begun after it.
    days = [shown(moment - timedelta(hours=2), zone).date() for moment in found]
    assert len(days) == 2
    assert days == sorted(set(days))
    clocks = {shown(moment, zone) for moment in minutes_between(begin, begin + TWO_DAYS)}
    for moment in found:
        time = shown(moment, zone)
        if (time.hour, time.minute) == (hour, minute):
            assert time not in (shown(moment - timedelta(minutes=m), zone) for m in (30, 60)), "it is the second time"
        else:
            missing = time.replace(hour=hour, minute=minute)
            missing -= timedelta(days=missing > time)
            assert missing not in clocks
            assert shown(moment - timedelta(seconds=1), zone) < missing < time, "it is not the first moment after it"


@across_a_change
def test_every_quarter_of_an_hour_is_four_times_in_each_real_hour(zone: str, start: str) -> None:
    begin = datetime.fromisoformat(start)
    quarter = timedelta(minutes=15)
    expected = [begin + n * quarter for n in range(1, int(TWO_DAYS / quarter))]
    assert runs_between("*/15 * * * *", zone, start, begin + TWO_DAYS) == expected


@across_a_change
@pytest.mark.parametrize("schedule", ["0 * * * *", "30 */2 * * *", "*/20 1-3 * * *", "*/10 4 * * *", "0 */6 * * 6,0"])
def test_whatever_names_every_hour_or_minute_runs_whenever_clocks_show_it(zone: str, start: str, schedule: str) -> None:
    begin = datetime.fromisoformat(start)
    first, last = shown(begin, zone) - TWO_DAYS, shown(begin, zone) + 2 * TWO_DAYS
    named = set(takewhile(lambda time: time < last, CronSim(schedule, first)))
    expected = [moment for moment in minutes_between(begin, begin + TWO_DAYS)[1:] if shown(moment, zone) in named]
    assert runs_between(schedule, zone, start, begin + TWO_DAYS) == expected


@given(
    st.sampled_from(
        ["15 * * * *", "0 0 1 * *", "30 1 * * *", "30 2 * * *", "*/7 1-2 * * *", "*/30 2 29 3 *", "* * * * * *"]
    ),
    st.sampled_from(sorted({zone for zone, _ in CHANGES.values()})),
    st.integers(0, 730 * 24 * 60).map(lambda minutes: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)),
    st.integers(1, 200_000).map(lambda seconds: timedelta(seconds=seconds)),
)
@settings(max_examples=200, deadline=None)
@example("45 1 * * *", "America/New_York", datetime(2026, 11, 1, 6, 30, tzinfo=UTC), timedelta(days=1))
def test_times_come_one_after_the_other_wherever_one_begins(
    schedule: str, zone: str, start: datetime, distance: timedelta
) -> None:
    first = next_run(schedule, zone, after=start.isoformat())
    assert datetime.fromisoformat(first) > start
    earlier = next_run(schedule, zone, after=(start - distance).isoformat())
    assert earlier <= first
    if earlier <= start.isoformat():
        last = last_run(schedule, zone, first=earlier, until=start.isoformat())
        assert earlier <= last <= start.isoformat() < next_run(schedule, zone, after=last)


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
