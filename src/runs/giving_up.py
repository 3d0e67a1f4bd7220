"""The end of a run that is not tried again: an error and a dead letter, in one batch."""

import logging
from dataclasses import replace

import clock
from ports import Database, Statement
from runs import completion, outcome, run_lines
from runs.attempts import GaveUp
from runs.completion import Finished
from settings import Settings
from streaming.json_text import dumps
from tables import circuits, dead_letters, thread_engagement
from tables.circuits import Circuit
from tables.run_history import Stamp
from tables.runs import Run

logger = logging.getLogger(__name__)


async def give_up(db: Database, run: Run, gave_up: GaveUp, stamp: Stamp, settings: Settings) -> Finished | None:
    """End a run, keep it for an operator, and count it against its graph; see `completion.finish`.

    The run's checkpoints are not read, because reading them may be what its executors died of.
    """
    run_lines.given_up(logger, run, gave_up.message)
    error = {"error": gave_up.error, "message": gave_up.message}
    kept_until = clock.shifted(stamp.now, settings.dead_letter_retention_seconds)
    result = replace(outcome.failed(None, error), keeps_thread_until=kept_until)
    alongside = _kept(run, dumps(error), stamp, settings)
    if gave_up.counts_since is not None:
        opens_at = settings.circuit_failures
        since = gave_up.counts_since
        alongside.append(circuits.count(run, stamp, cut_off_since=since, opens_at=opens_at))
    finished = await completion.finish(db, run, result, stamp, alongside=alongside)
    if finished is not None and gave_up.counts_since is not None:
        for row in finished.alongside[-1]:
            run_lines.circuit_counted(logger, Circuit.from_row(row))
    return finished


def _kept(run: Run, reason: str, stamp: Stamp, settings: Settings) -> list[Statement]:
    """Make the run a dead letter; if its thread was to be deleted with it, give the thread a TTL instead."""
    letter = dead_letters.insert(run, reason, now=stamp.now)
    if not run.arguments.get("temporary"):
        return [letter]
    return [letter, thread_engagement.let_expire(run, minutes=settings.dead_letter_retention_seconds / 60)]
