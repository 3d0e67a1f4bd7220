"""The differences from `langgraph dev` that are meant, each with its reason; `docs/differences.md` is made of it."""

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

from tools import paths
from tools.differential.comparison import Difference

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

    def covers(self, difference: Difference) -> bool:
        """Whether this is one of those."""
        return any(fnmatchcase(difference.operation, pattern) for pattern in self.operations) and any(
            fnmatchcase(difference.at, pattern) for pattern in self.at
        )


DECLARED: Final = (
    Declared(
        operations=("POST /threads/{thread_id}/runs", "POST /runs"),
        at=("status",),
        reference="answers 200",
        superstep="answers 202, and 200 to JavaScript callers",
        reason="The run has only been accepted. JavaScript's SDK throws the body of a 202 away, so it gets 200.",
    ),
    Declared(
        operations=("* /threads/{thread_id}/runs*", "POST /runs/stream"),
        at=("body.*.id",),
        reference="sends `id:` only when the run is `stream_resumable`",
        superstep="sends `id:` with every event",
        reason="Every stream can be resumed.",
    ),
)

_HEAD: Final = """# Differences from `langgraph dev`

`make differential` plays scripts on Superstep and on LangGraph's own development server and compares every answer.
What differs is listed here, with the reason; anything else that differs fails it. Not compared are ids, times, the
wording of refusals and what names the host. This page is generated from `tools/differential/declared.py`.

| Operations | Where | `langgraph dev` | Superstep | Why |
|---|---|---|---|---|
"""


def document() -> str:
    """The text of `docs/differences.md`."""
    return _HEAD + "".join(_row(declared) for declared in DECLARED)


def _row(declared: Declared) -> str:
    operations, at = (" ".join(f"`{pattern}`" for pattern in some) for some in (declared.operations, declared.at))
    return f"| {operations} | {at} | {declared.reference} | {declared.superstep} | {declared.reason} |\n"
