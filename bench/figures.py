"""What was measured, as values: samples, percentiles, and the ratio to the bare graph."""

import math
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(slots=True)
class Samples:
    """Durations in milliseconds of one thing done again and again."""

    milliseconds: list[float] = field(default_factory=list[float])

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Add the duration of the block; one that raises adds nothing."""
        started = time.perf_counter()
        yield
        self.milliseconds.append((time.perf_counter() - started) * 1000)

    def percentile(self, percent: float) -> float:
        """The smallest sample that at least `percent` of all are not above."""
        ordered = sorted(self.milliseconds)
        return ordered[max(0, math.ceil(percent / 100 * len(ordered)) - 1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One line of the table; `bare` is the same work without a server, in the same unit, where that makes sense."""

    name: str
    unit: str
    value: float
    p95: float | None = None
    p99: float | None = None
    samples: int = 1
    bare: float | None = None

    @property
    def ratio(self) -> float | None:
        """The multiple of the bare figure. For throughput more is better, for everything else less."""
        return self.value / self.bare if self.bare else None


def latency(name: str, samples: Samples, bare: Samples | None = None) -> Figure:
    """Median and tail of the samples, against the median of the bare ones."""
    return Figure(
        name=name,
        unit="ms",
        value=samples.percentile(50),
        p95=samples.percentile(95),
        p99=samples.percentile(99),
        samples=len(samples.milliseconds),
        bare=bare.percentile(50) if bare else None,
    )


def growth(early: Sequence[float], late: Sequence[float]) -> float:
    """The median of `late` divided by the median of `early`."""
    return statistics.median(late) / statistics.median(early)
