"""SIGKILL while expired data is deleted: nothing is deleted by half, and nothing that should stay is deleted."""

import asyncio
from typing import Any

import httpx
import pytest
from langgraph_sdk.client import LangGraphClient

from tests.chaos.crashes import LONG_AGO, RECOVERY_SECONDS, kill_workerd, sweep
from tests.support.database_file import DatabaseFile
from tests.support.waiting import until
from tools.local_server import Server

#: Of each kind; the first two and the items are more than one page of their sweeps.
DELETED, PRUNED, KEPT, ITEMS = 45, 15, 5, 250
STEPS: Any = [
    {"updates": [{"values": {"topic": "T"}, "as_node": "__start__"}]},
    {"updates": [{"values": {"messages": ["planner:T"]}, "as_node": "planner"}]},
]


async def threads(client: LangGraphClient, number: int, ttl: Any = None) -> set[str]:
    made = [client.threads.create(graph_id="sequence", supersteps=STEPS, ttl=ttl) for _ in range(number)]
    return {thread["thread_id"] for thread in await asyncio.gather(*made)}


@pytest.mark.parametrize("seconds", [0.15, 0.3])
async def test_sweeps_that_are_killed_delete_all_of_a_thread_or_nothing(
    client: LangGraphClient, http: httpx.AsyncClient, server: Server, database: DatabaseFile, seconds: float
) -> None:
    ttl = {"ttl": 60, "strategy": "delete"}
    deleted = await threads(client, DELETED, ttl)
    pruned = await threads(client, PRUNED, {**ttl, "strategy": "keep_latest"})
    later, kept = await threads(client, KEPT, ttl), await threads(client, KEPT)
    items = [client.store.put_item(("swept",), str(n), {"text": "words"}, ttl=60) for n in range(ITEMS)]
    await asyncio.gather(*items, client.store.put_item(("swept",), "stays", {"text": "words"}))
    for thread_id in deleted | pruned:
        database.run("UPDATE threads SET expires_at = ? WHERE thread_id = ?", LONG_AGO, thread_id)
    database.run("UPDATE store_items SET expires_at = ? WHERE expires_at IS NOT NULL", LONG_AGO)
    ticks = asyncio.gather(*(sweep(server) for _ in range(2)), return_exceptions=True)
    await asyncio.sleep(seconds)
    await asyncio.to_thread(kill_workerd, server)
    await ticks
    assert checkpoints(database, deleted) <= {0, 2}

    async def is_over() -> bool:
        await sweep(server)
        sql = "SELECT 1 FROM threads WHERE expires_at = ?1 UNION SELECT 1 FROM store_items WHERE expires_at = ?1"
        return not database.run(f"{sql} UNION SELECT 1 FROM deleted_threads", LONG_AGO)

    await until("all that was over is gone", is_over, seconds=RECOVERY_SECONDS)
    for thread_ids, left in ((deleted, 0), (pruned, 1), (later | kept, 2)):
        assert checkpoints(database, thread_ids) == {left}
    for table in ("checkpoints", "checkpoint_blobs", "checkpoint_writes", "runs"):
        assert database.run(f"SELECT 1 FROM {table} WHERE thread_id NOT IN (SELECT thread_id FROM threads)") == []
    for thread_id in [*pruned, *later, *kept]:
        state: Any = await client.threads.get_state(thread_id)
        assert (state["values"]["messages"], state["next"]) == (["planner:T"], ["researcher"])
        await client.threads.delete(thread_id)
    found = await client.store.search_items(("swept",), query="words", limit=100)
    assert [item["key"] for item in found["items"]] == ["stays"]
    assert database.run("SELECT COUNT(*) FROM store_texts WHERE store_texts MATCH 'text:words'") == [(1,)]


def checkpoints(database: DatabaseFile, thread_ids: set[str]) -> set[int]:
    """How many each of some threads has."""
    sql = "SELECT COUNT(*) FROM checkpoints WHERE thread_id = ?"
    return {number for thread_id in thread_ids for [number] in database.run(sql, thread_id)}
