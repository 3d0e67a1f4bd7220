"""What it takes to declare a difference, and `docs/differences.md`, which is made of all that are declared."""

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final, Literal

from tools import paths
from tools.differential.comparison import MISSING, Difference

DOCUMENT: Final = paths.ROOT / "docs" / "differences.md"


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """Differences that have one reason."""

    #: Patterns over `METHOD /path/template` and over the place in the exchange; `*` is anything.
    operations: tuple[str, ...]
    at: tuple[str, ...]
    #: What either server does, and why Superstep does it otherwise; sentences for the document.
    reference: str
    superstep: str
    reason: str

    #: Patterns over `area.script`, for what would be a mistake elsewhere.
    scripts: tuple[str, ...] = ("*",)
    #: The server that has nothing at the place; None when both have something, or when it does not matter.
    lacking: Literal["reference", "superstep"] | None = None

    def covers(self, difference: Difference) -> bool:
        """Whether this is one of those."""
        return (
            any(fnmatchcase(difference.operation, pattern) for pattern in self.operations)
            and any(fnmatchcase(difference.at, pattern) for pattern in self.at)
            and any(fnmatchcase(difference.script, pattern) for pattern in self.scripts)
            and (self.lacking is None or getattr(difference, self.lacking) == MISSING)
        )


_HEAD: Final = """# Differences from `langgraph dev`

`make differential` plays scripts on Superstep and on LangGraph's own development server and compares every answer.
What differs is listed here, with the reason; anything else that differs fails it. Not compared are ids, times, the
wording of refusals and what names the host. This page is generated from `tools/differential/declared.py`.

| Operations | Where | `langgraph dev` | Superstep | Why |
|---|---|---|---|---|
"""


def document(declarations: Iterable[Declared]) -> str:
    """The text of `docs/differences.md`."""
    return _HEAD + "".join(_row(declared) for declared in declarations)


def _row(declared: Declared) -> str:
    operations, at = (" ".join(f"`{pattern}`" for pattern in some) for some in (declared.operations, declared.at))
    return f"| {operations} | {at} | {declared.reference} | {declared.superstep} | {declared.reason} |\n"
