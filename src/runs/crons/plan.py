"""What happens to a cron's next time: it runs, or it was missed and is skipped."""

import logging
from dataclasses import dataclass
from typing import Final

import clock
from errors import SuperstepError
from runs.crons.schedule import last_run, next_run
from tables.crons import Cron, OnMissed

logger = logging.getLogger(__name__)

#: A time is missed if nothing ticked for this long after it; a lost or late tick is no outage.
LATE_SECONDS: Final = 120
#: How far back `all` reaches.
CATCH_UP_SECONDS: Final = 7 * 24 * 3600

#: How old a time may be and still run in any case.
_WINDOW_SECONDS: Final[dict[OnMissed, int]] = {"skip": LATE_SECONDS, "latest": LATE_SECONDS, "all": CATCH_UP_SECONDS}

#: The next time of a cron whose schedule can no longer be parsed.
NEVER: Final = "9999-12-31T00:00:00+00:00"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One step of a cron."""

    #: The last of the skipped times, which begin with the cron's next one; None if that runs.
    missed_until: str | None
    #: The time after those that this step handles.
    next_run_date: str


def plan(cron: Cron, *, now: str, before: str) -> Plan:
    """The next step of a cron that is due; times before `before` are due now."""
    try:
        missed_until = _missed_until(cron, now=now, before=before)
        handled = missed_until or cron.next_run_date
        return Plan(missed_until=missed_until, next_run_date=next_run(cron.schedule, cron.timezone, after=handled))
    except SuperstepError:
        said = "the cron does not run any more: its schedule has no next time; give it another one, or delete it"
        logger.exception(said, extra={"event": "cron_ended"})
        return Plan(missed_until=None, next_run_date=NEVER)


def _missed_until(cron: Cron, *, now: str, before: str) -> str | None:
    first, limit = cron.next_run_date, clock.shifted(now, -_WINDOW_SECONDS[cron.on_missed])
    if first >= limit:
        return None
    last = last_run(cron.schedule, cron.timezone, first=first, until=min(limit, cron.end_time or limit))
    if cron.on_missed != "latest" or cron.is_due(next_run(cron.schedule, cron.timezone, after=last), before=before):
        return last
    # The last one runs in place of the others.
    return last_run(cron.schedule, cron.timezone, first=first, until=clock.shifted(last, -1)) if first < last else None
