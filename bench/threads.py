"""`python -m bench.threads`: a thousand threads at once, and a slow run beside quick ones."""

import argparse
import asyncio
import time
from typing import Any, Final

import httpx

from bench.calls import Calls
from bench.figures import Figure, Samples, latency
from bench.report import show
from bench.workloads import G1, PROJECT
from tools import local_server, worker_copy

NAP_SECONDS: Final = 20.0
QUICK_RUNS: Final = 30
CREATES_AT_ONCE: Final = 16


async def at_once(calls: Calls, threads: int) -> Figure:
    """How long until runs on so many threads have succeeded, each of which waits."""
    creating = asyncio.Semaphore(CREATES_AT_ONCE)

    async def one() -> tuple[str, str]:
        async with creating:
            thread_id = await calls.create_thread()
            return thread_id, await calls.create_run(thread_id, "nap", {"seconds": NAP_SECONDS})

    began = time.perf_counter()
    runs = await asyncio.gather(*(one() for _ in range(threads)))
    for thread_id, run_id in runs:
        await calls.join(thread_id, run_id)
    seconds = time.perf_counter() - began
    name = f"{threads:,} runs of {NAP_SECONDS:g} s on as many threads"
    return Figure(name=name, unit="s", value=seconds, samples=threads)


async def quick_ones(calls: Calls) -> Samples:
    """What a run costs that waits for nothing."""
    samples = Samples()
    for _ in range(QUICK_RUNS):
        with samples.timed():
            await calls.wait(await calls.create_thread(), G1.graph, G1.input)
    return samples


async def beside_slow_ones(calls: Calls, slow: int) -> list[Figure]:
    """The time of quick runs, alone and while slow runs wait in the same isolate."""
    await quick_ones(calls)
    alone = await quick_ones(calls)
    napping: list[asyncio.Task[Any]] = []
    for _ in range(slow):
        thread_id = await calls.create_thread()
        napping.append(asyncio.create_task(calls.wait(thread_id, "nap", {"seconds": NAP_SECONDS})))
    beside = await quick_ones(calls)
    await asyncio.gather(*napping)
    return [latency("quick runs alone", alone), latency(f"quick runs beside {slow} slow ones", beside)]


async def measure(url: str, threads: int) -> list[Figure]:
    """All figures."""
    limits = httpx.Limits(max_connections=200)
    async with httpx.AsyncClient(base_url=url, timeout=300, limits=limits) as http:
        calls = Calls(http)
        return [*await beside_slow_ones(calls, slow=10), await at_once(calls, threads)]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1000)
    threads = parser.parse_args().threads
    with local_server.serve(config=worker_copy.with_project("bench-threads", PROJECT)) as server:
        show(asyncio.run(measure(server.url, threads)))


if __name__ == "__main__":
    main()
