"""Searching many threads: how long it takes, and how many rows it reads.

The threads are put into the database's file by hand: creating them one by one would take an hour.
"""

import json
import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any, Final

from bench import bill
from bench.calls import Calls
from bench.figures import Figure, latency
from bench.scenarios import repeat
from tools.local_server import Server

#: So many different owners; each has a few threads.
OWNERS: Final = 5000

SEARCHES: Final[dict[str, dict[str, Any]]] = {
    "first page": {},
    "page 5,000": {"offset": 50_000},
    "metadata that few have": {"metadata": {"owner": "owner-77"}},
    "metadata that none has": {"metadata": {"owner": "nobody"}},
    "status interrupted": {"status": "interrupted"},
    "status busy, one in a thousand": {"status": "busy"},
    "sorted by created_at": {"sort_by": "created_at"},
    "sorted by state_updated_at": {"sort_by": "state_updated_at"},
    "sorted by status": {"sort_by": "status"},
    "sorted by thread_id": {"sort_by": "thread_id"},
    "values that none has": {"values": {"topic": "nothing"}},
    "values and metadata": {"values": {"topic": "nothing"}, "metadata": {"owner": "owner-77"}},
}


async def searching(server: Server, calls: Calls, threads: int, repeats: int) -> list[Figure]:
    """Each kind of search on a server with that many threads more."""
    with closing(sqlite3.connect(bill.database_file(server), timeout=30)) as connection, connection:
        connection.executemany(
            "INSERT INTO threads (thread_id, status, metadata, config, values_json,"
            " created_at, updated_at, state_updated_at, format) VALUES (?, ?, ?, '{}', ?, ?, ?, ?, 1)",
            _rows(threads),
        )
    figures: list[Figure] = []
    for name, body in SEARCHES.items():
        before = bill.counts(server)
        await calls.search(body)
        read = (bill.counts(server) - before)["rows read"]
        samples = await repeat(repeats, lambda body=body: calls.search(body))
        figures.append(latency(f"search: {name}", samples))
        figures.append(Figure(name=f"search: {name}", unit="rows read", value=read, samples=1))
    return figures


def _rows(threads: int) -> Iterator[tuple[str, ...]]:
    """Threads of a year, with a few KB of values each."""
    chance = random.Random(1)
    for number in range(threads):
        time = f"2025-{1 + number * 12 // threads:02}-{1 + number % 28:02}T{number % 24:02}:00:00.{number:06}+00:00"
        (status,) = chance.choices(("idle", "busy", "interrupted", "error"), (94.9, 0.1, 4, 1))
        metadata = {"graph_id": "agent", "assistant_id": "05ab", "owner": f"owner-{chance.randrange(OWNERS)}"}
        values = {"topic": f"topic {number}", "messages": ["x" * chance.randrange(500, 6000)]}
        thread_id = f"{number:08x}-0000-7000-8000-{chance.getrandbits(48):012x}"
        yield thread_id, status, _json(metadata), _json(values), time, time, time


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))
