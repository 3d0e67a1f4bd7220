"""Deletes what threads have stored: everything, the data of some runs, or what the latest checkpoints do not need."""

from collections.abc import Sequence
from typing import Final

from checkpoints import codec, retention, rows
from checkpoints.group_commit import GroupCommit
from checkpoints.selection import Read
from ports import Statement
from tables import checkpoints as sql

#: How many checkpoints, without their values, one round trip reads or deletes.
PAGE_OUTLINES: Final = 500


async def delete_thread(commits: GroupCommit, thread_id: str) -> None:
    """Delete everything that a thread has stored."""
    await commits.commit([Statement(statement, (thread_id,)) for statement in sql.DELETE_THREAD])


async def delete_for_runs(read: Read, commits: GroupCommit, run_ids: Sequence[str], thread_id: str | None) -> None:
    """Delete the data of these runs, except ancestors from which delta channels of other runs' checkpoints are rebuilt.

    Without `thread_id`, every checkpoint there is must be read to find the threads.
    """
    run_ids_json = codec.to_json(list(run_ids))
    for affected in [thread_id] if thread_id else await _threads_of_runs(read, run_ids_json):
        doomed, needed = retention.of_runs(run_ids, await _outlines(read, affected))
        await _delete(commits, affected, doomed)
        needed_json = codec.to_json(sorted(needed))
        await commits.commit([Statement(sql.DELETE_WRITES_OF_RUNS, (affected, run_ids_json, needed_json))])


async def delete_since(read: Read, commits: GroupCommit, root_checkpoint_id: str, run_id: str, thread_id: str) -> None:
    """Delete what subgraphs of a run stored in super-steps that begin with a checkpoint of its own graph, or later.

    Not in those that begin with a checkpoint that the run itself has stored: these have the same tasks again.
    """
    outlines = await _outlines(read, thread_id)
    own = {each.checkpoint_id for each in outlines if each.run_id == run_id and not each.root_checkpoint_id}
    after = [each for each in outlines if each.root_checkpoint_id and each.root_checkpoint_id >= root_checkpoint_id]
    lost = [each.key for each in after if each.run_id == run_id and each.root_checkpoint_id not in own]
    await _delete(commits, thread_id, lost)


async def keep_latest(read: Read, commits: GroupCommit, thread_id: str) -> None:
    """Delete the checkpoints of a thread that its latest checkpoints do not need."""
    await _delete(commits, thread_id, retention.beyond_latest(await _outlines(read, thread_id)))


async def _threads_of_runs(read: Read, run_ids_json: str) -> list[str]:
    [found] = await read([Statement(sql.SELECT_THREADS_OF_RUNS, (run_ids_json,))])
    return [row["thread_id"] for row in found]


async def _outlines(read: Read, thread_id: str) -> list[retention.Outline]:
    outlines: list[retention.Outline] = []
    after: tuple[str, str] = ("", "")
    while True:
        [page] = await read([Statement(sql.SELECT_OUTLINES, (thread_id, *after, PAGE_OUTLINES))])
        outlines += [rows.outline(row) for row in page]
        if len(page) < PAGE_OUTLINES:
            return outlines
        after = outlines[-1].key


async def _delete(commits: GroupCommit, thread_id: str, keys: Sequence[retention.CheckpointKey]) -> None:
    """Delete checkpoints, their writes and the values that only they used; one transaction for each page."""
    for start in range(0, len(keys), PAGE_OUTLINES):
        page = codec.to_json(keys[start : start + PAGE_OUTLINES])
        await commits.commit([Statement(statement, (thread_id, page)) for statement in sql.DELETE_CHECKPOINTS])
