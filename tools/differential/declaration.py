"""How a difference is declared, and the page `docs/differences.md` that lists all of them."""

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

    #: Patterns for `METHOD /path/template` and for the place in the exchange; `*` matches anything.
    operations: tuple[str, ...]
    at: tuple[str, ...]
    #: What each server does, and the reason for the difference; text of the document.
    reference: str
    superstep: str
    reason: str

    #: Patterns for `area.script`, if the difference would be a mistake in other scripts.
    scripts: tuple[str, ...] = ("*",)
    #: The server that has nothing at this place; None if both have something, or if it does not matter.
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

`make differential` plays the same scripts on Superstep and on LangGraph's own development server and compares every
answer. This page lists every difference, with its reason; any other difference fails the comparison. Ids, times, the
wording of refusals and host names are not compared. The page is generated from `tools/differential/declared.py`.

| Operations | Where | `langgraph dev` | Superstep | Why |
|---|---|---|---|---|
"""


def document(declarations: Iterable[Declared]) -> str:
    """The text of `docs/differences.md`."""
    return _HEAD + "".join(_row(declared) for declared in declarations)


def _row(declared: Declared) -> str:
    operations, at = (" ".join(f"`{pattern}`" for pattern in some) for some in (declared.operations, declared.at))
    return f"| {operations} | {at} | {declared.reference} | {declared.superstep} | {declared.reason} |\n"
