"""The end of a run: its status, what it did to its thread and the webhook that tells of it, in one batch."""

import json
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from compact_json import compact_json
from ports import Database, Statement
from runs import lifecycle, run_object
from tables import runs, thread_deletion, threads, webhooks
from tables.runs import Claim, Run
from wire.json_objects import join_object

#: `rollback` leaves no run that could show it; only its webhook says so.
FinalStatus: TypeAlias = Literal["success", "error", "timeout", "interrupted", "rollback"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a run ended."""

    status: FinalStatus
    #: Whether the graph has something left to execute: an interrupt, a breakpoint, a failed or cancelled node.
    has_next: bool = False
    #: The state as JSON text; None leaves what the thread has.
    values: str | None = None
    #: `{task_id: [{"id", "value"}]}` as JSON text; None leaves what the thread has.
    interrupts: str | None = None
    #: `{"error", "message"}` as JSON text; None for a success.
    error: str | None = None
    #: False for a run that never began: its thread rests as it did before.
    has_begun: bool = True
    #: Graph and assistant that the thread belongs to again.
    left_by: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """What came of ending a run."""

    #: False, and then nothing was written, when the run was no longer what is stored.
    is_stored: bool
    #: The thread's next run, claimed in the same round trip; None when that was not asked for.
    claim: Claim | None


async def finish(db: Database, run: Run, ending: Ending, *, now: str, claims_next: bool = True) -> Finished:
    """Store the end of `run` and claim the thread's next one; idempotent by the run's identity.

    The thread stays busy when other runs are left. A temporary one goes with its only run.
    """
    if json.loads(run.kwargs).get("temporary") and await _delete_with_thread(db, run, ending, now=now):
        return Finished(is_stored=True, claim=None)
    end = [*_webhook(run, ending, now=now), *_settled(run, ending, now=now), *_ended(run, ending, now=now)]
    claiming = runs.claim_statements(run.thread_id, now=now) if claims_next else []
    results = await db.batch([*end, *claiming])
    claim = await runs.read_claim(db, results[len(end) :]) if claims_next else None
    return Finished(is_stored=bool(results[len(end) - 1]), claim=claim)


async def _delete_with_thread(db: Database, run: Run, ending: Ending, *, now: str) -> bool:
    """End a stateless run by deleting its thread and all that is on it, itself included.

    False, and then nothing was written, when the run was no longer what is stored, or somebody put another one on its
    thread, which is an ordinary thread then.
    """
    results = await db.batch(
        [
            threads.delete_temporary(run),
            *_webhook(run, ending, now=now, is_alone=True),
            *thread_deletion.delete_orphans([run.thread_id]),
        ]
    )
    return bool(results[0])


def _ended(run: Run, ending: Ending, *, now: str) -> list[Statement]:
    """The last of these returns a row exactly when `run` was what is stored."""
    if ending.status == "rollback":
        return runs.delete(run)
    lifecycle.check(run.run_id, run.status, ending.status)
    return [runs.finish(run, status=ending.status, error=ending.error, now=now)]


def _webhook(run: Run, ending: Ending, *, now: str, is_alone: bool = False) -> list[Statement]:
    """The note that a webhook is to be sent; with `is_alone`, only if the thread goes as well."""
    url = json.loads(run.kwargs).get("webhook")
    if not url:
        return []
    ended = replace(run, updated_at=now)
    values = None if is_alone or ending.status == "rollback" else ending.values
    body = {
        **run_object.run_fields(ended),
        "status": compact_json(ending.status),
        "run_started_at": compact_json(run.started_at),
        "run_ended_at": compact_json(now),
        "values": values or "null",
        **({"error": ending.error} if ending.error else {}),
    }
    return webhooks.insert(run, url, join_object(body), only_without_thread=is_alone, now=now)


def _settled(run: Run, ending: Ending, *, now: str) -> list[Statement]:
    rests = lifecycle.resting_status(ending.status, has_next=ending.has_next)
    given_back = []
    if ending.left_by is not None:
        graph_id, assistant_id = ending.left_by
        given_back.append(threads.give_back(run, graph_id=graph_id, assistant_id=assistant_id))
    settled = threads.settle(
        run,
        resting=rests if ending.has_begun else None,
        values=ending.values,
        interrupts=ending.interrupts,
        error=ending.error,
        now=now,
    )
    return [*given_back, *settled]
