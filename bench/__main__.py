"""`python -m bench`: drive a server through the scenarios and print the table.

Without `--url` it starts servers of its own with the graphs of `bench/graphs`, and measures also what needs their
processes and files: start, memory, recovery after SIGKILL, what a run costs in D1.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TypeAlias

import httpx
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from bench import bare, bill, operations, report, scenarios, searching
from bench.calls import Calls
from bench.figures import Figure
from bench.scenarios import FULL, QUICK, Bench, Effort
from bench.workloads import PROJECT
from tools import local_server, worker_copy
from tools.local_server import Server

Step: TypeAlias = Callable[[], Awaitable[list[Figure]]]


def main() -> int:
    """Measure, print, and write files if asked."""
    options = _parser().parse_args()
    effort = QUICK if options.quick else FULL
    if options.url:
        figures = asyncio.run(measure(options.url, None, effort, options.only))
    else:
        figures = with_own_servers(effort, options.only)
    report.show(figures)
    if options.json:
        options.json.write_text(report.document(figures) + "\n")
    if options.markdown:
        options.markdown.write_text(report.markdown(figures))
    return 0


def with_own_servers(effort: Effort, only: str) -> list[Figure]:
    """Start a server and measure it, then one that counts what a run costs in D1."""
    configuration = worker_copy.with_project("bench", PROJECT)
    started = time.perf_counter()
    with local_server.serve(config=configuration) as server:
        start = Figure(name="wrangler dev → first /ok", unit="ms", value=(time.perf_counter() - started) * 1000)
        figures = [start, *asyncio.run(measure(server.url, server, effort, only))]
    if only in bill.billing.__name__ or only in searching.searching.__name__:
        with bill.counting_server() as server:
            figures += asyncio.run(count(server, effort, only))
    return figures


async def measure(url: str, server: Server | None, effort: Effort, only: str) -> list[Figure]:
    """The figures of every scenario whose name contains `only`."""
    figures: list[Figure] = []
    async with client(url) as calls, bare.with_sqlite() as with_sqlite:
        bench = Bench(calls, with_sqlite, bare.Bare(None), effort)
        steps = {scenario.__name__: partial(scenario, bench) for scenario in scenarios.ALL}
        if server is not None:
            steps["memory"] = partial(operations.memory, server, calls, effort.runs_per_throughput)
            steps["recovery"] = partial(operations.recovery, server, calls)
        for name, step in steps.items():
            if only in name:
                figures += await shown(name, step)
    return figures


async def count(server: Server, effort: Effort, only: str) -> list[Figure]:
    """The D1 bill of each workload, and searches."""
    async with client(server.url) as calls:
        steps: dict[str, Step] = {
            "billing": partial(bill.billing, server, calls, max(3, effort.repeats // 6)),
            "searching": partial(searching.searching, server, calls, effort.threads, effort.repeats),
        }
        return [figure for name, step in steps.items() if only in name for figure in await shown(name, step)]


async def shown(name: str, step: Step) -> list[Figure]:
    """The figures of a step, whose name and time are shown meanwhile."""
    columns = (SpinnerColumn(), TextColumn("{task.description:20}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(name.replace("_", " "), total=1)
        figures = await step()
        progress.update(task, completed=1)
    return figures


@asynccontextmanager
async def client(url: str) -> AsyncIterator[Calls]:
    """Calls to a server, over as many connections as they need."""
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=url, timeout=120, limits=limits) as http:
        yield Calls(http)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--url", help="a running server that serves bench/graphs; default: start one")
    parser.add_argument("--quick", action="store_true", help="fewer repeats: under a minute, rougher figures")
    parser.add_argument("--only", default="", metavar="TEXT", help="only scenarios whose name contains TEXT")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures as JSON")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="also write what docs/performance.md shows")
    return parser


if __name__ == "__main__":
    sys.exit(main())
