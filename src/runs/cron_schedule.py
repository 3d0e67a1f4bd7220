"""When a cron runs next: cron expressions, time zones, and the hours that clocks skip or repeat.

Five fields, or six with the seconds last, or an alias such as `@daily`. With five fields, what falls into a skipped
hour runs right after it and what falls into a repeated one runs once, unless it runs every hour or minute anyway: as
Debian's cron has it.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
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


def next_run(schedule: str, timezone: str | None, *, after: str) -> str:
    """The first time beyond `after` at which a schedule runs; both in UTC.

    Raises Unprocessable for what is no schedule or no time zone, BadRequest for a day that never comes.
    """
    from cronsim import CronSim, CronSimError  # noqa: PLC0415 - few invocations are about crons

    start = datetime.fromisoformat(after).astimezone(_zone(timezone))
    if len(schedule) > MAX_SCHEDULE_CHARS:
        raise _invalid(schedule[:MAX_SCHEDULE_CHARS], f"It is longer than {MAX_SCHEDULE_CHARS} characters")
    fields = _ALIASES.get(schedule.strip().lower(), schedule).split()
    if len(fields) == 6:
        fields = [fields[5], *fields[:5]]  # cronsim has the seconds first
    try:
        return next(CronSim(" ".join(fields), start)).astimezone(UTC).isoformat()
    except StopIteration:
        raise BadRequest(_NEVER.format(schedule=schedule)) from None
    except CronSimError as error:
        if _comes_in_other_months(fields, start):
            raise BadRequest(_NEVER.format(schedule=schedule)) from None
        raise _invalid(schedule, str(error)) from None


def _zone(name: str | None) -> tzinfo:
    if name is None:
        return UTC
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError):
        raise Unprocessable(
            f"Invalid timezone: {name[:100]!r}. Use IANA timezone format (e.g. 'America/New_York')."
        ) from None


def _comes_in_other_months(fields: list[str], start: datetime) -> bool:
    """Whether nothing is wrong with an expression but that its months have no such day."""
    from cronsim import CronSim, CronSimError  # noqa: PLC0415 - see `next_run`

    try:
        CronSim(" ".join([*fields[:-2], "*", fields[-1]]), start)
    except (CronSimError, IndexError):
        return False
    return True


def _invalid(schedule: str, reason: str) -> Unprocessable:
    return Unprocessable(
        f"Invalid cron schedule: {schedule!r}. Reason: {reason}. Give five fields (minute hour day_of_month month "
        "day_of_week), if need be a sixth for seconds, or an alias. Example: '*/5 * * * *' for every 5 minutes."
    )


_NEVER: Final = "failed to find next date: the schedule '{schedule}' names a day that never comes"
