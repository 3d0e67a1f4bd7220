"""A webhook is tried for a day: often at first, then less and less."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

import clock
from webhooks.schedule import JITTER, MAX_RETRY_AFTER_SECONDS, TRIED_SECONDS, next_attempt

SINCE = "2026-11-21T04:00:00.000000+00:00"


def wait(attempts: int, *, passed: float = 0, chance: float = 0, **answer: int | str | None) -> float | None:
    """In how many seconds the next attempt is."""
    now = clock.shifted(SINCE, passed)
    at = next_attempt(attempts, since=SINCE, now=now, chance=chance, **answer)  # type: ignore[arg-type]
    return at and (clock.epoch_ms(at) - clock.epoch_ms(now)) / 1000


def test_ever_later_until_the_day_is_over() -> None:
    passed, waits = 0.0, list[float]()
    while (seconds := wait(len(waits) + 1, passed=passed)) is not None:
        waits.append(seconds)
        passed += seconds
    hour = 3600
    assert waits[:9] == [5, 30, 120, 600, hour / 2, hour, 2 * hour, 4 * hour, 8 * hour]
    assert passed == TRIED_SECONDS


@given(st.integers(1, 200), st.integers(0, TRIED_SECONDS - 1), st.floats(0, 1))
def test_there_is_a_last_attempt_when_the_day_ends(attempts: int, passed: float, chance: float) -> None:
    seconds = wait(attempts, passed=passed, chance=chance)
    assert seconds is not None
    assert 0 <= seconds <= TRIED_SECONDS - passed + 0.002
    assert wait(attempts, passed=TRIED_SECONDS, chance=chance) is None


def test_receivers_that_fail_together_are_not_asked_together() -> None:
    assert [wait(1, chance=chance) for chance in (0, 0.5, 1)] == pytest.approx([5, 5.5, 6])
    assert wait(3, chance=1) == pytest.approx(120 * (1 + JITTER))


@pytest.mark.parametrize(
    ("status", "retry_after", "seconds"),
    [
        (429, "90", 90),
        (503, "90", 90),
        (500, "90", 5),
        (None, None, 5),
        (429, "1", 5),
        (429, "0", 5),
        (429, "-5", 5),
        (429, "", 5),
        (429, "soon", 5),
        (429, "9" * 50, MAX_RETRY_AFTER_SECONDS),
        (429, "Sat, 21 Nov 2026 04:02:00 GMT", 120),
        (429, "Sat, 21 Nov 2026 03:02:00 GMT", 5),
        (429, "Fri, 31 Dec 9999 23:59:59 GMT", MAX_RETRY_AFTER_SECONDS),
        (429, "Sat, 99 Nov 2026 04:02:00 GMT", 5),
    ],
)
def test_a_receiver_may_ask_for_time(status: int | None, retry_after: str | None, seconds: int) -> None:
    assert wait(1, status=status, retry_after=retry_after) == seconds


def test_the_day_holds_whatever_is_asked() -> None:
    passed = timedelta(hours=23).total_seconds()
    assert wait(5, passed=passed, status=429, retry_after="7200") == 3600
