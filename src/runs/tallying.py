"""What the end of a run adds to the metrics, computed from its row."""

import clock
import d1_usage
from runs.outcome import Outcome
from tables import run_history
from tables.run_history import Entry, Stamp
from tables.run_metrics import Tally
from tables.runs import Run


def of(run: Run, result: Outcome, stamp: Stamp) -> Tally:
    """The tally of a run that ends now.

    For a redriven run only what came after the redrive, since its first end was counted.
    """
    assert result.status != "drained"
    entries = run_history.parse(run.history)
    again = max((place for place, entry in enumerate(entries) if entry.event == "redriven"), default=None)
    waiting_since = run.due_at or run.created_at if again is None else entries[again].at
    counted, entries = entries[: again or 0], entries[again or 0 :]
    started_at = run_history.first_start(entries) or (run.started_at if again is None else None)
    before = [started_at or waiting_since, *(entry.at for entry in entries)]
    gaps = [_gap(at, entry) for at, entry in zip(before, entries, strict=False) if entry.cause == "cut_off"]
    return Tally(
        graph_id=run.graph_id,
        version=stamp.version,
        status=result.status,
        since=run_history.first_start(counted) or started_at or waiting_since,
        counted=next((entry.checkpoint_id for entry in reversed(counted) if entry.event == "resumed"), None),
        wait=clock.seconds_between(waiting_since, started_at) if started_at else None,
        execution=clock.seconds_between(started_at, stamp.now) if started_at else None,
        retries=len(gaps),
        recovery=sum(gaps),
        d1=d1_usage.so_far(),
    )


def _gap(since: str, resumed: Entry) -> float:
    """How long a run that was cut off stood still at most: since its last entry, or the last checkpoint after it."""
    return clock.seconds_between(max(since, resumed.checkpoint_at or since), resumed.at)
