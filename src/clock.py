"""The wall clock, in the two forms that Superstep stores and sends."""

import math
import random
import time
from datetime import UTC, datetime, timedelta


def now_iso() -> str:
    """Now as stored and sent: `2026-11-21T03:44:38.627217+00:00`; such texts sort in time order."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def moment() -> str:
    """Now, with random microseconds, which distinguish this caller's writes from all others of the same millisecond."""
    milliseconds = datetime.now(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00")
    return f"{milliseconds}{random.randrange(1000):03}+00:00"  # noqa: S311


def now_ms() -> int:
    """Now in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def shifted(iso: str, seconds: float) -> str:
    """The stored time `seconds` later (or earlier, if negative). Raises OverflowError beyond the year 9999."""
    return (datetime.fromisoformat(iso) + timedelta(seconds=seconds)).isoformat(timespec="microseconds")


def seconds_between(earlier: str, later: str) -> float:
    """The seconds between two stored times; 0 if the clocks of two machines have them in reverse order."""
    return max(0.0, (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds())


def epoch_ms(iso: str) -> int:
    """A stored time in milliseconds since 1970, rounded up: an alarm set for it never comes too early."""
    return math.ceil(datetime.fromisoformat(iso).timestamp() * 1000)


def iso_of_ms(ms: int) -> str:
    """A time in milliseconds since 1970 in the stored form, without the fraction of its second."""
    return datetime.fromtimestamp(ms // 1000, UTC).isoformat()
