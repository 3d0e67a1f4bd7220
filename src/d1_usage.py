"""The use of D1, counted for the run in whose context a batch is sent.

A `ContextVar` carries the count to every task that the execution starts, so nothing has to be passed around.
"""

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(slots=True)
class D1Usage:
    """A running count; rows are counted as Cloudflare bills them."""

    batches: int = 0
    rows_read: int = 0
    rows_written: int = 0
    #: From sending each batch to receiving its answer.
    seconds: float = 0.0


_CURRENT: ContextVar[D1Usage | None] = ContextVar("d1_usage", default=None)


@contextmanager
def counting_on(usage: D1Usage) -> Generator[None]:
    """Add to `usage` the use of D1 in the block and in the tasks that it starts."""
    token = _CURRENT.set(usage)
    try:
        yield
    finally:
        _CURRENT.reset(token)


def so_far() -> D1Usage:
    """The count of this context; an empty count if it does not count."""
    return _CURRENT.get() or D1Usage()


def count(*, rows_read: int, rows_written: int, seconds: float) -> None:
    """Count a batch that was answered."""
    if usage := _CURRENT.get():
        usage.batches += 1
        usage.rows_read += rows_read
        usage.rows_written += rows_written
        usage.seconds += seconds
