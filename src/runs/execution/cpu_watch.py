"""The platform's warning that an invocation has nearly used up its CPU: `SIGXCPU`, inside the interpreter.

Left alone, it becomes an exception wherever the interpreter happens to be: in a node, or in the middle of the event
loop, where nobody would ever wake the task again. While somebody watches, it is noted instead (docs/decisions/0025).
"""

import signal
from types import FrameType
from typing import Any, Final, Self

_watches: Final = set["CpuWatch"]()
#: What the signal did before `install`.
_otherwise: Any = None


class CpuWatch:
    """Whether the isolate's CPU became scarce in this block."""

    __slots__ = ("is_scarce",)

    def __init__(self) -> None:
        self.is_scarce = False

    def __enter__(self) -> Self:
        _watches.add(self)
        return self

    def __exit__(self, *_: object) -> None:
        _watches.discard(self)


def install() -> None:
    """Take over the signal; may be repeated. The platform sets its own handler after a Worker's top level has run."""
    global _otherwise  # noqa: PLW0603
    if (found := signal.getsignal(signal.SIGXCPU)) is not _heed:
        _otherwise = found
        signal.signal(signal.SIGXCPU, _heed)


def _heed(number: int, frame: FrameType | None) -> None:
    for watch in _watches:
        watch.is_scarce = True
    if not _watches and callable(_otherwise):
        _otherwise(number, frame)
