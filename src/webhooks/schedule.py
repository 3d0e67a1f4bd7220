"""When a webhook that was not accepted is sent again: after ever longer waits, for a day."""

from collections.abc import Sequence
from email.utils import parsedate_to_datetime
from typing import Final

import clock

#: How long a webhook is tried before it is given up.
TRIED_SECONDS: Final = 24 * 3600

#: The wait after each attempt, in seconds; the last one repeats.
_WAITS: Final[Sequence[int]] = (5, 30, 120, 600, 1800, 3600, 7200, 14400, 28800)

#: Each wait is longer by up to this fraction, so that receivers which fail together are not called together again.
JITTER: Final = 0.2

#: The longest `Retry-After` that is honoured, so that enough attempts are left.
MAX_RETRY_AFTER_SECONDS: Final = 4 * 3600

#: The statuses whose `Retry-After` is honoured.
_ASK_FOR_TIME: Final = (429, 503)


def next_attempt(
    attempts: int, *, since: str, now: str, chance: float, status: int | None = None, retry_after: str | None = None
) -> str | None:
    """When to send a webhook again after so many attempts since `since`; None when its day is over.

    The last attempt is made when the day ends. `chance`, from 0 to 1, spreads the attempts of many webhooks.
    """
    end = clock.shifted(since, TRIED_SECONDS)
    if now >= end:
        return None
    seconds = _WAITS[min(attempts, len(_WAITS)) - 1] * (1 + JITTER * chance)
    if status in _ASK_FOR_TIME and retry_after:
        seconds = max(seconds, min(_asked_seconds(retry_after, now), MAX_RETRY_AFTER_SECONDS))
    return min(clock.shifted(now, seconds), end)


def _asked_seconds(retry_after: str, now: str) -> float:
    """The seconds of a `Retry-After`, which is a number or an HTTP date; 0 if it is neither."""
    if retry_after.isascii() and retry_after.isdigit():
        return float(retry_after[:9])
    try:
        return (parsedate_to_datetime(retry_after).timestamp() * 1000 - clock.epoch_ms(now)) / 1000
    except (ValueError, OverflowError):
        return 0
