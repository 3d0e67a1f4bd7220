"""Paths into a thread, in the syntax of a search's `extract`: `values.messages[-1].content`."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from errors import Unprocessable

#: The fields of a thread with which a path may begin.
ROOTS: Final = ("config", "interrupts", "metadata", "values")

_STEP: Final = re.compile(r"\.(?P<key>[^.\[\]]+)|\[(?P<index>-?\d{1,9})\]", re.ASCII)


@dataclass(frozen=True, slots=True)
class ExtractPath:
    """A path: keys of objects and indexes of lists, negative ones from the end."""

    root: str
    steps: tuple[str | int, ...]

    @classmethod
    def parse(cls, text: str) -> "ExtractPath":
        """Parse a path. Raises Unprocessable."""
        root = re.split(r"[.\[]", text, maxsplit=1)[0]
        if root not in ROOTS:
            raise Unprocessable(f"Extract path {text!r} must start with one of: {', '.join(ROOTS)}")
        steps: list[str | int] = []
        end = len(root)
        while end < len(text):
            step = _STEP.match(text, end)
            if step is None:
                raise Unprocessable(
                    f"Extract path {text!r} cannot be read from {text[end:]!r} on: '.key', '[0]' or '[-1]' goes there"
                )
            steps.append(step["key"] or int(step["index"]))
            end = step.end()
        return cls(root, tuple(steps))

    def follow(self, value: Any) -> Any:
        """The value at this path, within the root's value; None if there is none."""
        for step in self.steps:
            value = _inside(value, step)
        return value


def _inside(value: Any, step: str | int) -> Any:
    if isinstance(step, str):
        return cast(Mapping[str, Any], value).get(step) if isinstance(value, dict) else None
    items = cast(Sequence[Any], value) if isinstance(value, list) else []
    return items[step] if -len(items) <= step < len(items) else None
