"""Whether a run that was cut off is tried again, decided from its own history and the circuit of its graph.

An attempt was in vain if it stored nothing: no checkpoint, and no result of a task or a subgraph. Only such attempts
count, so a run that advances between its crashes survives any number of deploys.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import clock
from ports import Database
from settings import Settings
from tables import circuits, run_claims, run_history
from tables.circuits import Circuit
from tables.run_history import Entry, Stamp
from tables.runs import Run

#: The two ways to give up, as the run's error names them.
GiveUpError: TypeAlias = Literal["AttemptsExhausted", "CircuitOpen"]

#: The end of each message: what to do next.
_REDRIVE: Final = "then let the run go on by POST /runs/dead-letters/redrive"


@dataclass(frozen=True, slots=True, kw_only=True)
class GaveUp:
    """The run is not tried again: it ends and becomes a dead letter."""

    error: GiveUpError
    message: str
    #: When the first of its attempts in vain was cut off, if they count against the graph in this Worker version.
    counts_since: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenOver:
    """A run that this executor has taken over."""

    run: Run
    #: None if it goes on.
    gave_up: GaveUp | None


async def take_over(db: Database, run: Run, stamp: Stamp, settings: Settings) -> TakenOver | None:
    """Take a running run over from an executor that was cut off, in one round trip; None if another executor was first.

    If a crash prevents the end of a run that gives up from being stored, the next attempt decides anew.
    """
    opened_by = clock.shifted(stamp.now, -settings.circuit_cooldown_seconds)
    _, resumed, _, found = await db.batch(
        [*run_claims.resume(run, stamp), *circuits.probe(run, stamp, opened_by=opened_by)]
    )
    taken = run_claims.read_resumed(run, resumed)
    if taken is None:
        return None
    circuit = Circuit.from_row(found[0]) if found else None
    entries = run_history.parse(taken.history)
    gave_up = None if taken.cancel_action else decide(entries, taken.run_id, circuit, settings.max_attempts)
    return TakenOver(run=taken, gave_up=gave_up)


def decide(entries: Sequence[Entry], run_id: str, circuit: Circuit | None, max_attempts: int) -> GaveUp | None:
    """Whether and why a run gives up; the last of its `entries` is its resumption. None if it goes on."""
    in_vain = _in_vain(entries)
    if len(in_vain) >= max_attempts:
        return _exhausted(entries, in_vain)
    if circuit is not None and circuit.opened_at is not None and circuit.probe_run_id != run_id:
        return _refused(circuit)
    return None


def _in_vain(entries: Sequence[Entry]) -> list[Entry]:
    """The latest resumptions that all found the run at the same point, oldest first."""
    found: list[Entry] = []
    for entry in reversed(entries):
        if entry.event == "redriven":
            break
        if entry.event != "resumed":
            continue
        if entry.cause != "cut_off" or (found and entry.reached != found[0].reached):
            break
        found.append(entry)
    return found[::-1]


def _exhausted(entries: Sequence[Entry], in_vain: Sequence[Entry]) -> GaveUp:
    versions = _versions(entries, in_vain)
    last = in_vain[-1]
    place = "before its first checkpoint" if last.step is None else f"in super-step {last.step + 1}"
    named = ", ".join(versions) or "unknown"
    return GaveUp(
        error="AttemptsExhausted",
        message=(
            f"gave up: cut off {len(in_vain)} times {place} without progress, executed by Worker version {named}. "
            f"See the logs of these attempts, memory and CPU above all; {_REDRIVE}"
        ),
        # Attempts of other versions say nothing about this version.
        counts_since=in_vain[0].at if versions == [last.version] else None,
    )


def _versions(entries: Sequence[Entry], in_vain: Sequence[Entry]) -> list[str]:
    """The Worker versions that executed the attempts before these resumptions."""
    executed_by = {entry.attempt: entry.version for entry in entries if entry.event in ("started", "resumed")}
    versions = [executed_by.get(entry.attempt - 1) or "unknown" for entry in in_vain]
    return list(dict.fromkeys(versions))


def _refused(circuit: Circuit) -> GaveUp:
    return GaveUp(
        error="CircuitOpen",
        message=(
            f"gave up: cut off, and the last {circuit.failures} runs of graph {circuit.graph_id} that were tried again "
            f"by Worker version {circuit.version} were all cut off in vain. Deploy a remedy; {_REDRIVE}"
        ),
    )
