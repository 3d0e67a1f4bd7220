"""Reads the final state of everything, once nothing happens any more."""

import json
from collections.abc import Iterable, Sequence
from typing import Any, Final

from langgraph_sdk.errors import NotFoundError

from tests.chaos.campaign.clients import World, insist, log_of
from tests.chaos.campaign.history import CheckpointAtEnd, CronAtEnd, RunAtEnd, ThreadAtEnd
from tests.support import sse_frames
from tests.support.database_file import DatabaseFile

#: What belongs to nobody, by what it is. The names of tables are ours.
_LEFTOVERS: Final = {
    "runs without a thread": "SELECT run_id FROM runs WHERE thread_id NOT IN (SELECT thread_id FROM threads)",
    "threads that are busy without a run": """
        SELECT thread_id FROM threads WHERE status = 'busy' AND thread_id NOT IN
            (SELECT thread_id FROM runs WHERE status IN ('pending', 'running'))""",
    "webhooks that were not sent": "SELECT run_id FROM webhooks WHERE due_at IS NOT NULL",
    **{
        f"{table} without a thread": f"SELECT DISTINCT thread_id FROM {table} WHERE thread_id NOT IN"
        " (SELECT thread_id FROM threads)"
        for table in ("checkpoints", "checkpoint_blobs", "checkpoint_writes")
    },
    "checkpoints of a run that is gone": """
        SELECT DISTINCT json_extract(metadata, '$.run_id') FROM checkpoints
        WHERE json_extract(metadata, '$.run_id') NOT IN (SELECT run_id FROM runs)""",
}


def leftovers(database: DatabaseFile) -> list[str]:
    """A sentence for each kind of row that should not be there."""
    found = {what: [row[0] for row in database.run(sql)] for what, sql in _LEFTOVERS.items()}
    return [f"{len(ids)} {what}: {', '.join(ids[:3])}" for what, ids in found.items() if ids]


_CRON_FIRES: Final = """
    SELECT scheduled_at FROM cron_fires
    WHERE cron_id = ? AND run_id IS NOT NULL AND scheduled_at < ? ORDER BY scheduled_at"""

#: The runs of a cron, with the time for which each was made.
_CRON_RUNS: Final = """
    SELECT json_extract(kwargs, '$.config.configurable.cron_scheduled_at') AS scheduled_at, status FROM runs
    WHERE json_extract(kwargs, '$.config.configurable.cron_id') = ? AND scheduled_at < ? ORDER BY scheduled_at"""


def observe_crons(database: DatabaseFile, *, seconds: int, until: str) -> list[CronAtEnd]:
    """Every cron with its fires and runs, those that are not due by then left out."""
    return [
        CronAtEnd(
            cron_id=cron_id,
            seconds=seconds,
            fires=[at for (at,) in database.run(_CRON_FIRES, cron_id, until)],
            runs=[(at, status) for at, status in database.run(_CRON_RUNS, cron_id, until)],
        )
        for (cron_id,) in database.run("SELECT cron_id FROM crons")
    ]


async def observe(world: World, database: DatabaseFile, thread_ids: Iterable[str]) -> list[ThreadAtEnd]:
    """Every thread as the server shows it."""
    return [await _thread(world, database, thread_id) for thread_id in thread_ids]


async def _thread(world: World, database: DatabaseFile, thread_id: str) -> ThreadAtEnd:
    try:
        thread = await insist("a thread", lambda: world.sdk.threads.get(thread_id))
    except NotFoundError:
        return ThreadAtEnd(thread_id=thread_id, status=None)
    state = await insist("a state", lambda: world.sdk.threads.get_state(thread_id))
    runs = await insist("runs", lambda: world.sdk.runs.list(thread_id, limit=100))
    history = await insist("a history", lambda: world.sdk.threads.get_history(thread_id, limit=1000))
    return ThreadAtEnd(
        thread_id=thread_id,
        status=thread["status"],
        log=log_of(state["values"]) or [],
        runs=[await _run(world, database, thread_id, run) for run in reversed(runs)],
        checkpoints=[_checkpoint(each) for each in reversed(history)],
    )


async def _run(world: World, database: DatabaseFile, thread_id: str, run: Any) -> RunAtEnd:
    run_id = run["run_id"]
    ((life,),) = database.run("SELECT history FROM runs WHERE run_id = ?", run_id)
    joined = await insist("a result", lambda: world.sdk.runs.join(thread_id, run_id))
    return RunAtEnd(
        name=run["metadata"]["name"],
        run_id=run_id,
        status=run["status"],
        log=log_of(joined),
        stream=await insist("a stream", lambda: _stream(world, thread_id, run_id)),
        life=[(entry["event"], entry["attempt"]) for entry in json.loads(life)],
    )


async def _stream(world: World, thread_id: str, run_id: str) -> Sequence[tuple[str, str, Any]]:
    path = f"/threads/{thread_id}/runs/{run_id}/stream"
    response = await world.http.get(path, headers={"last-event-id": "-1"})
    response.raise_for_status()
    return [(frame.id or "", frame.event, frame.data) for frame in sse_frames.parse(response.content)]


def _checkpoint(state: Any) -> CheckpointAtEnd:
    metadata = state["metadata"]
    return CheckpointAtEnd(step=metadata["step"], run_id=metadata["run_id"], log=log_of(state["values"]) or [])
