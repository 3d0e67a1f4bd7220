"""Times as text."""

import clock


def test_stored_times_sort_in_time_order_and_shift() -> None:
    now = "2026-11-21T03:44:38.627217+00:00"
    later, earlier = clock.shifted(now, 0.5), clock.shifted(now, -60)
    assert (earlier, later) == ("2026-11-21T03:43:38.627217+00:00", "2026-11-21T03:44:39.127217+00:00")
    assert earlier < now < later


def test_a_time_without_fraction_is_as_long_as_any_other() -> None:
    assert clock.shifted("2026-11-21T03:44:38.500000+00:00", 0.5) == "2026-11-21T03:44:39.000000+00:00"


def test_epoch_milliseconds_never_come_before_the_stored_time() -> None:
    assert clock.epoch_ms("1970-01-01T00:00:00.000001+00:00") == 1
