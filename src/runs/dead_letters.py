"""Runs that gave up and messages that could not be delivered, kept for an operator, who can redrive the runs.

The row in `dead_letters` is the truth; the queue of the same name only notifies its consumers.
"""

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import clock
import ids
from compact_json import compact_json
from errors import Unavailable
from ports import Database, Row, RunQueue, Statement
from settings import Settings
from tables import circuits, dead_letters
from tables.access import Access
from tables.run_history import Stamp
from tables.runs import Run

logger = logging.getLogger(__name__)

#: A message contains only ids; of an unknown message, this much is shown.
MAX_MESSAGE_CHARACTERS: Final = 10_000

#: How many letters are deleted each minute.
PAGE_FORGOTTEN: Final = 1000

#: A graph of which no run has given up for this long is healthy.
CIRCUIT_MEMORY_SECONDS: Final = 24 * 3600

#: The circuit of a replaced version: one that is open but that no run has consulted for this long, and for twice the
#: cooldown.
CIRCUIT_QUIET_SECONDS: Final = 3600

_UNDELIVERABLE: Final = compact_json(
    {
        "error": "Undeliverable",
        "message": "the object of the run's thread could not be woken, however often it was tried; "
        "the run is not lost: it is announced again each minute until the object answers",
    }
)
_NAMELESS: Final = compact_json({"error": "UnknownMessage", "message": "a queue message that names no run"})


async def announce(queue: RunQueue, run: Run) -> None:
    """Notify consumers of the queue that a run gave up; if that fails, the run is in the list all the same."""
    try:
        await queue.send_batch([(run.thread_id, run.run_id)])
    except Unavailable:
        said = "the run is a dead letter and was not announced; it is in the list"
        logger.warning(said, exc_info=True, extra={"event": "announcement_lost", "run_id": run.run_id})


async def keep_message(db: Database, message_id: str, body: Any) -> None:
    """Keep a message that could not be delivered, or names no run, for an operator. Idempotent.

    Messages that announce a dead letter (it may have been redriven since) or a webhook (which has a list of its own)
    are not kept.
    """
    text, now = _readable(body)[:MAX_MESSAGE_CHARACTERS], clock.now_iso()
    match body:
        case {"dead_letter": True, "thread_id": str(thread_id), "run_id": str(run_id)}:
            about = {"event": "dead_letter_received", "thread_id": thread_id, "run_id": run_id}
            logger.warning("a run gave up: see GET /runs/dead-letters", extra=about)
        case {"thread_id": str(thread_id), "run_id": str(run_id)} if ids.canonical(thread_id) == thread_id:
            await db.batch([dead_letters.insert_message(thread_id, run_id, _UNDELIVERABLE, text, now=now)])
            about = {"event": "message_undeliverable", "thread_id": thread_id, "run_id": run_id}
            logger.warning("the object of a run's thread could not be woken: the sweeper goes on trying", extra=about)
        case {"webhook": str()}:
            return
        case _:
            said = "kept a queue message that names no run; see who else writes to the queue: %s"
            logger.error(said, text[:500], extra={"event": "message_unknown"})
            await db.batch([dead_letters.insert_nameless(message_id, _NAMELESS, text, now=now)])


def _readable(body: Any) -> str:
    """A message as text that fits a database, even if another program has sent anything at all."""
    try:
        return json.dumps(body, default=ascii)
    except (ValueError, RecursionError):
        return ascii(body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Redriven:
    """Which runs were redriven, and which were refused."""

    #: (thread_id, run_id) of the redriven runs.
    runs: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    #: (run_id, reason) of the refused ones.
    refused: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])


async def redrive(db: Database, queue: RunQueue, run_ids: Sequence[str], access: Access, stamp: Stamp) -> Redriven:
    """Let runs that gave up go on from their last checkpoints, with a fresh allowance of attempts. Idempotent.

    A crash after the batch leaves pending runs, which the sweeper finds.
    """
    looked, redriven, *_ = await db.batch(dead_letters.redrive(run_ids, access, stamp))
    letters = {row["run_id"]: row for row in looked}
    revived = {row["run_id"] for row in redriven}
    result = Redriven()
    for run_id in dict.fromkeys(run_ids):
        letter = letters.get(run_id)
        if letter is not None and (run_id in revived or letter["status"] in ("pending", "running")):
            result.runs.append((letter["thread_id"], run_id))
            about = {"event": "run_redriven", "thread_id": letter["thread_id"], "run_id": run_id}
            logger.info("run redriven", extra=about)
        else:
            result.refused.append((run_id, _why_not(letter)))
    try:
        await queue.send_batch(result.runs)
    except Unavailable:
        said = "%d runs are redriven and were not announced; the sweeper finds them"
        logger.warning(said, len(result.runs), exc_info=True, extra={"event": "run_not_announced"})
    return result


def _why_not(letter: Row | None) -> str:
    match letter:
        case None:
            return "Dead letter not found: there is none, or it was redriven or deleted."
        case {"status": None}:
            return "The message names no run."
        case {"status": "error", "is_newest": 1}:
            return "The thread's state was changed after the run gave up: create a run instead."
        case {"status": "error"}:
            return "A newer run was created on the thread: create a run instead."
        case _:
            return f"The run is {letter['status']}: there is nothing to redrive."


def forget(now: str, settings: Settings) -> list[Statement]:
    """The deletions of each minute: letters past their retention, and circuits of graphs that are healthy again."""
    quiet_seconds = max(CIRCUIT_QUIET_SECONDS, 2 * settings.circuit_cooldown_seconds)
    return [
        dead_letters.forget(before=clock.shifted(now, -settings.dead_letter_retention_seconds), limit=PAGE_FORGOTTEN),
        circuits.forget(
            failed_before=clock.shifted(now, -CIRCUIT_MEMORY_SECONDS), quiet_since=clock.shifted(now, -quiet_seconds)
        ),
    ]
