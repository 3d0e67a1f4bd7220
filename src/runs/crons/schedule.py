"""When a cron runs: cron expressions, time zones, and the hours that clocks skip or repeat.

A schedule has five fields, or six with the seconds last, or is an alias such as `@daily`. Where clocks change, the rule
is that of Debian's cron. A schedule of fixed times (neither its minute nor its hour begins with `*`) runs once for each
of them: a time in a skipped hour right after that hour, a time in a repeated hour the first time. Any other schedule
runs whenever clocks show a time that it names.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

from errors import BadRequest, Unprocessable

MAX_SCHEDULE_CHARS: Final = 200

_ALIASES: Final[Mapping[str, str]] = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}

_SECOND: Final = timedelta(seconds=1)
#: Clocks change at most once in this time.
_DAY: Final = timedelta(days=1)


def next_run(schedule: str, timezone: str | None, *, after: str) -> str:
    """The first time after `after` at which a schedule runs; both in UTC.

    The times of a schedule do not depend on `after`: a time that is skipped over was never one of them. Raises
    Unprocessable for an invalid schedule or time zone, BadRequest for a day that never comes.
    """
    return _next(schedule, timezone, datetime.fromisoformat(after).astimezone(UTC)).isoformat()


def last_run(schedule: str, timezone: str | None, *, first: str, until: str) -> str:
    """The last time up to `until` at which a schedule runs; `first` is one of its times and not after `until`."""
    last, limit = datetime.fromisoformat(first), datetime.fromisoformat(until)
    end = limit
    while limit - last >= _SECOND:
        middle = last + (limit - last) / 2
        found = _next(schedule, timezone, middle)
        last, limit = (found, limit) if found <= end else (last, middle)
    return last.isoformat()


def _next(schedule: str, timezone: str | None, after: datetime) -> datetime:
    from cronsim import CronSimError  # noqa: PLC0415 - few invocations are about crons

    zone = _zone(timezone)
    if len(schedule) > MAX_SCHEDULE_CHARS:
        raise _invalid(schedule[:MAX_SCHEDULE_CHARS], f"It is longer than {MAX_SCHEDULE_CHARS} characters")
    fields = _ALIASES.get(schedule.strip().lower(), schedule).split()
    if len(fields) == 5:
        fields.append("0")
    expression = " ".join([*fields[5:], *fields[:5]])  # cronsim has the seconds first
    start = after.replace(microsecond=0)
    names_fixed_times = not any(field.startswith("*") for field in fields[:2])
    try:
        return (_next_fixed if names_fixed_times else _next_shown)(expression, zone, start)
    except StopIteration:
        raise BadRequest(_NEVER.format(schedule=schedule)) from None
    except CronSimError as error:
        if _comes_in_other_months(expression, start):
            raise BadRequest(_NEVER.format(schedule=schedule)) from None
        raise _invalid(schedule, str(error)) from None


def _next_fixed(expression: str, zone: tzinfo, start: datetime) -> datetime:
    """The first moment after `start` of a schedule whose times each count once."""
    times = _times(expression, start.astimezone(zone).replace(tzinfo=None))
    while (moment := _first_moment(next(times), zone)) <= start:
        pass
    return moment


def _first_moment(time: datetime, zone: tzinfo) -> datetime:
    """When clocks first show a time; the end of the skipped hour if they never do."""
    moment = time.replace(tzinfo=zone).astimezone(UTC)
    if moment.astimezone(zone).replace(tzinfo=None) == time:
        return moment
    before_the_change = time.replace(tzinfo=zone, fold=1).astimezone(UTC)
    return _stretch(before_the_change, zone)[1]


def _next_shown(expression: str, zone: tzinfo, start: datetime) -> datetime:
    """The first moment after `start` at which clocks show a time of the schedule."""
    begin = start + _SECOND
    while True:
        offset, end = _stretch(begin, zone)
        moment = next(_times(expression, (begin + offset - _SECOND).replace(tzinfo=None))).replace(tzinfo=UTC) - offset
        if moment < end:
            return moment
        # A schedule with months need not be searched day by day; on a day of change a time might come twice.
        begin = max(end, moment - _DAY) if end - begin == _DAY else end


def _stretch(begin: datetime, zone: tzinfo) -> tuple[timedelta, datetime]:
    """The offset of clocks from UTC from a moment on, and until when it holds: at most a day later."""

    def offset(seconds: int) -> timedelta:
        return (begin + timedelta(seconds=seconds)).astimezone(zone).utcoffset() or timedelta()

    here, same, other = offset(0), 0, int(_DAY.total_seconds())
    if offset(other) == here:
        return here, begin + _DAY
    while other - same > 1:
        middle = (same + other) // 2
        same, other = (middle, other) if offset(middle) == here else (same, middle)
    return here, begin + timedelta(seconds=other)


def _times(expression: str, after: datetime) -> Iterator[datetime]:
    """The times after `after` that an expression names, for a clock that never changes."""
    from cronsim import CronSim  # noqa: PLC0415 - see `_next`

    return CronSim(expression, after)


def _zone(name: str | None) -> tzinfo:
    if name is None:
        return UTC
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError):
        raise Unprocessable(
            f"Invalid timezone: {name[:100]!r}. Use IANA timezone format (e.g. 'America/New_York')."
        ) from None


def _comes_in_other_months(expression: str, start: datetime) -> bool:
    """Whether an expression is valid, but its months have no such day."""
    from cronsim import CronSimError  # noqa: PLC0415 - see `_next`

    try:
        _times(" ".join("*" if place == 4 else field for place, field in enumerate(expression.split())), start)
    except CronSimError:
        return False
    return True


def _invalid(schedule: str, reason: str) -> Unprocessable:
    return Unprocessable(
        f"Invalid cron schedule: {schedule!r}. Reason: {reason}. Give five fields (minute hour day_of_month month "
        "day_of_week), if need be a sixth for seconds, or an alias. Example: '*/5 * * * *' for every 5 minutes."
    )


_NEVER: Final = "failed to find next date: the schedule '{schedule}' names a day that never comes"
