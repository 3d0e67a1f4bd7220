"""The end of a run: its status, its effect on its thread and its webhook's row, stored in one batch."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

import ids
from compact_json import compact_json
from errors import ValueTooLarge
from ports import Database, Row, Statement
from runs import lifecycle, outcome, run_lines, run_object, tallying
from runs.outcome import Outcome
from tables import circuits, run_claims, run_metrics, runs, thread_deletion, thread_engagement, webhooks
from tables.circuits import Circuit
from tables.run_claims import Claim
from tables.run_history import Stamp
from tables.run_metrics import Tally
from tables.runs import Run
from wire.json_objects import join_object

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A run whose end is stored."""

    #: How it ended: as requested, or with an error if its result was too large to be stored.
    outcome: Outcome
    #: The claim of the thread's next run, made in the same round trip; None if it was not requested.
    claim: Claim | None
    #: How many super-steps it has committed; None if the answer with that number was lost.
    supersteps: int | None
    #: The rows of the statements `alongside`.
    alongside: Sequence[Sequence[Row]] = ()


async def finish(
    db: Database,
    run: Run,
    result: Outcome,
    stamp: Stamp,
    *,
    claims_next: bool = True,
    alongside: Sequence[Statement] = (),
) -> Finished | None:
    """Store the end of `run` and claim the thread's next one; idempotent by the run's identity.

    None, with nothing written, if what is stored is no longer `run`. The thread stays busy while it has other
    unfinished runs; a temporary thread is deleted with its only run. The statements `alongside` come first in the batch
    and must carry the same condition.
    """
    try:
        finished = await _finish(db, run, result, stamp, alongside, claims_next=claims_next)
    except ValueTooLarge as error:
        failed = outcome.failed(None, outcome.error_of(error))
        finished = await _finish(db, run, failed, stamp, alongside, claims_next=claims_next)
    if finished is not None:
        tally = tallying.of(run, finished.outcome, stamp)
        run_lines.ended(logger, run, finished.outcome, tally, finished.supersteps)
    return finished


def deletes(run: Run, result: Outcome) -> bool:
    """Whether the row of the run goes as it ends, unless its temporary thread got another run."""
    return result.status == "rollback" or _goes_with_thread(run, result)


def _goes_with_thread(run: Run, result: Outcome) -> bool:
    return bool(run.arguments.get("temporary")) and result.keeps_thread_until is None


async def _finish(
    db: Database, run: Run, result: Outcome, stamp: Stamp, alongside: Sequence[Statement], *, claims_next: bool
) -> Finished | None:
    kwargs, tally = run.arguments, tallying.of(run, result, stamp)
    if _goes_with_thread(run, result) and (
        ended := await _delete_with_thread(db, run, result, kwargs.get("webhook"), tally, stamp)
    ):
        return ended
    end = [
        *alongside,
        run_metrics.add(run, tally, now=stamp.now),
        *_well(run, result, stamp),
        *_webhook(run, result, kwargs.get("webhook"), now=stamp.now),
        *_settled(run, result, now=stamp.now),
        *_ended(run, result, stamp),
    ]
    claiming = run_claims.claim_statements(run.thread_id, stamp) if claims_next else []
    results = await db.batch([*end, *claiming])
    counted, well = results[len(alongside) : len(alongside) + 2]
    _tell_of_closed(result, well)
    if not results[len(end) - 1] and not await _had_ended(db, run, result, stamp):
        return None
    claim = await run_claims.read_claim(db, results[len(end) :], stamp) if claims_next else None
    return Finished(outcome=result, claim=claim, supersteps=_supersteps(counted), alongside=results[: len(alongside)])


async def _had_ended(db: Database, run: Run, result: Outcome, stamp: Stamp) -> bool:
    """Whether this batch, which ended nothing now, was sent before and ended the run then, with its answer lost."""
    stored = await runs.get(db, run.thread_id, run.run_id)
    if stored is None:
        # Such a run is deleted at its end. If it was deleted for another reason, it has ended just as well.
        return result.status == "rollback" or run.arguments.get("temporary", False)
    return (stored.status, stored.attempt, stored.updated_at) == (result.status, run.attempt, stamp.now)


async def _delete_with_thread(
    db: Database, run: Run, result: Outcome, webhook: str | None, tally: Tally, stamp: Stamp
) -> Finished | None:
    """End a stateless run by deleting its thread with everything on it, including the run.

    None, with nothing written, if what is stored is no longer `run`, or if another run was created on its thread, which
    makes that an ordinary thread.
    """
    results = await db.batch(
        [
            thread_engagement.delete_temporary(run),
            run_metrics.add(run, tally, only_without_thread=True, now=stamp.now),
            *_well(run, result, stamp),
            *_webhook(run, result, webhook, now=stamp.now, is_alone=True),
            *thread_deletion.delete_orphans([run.thread_id]),
        ]
    )
    deleted, counted, well = results[:3]
    _tell_of_closed(result, well)
    return Finished(outcome=result, claim=None, supersteps=_supersteps(counted)) if deleted else None


def _supersteps(counted: Sequence[Row]) -> int | None:
    """What `run_metrics.add` returned."""
    return counted[0]["supersteps"] if counted else None


def _well(run: Run, result: Outcome, stamp: Stamp) -> list[Statement]:
    """Close the circuit of the run's graph after a success, however many runs gave up before."""
    return [circuits.close(run, stamp)] if result.status == "success" else []


def _tell_of_closed(result: Outcome, rows: Sequence[Row]) -> None:
    """Log what the statement of `_well` has closed."""
    if result.status == "success":
        for row in rows:
            run_lines.circuit_closed(logger, Circuit.from_row(row))


def _ended(run: Run, result: Outcome, stamp: Stamp) -> list[Statement]:
    """Statements that end the run; the last one returns a row exactly when `run` was what is stored."""
    if result.status == "rollback":
        lifecycle.check(run.run_id, run.status, "gone")
        return runs.delete(run)
    assert result.status != "drained"
    lifecycle.check(run.run_id, run.status, result.status)
    return [runs.finish(run, stamp, status=result.status, error=result.error)]


def _webhook(run: Run, result: Outcome, url: str | None, *, now: str, is_alone: bool = False) -> list[Statement]:
    """The row of the webhook to send; with `is_alone`, only if the thread is deleted as well."""
    if not url:
        return []
    values = None if is_alone or result.status == "rollback" else result.values
    body = {
        **run_object.run_fields(replace(run, updated_at=now)),
        "status": compact_json(result.status),
        "run_started_at": compact_json(run.started_at),
        "run_ended_at": compact_json(now),
        "values": values or "null",
        **({"error": result.error} if result.error else {}),
    }
    return webhooks.insert(run, ids.time_ordered(), url, join_object(body), only_without_thread=is_alone, now=now)


def _settled(run: Run, result: Outcome, *, now: str) -> list[Statement]:
    settled = thread_engagement.settle(
        run,
        resting=lifecycle.resting_status(result.status, has_next=bool(result.next)) if result.has_begun else None,
        values=result.values,
        interrupts=result.interrupts,
        error=result.error,
        kept_until=result.keeps_thread_until,
        now=now,
    )
    return [*thread_engagement.give_back(run, result.left_by), *settled]
