"""What only whoever runs the server can measure: memory, and recovery after a kill."""

import asyncio
import os
import time
from pathlib import Path
from typing import Final

from bench.calls import Calls
from bench.figures import Figure, Samples, latency
from bench.scenarios import rate
from bench.workloads import G1, G2
from tools.local_server import Server

RECOVERY_TIMEOUT_SECONDS: Final = 120
RUNS_IN_FLIGHT: Final = 30


async def memory(server: Server, calls: Calls, runs: int) -> list[Figure]:
    """Resident memory of workerd, and what each further run adds."""
    before = _resident_mib(server.workerd_pid())

    async def one() -> None:
        await calls.wait(await calls.create_thread(), G1.graph, G1.input)

    await rate(runs, 8, one)
    after = _resident_mib(server.workerd_pid())
    return [
        Figure(name="workerd's memory", unit="MiB", value=after, samples=runs),
        Figure(name="workerd's memory growth", unit="KiB/run", value=(after - before) * 1024 / runs, samples=runs),
    ]


def _resident_mib(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


async def recovery(server: Server, calls: Calls) -> list[Figure]:
    """SIGKILL with 30 runs in flight: how long until each has succeeded, wrangler's restart of workerd included."""
    runs: list[tuple[str, str]] = []
    for _ in range(RUNS_IN_FLIGHT):
        thread_id = await calls.create_thread()
        runs.append((thread_id, await calls.create_run(thread_id, G2.graph, G2.input)))
    server.kill_workerd()
    killed = time.perf_counter()
    await asyncio.to_thread(server.wait_until_ready)
    ready = time.perf_counter()
    finished = Samples()
    async with asyncio.TaskGroup() as group:
        for thread_id, run_id in runs:
            group.create_task(_until_success(calls, thread_id, run_id, killed, finished))
    return [
        Figure(name="SIGKILL → server answers", unit="ms", value=(ready - killed) * 1000),
        latency(f"SIGKILL with {RUNS_IN_FLIGHT} runs in flight → success, G2", finished),
    ]


async def _until_success(calls: Calls, thread_id: str, run_id: str, since: float, finished: Samples) -> None:
    async with asyncio.timeout(RECOVERY_TIMEOUT_SECONDS):
        while (status := await calls.run_status(thread_id, run_id)) != "success":
            if status not in ("pending", "running"):
                raise RuntimeError(f"run {run_id} ended as {status} after the kill")
            await asyncio.sleep(0.1)
    finished.milliseconds.append((time.perf_counter() - since) * 1000)
