"""How a run ended, for tests that end one without executing it."""

from runs.outcome import Outcome, RunEnd


def ending(
    status: RunEnd,
    *,
    has_next: bool = False,
    values: str | None = None,
    interrupts: str | None = None,
    error: str | None = None,
) -> Outcome:
    """An outcome that leaves what it does not name."""
    left = ("node",) if has_next else ()
    return Outcome(status=status, next=left, values=values, interrupts=interrupts, error=error)
