"""What a run costs in D1: round trips, rows read and written as Cloudflare bills them, bytes stored.

Counted on a server of its own, whose D1 binding logs every batch, so that counting does not slow down what is timed.
"""

import json
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from bench.calls import Calls
from bench.figures import Figure
from bench.workloads import G1, G3, G4, G5, PROJECT, Workload
from tools import local_server, worker_copy
from tools.local_server import Server

COUNTING_BINDING: Final = Path(__file__).with_name("counting_d1.py")
MARK: Final = "d1-batch "

#: Log lines arrive within this time after the answer of the request that caused them.
LOG_DELAY_SECONDS: Final = 1.0


@contextmanager
def counting_server() -> Iterator[Server]:
    """A server with the benchmark's graphs that logs every D1 batch."""
    configuration = worker_copy.with_project("bench-bill", PROJECT)
    bindings = configuration.parent / "src" / "bindings"
    (bindings / "d1.py").rename(bindings / "plain_d1.py")
    (bindings / "d1.py").write_text(COUNTING_BINDING.read_text())
    with local_server.serve(config=configuration) as server:
        yield server


async def billing(server: Server, calls: Calls, runs: int) -> list[Figure]:
    """The bill of one run of each workload, thread included."""
    figures: list[Figure] = []
    await calls.wait(await calls.create_thread(), G1.graph, G1.input)
    for workload in (G1, G3, G4, G5):
        before = counts(server), _bytes_stored(server)
        for _ in range(runs):
            await calls.wait(await calls.create_thread(), workload.graph, workload.input)
        counted, grown = counts(server) - before[0], _bytes_stored(server) - before[1]
        figures += [_figure(workload, what, count / runs, runs) for what, count in sorted(counted.items())]
        figures.append(_figure(workload, "KiB stored", grown / runs / 1024, runs))
    return figures


def _figure(workload: Workload, what: str, value: float, runs: int) -> Figure:
    return Figure(name=f"D1 {what}, {workload.name}", unit="per run", value=value, samples=runs)


def counts(server: Server) -> Counter[str]:
    """What all batches so far were billed."""
    time.sleep(LOG_DELAY_SECONDS)
    total: Counter[str] = Counter()
    for line in server.log().splitlines():
        if line.startswith(MARK):
            batch = json.loads(line.removeprefix(MARK))
            total += Counter({"round trips": 1, "rows read": batch["rows_read"], "rows written": batch["rows_written"]})
    return total


def _bytes_stored(server: Server) -> int:
    """The size of the database without its free pages."""
    with closing(sqlite3.connect(database_file(server), timeout=10)) as connection:
        ((size,),) = connection.execute(
            "SELECT (page_count - freelist_count) * page_size"
            " FROM pragma_page_count(), pragma_freelist_count(), pragma_page_size()"
        )
        return int(size)


def database_file(server: Server) -> Path:
    """Where local workerd keeps D1's rows."""
    folder = server.persist_to / "v3" / "d1"
    (path,) = (path for path in folder.rglob("*.sqlite") if path.name != "metadata.sqlite")
    return path
