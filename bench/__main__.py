"""`python -m bench`: drive a server through the scenarios and print the table.

Without `--url` it starts a server of its own with the graphs of `bench/graphs`, and measures also what needs the
server's process and files: start, memory, rows written, recovery after SIGKILL.
"""

import argparse
import asyncio
import sys
import time
from pathlib import Path

import httpx
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from bench import bare, operations, report, scenarios
from bench.calls import Calls
from bench.figures import Figure
from bench.scenarios import FULL, QUICK, Bench, Effort
from bench.workloads import PROJECT
from tools import local_server, worker_copy
from tools.local_server import Server


def main() -> int:
    """Measure, print, and write JSON if asked."""
    options = _parser().parse_args()
    effort = QUICK if options.quick else FULL
    if options.url:
        figures = asyncio.run(measure(options.url, None, effort, options.only))
    else:
        figures = with_own_server(effort, options.only)
    report.show(figures)
    if options.json:
        options.json.write_text(report.document(figures) + "\n")
    return 0


def with_own_server(effort: Effort, only: str) -> list[Figure]:
    """Start a server, measure everything, stop it."""
    configuration = worker_copy.with_project("bench", PROJECT)
    started = time.perf_counter()
    with local_server.serve(config=configuration) as server:
        start = Figure(name="process start → first /ok", unit="ms", value=(time.perf_counter() - started) * 1000)
        return [start, *asyncio.run(measure(server.url, server, effort, only))]


async def measure(url: str, server: Server | None, effort: Effort, only: str) -> list[Figure]:
    """The figures of every scenario whose name contains `only`."""
    limits = httpx.Limits(max_connections=None)
    figures: list[Figure] = []
    async with httpx.AsyncClient(base_url=url, timeout=120, limits=limits) as http, bare.with_sqlite() as with_sqlite:
        calls = Calls(http)
        bench = Bench(calls, with_sqlite, bare.Bare(None), effort)
        steps = {scenario.__name__: lambda scenario=scenario: scenario(bench) for scenario in scenarios.ALL}
        if server is not None:
            steps |= {
                "billing": lambda: operations.billing(server, calls, effort.repeats),
                "memory": lambda: operations.memory(server, calls, effort.runs_per_throughput),
                "recovery": lambda: operations.recovery(server, calls),
            }
        columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
        with Progress(*columns, console=Console(stderr=True)) as progress:
            for name, step in steps.items():
                if only in name:
                    task = progress.add_task(name.replace("_", " "), total=1)
                    figures += await step()
                    progress.update(task, completed=1)
    return figures


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--url", help="a running server that serves bench/graphs; default: start one")
    parser.add_argument("--quick", action="store_true", help="fewer repeats: under a minute, rougher figures")
    parser.add_argument("--only", default="", metavar="TEXT", help="only scenarios whose name contains TEXT")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures as JSON")
    return parser


if __name__ == "__main__":
    sys.exit(main())
