"""`python -m bench.soak`: many runs on one server, and whether what the Worker holds stays flat.

Clients start runs of every kind on fresh threads and on threads of their own. From time to time they pause. Then V8's
inspector says how large the Worker's JavaScript heap is, a graph (`graphs/probe.py`) how large the rest of its isolate.

How much memory workerd has is shown, but not judged: it runs D1, the queues and the storage of the objects as well, and
grows with them (docs/reliability.md).
"""

import argparse
import asyncio
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, fields
from functools import partial
from pathlib import Path
from typing import Final

import httpx
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from bench.calls import Calls
from bench.inspector import Inspector
from bench.workloads import G1, G3, G4, PROJECT
from tools import local_server, worker_copy
from tools.local_server import Server

CLIENTS: Final = 12
#: Local workerd lets an idle object go after ten seconds.
PAUSE_SECONDS: Final = 20
#: An object on one side of the border may be freed only after the other side's garbage was collected.
COLLECTIONS: Final = 3
RUNS_OF_A_THREAD: Final = 10

#: The first samples do not count: caches fill, the allocator finds its size.
WARM_UP: Final = 0.4
#: Flat is what grows by less than this from the warm-up to the end, by the line that fits best.
TOLERANCE: Final = 0.05
#: The wasm heap grows in steps of a fifth, a little after its use reaches the end; workerd contains more than the
#: Worker.
NOT_JUDGED: Final = ("runs", "wasm_heap_mib", "workerd_mib")

#: Cloudflare's limit for an isolate: 128 MB.
LIMIT_MIB: Final = 128e6 / 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What the server held after so many runs."""

    runs: int
    wasm_heap_mib: float
    wasm_used_mib: float
    js_heap_mib: float
    js_references: int
    python_objects: int
    open_files: int
    workerd_mib: float

    @property
    def isolate_mib(self) -> float:
        """What counts towards an isolate's limit. A wasm heap never shrinks, so its size is its peak."""
        return self.wasm_heap_mib + self.js_heap_mib


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The judgement of one figure."""

    name: str
    begin: float
    end: float
    #: From the warm-up to the end, as a fraction of the mean.
    growth: float

    @property
    def is_flat(self) -> bool:
        """Whether the figure is flat by the rule above."""
        return self.growth < TOLERANCE


def verdicts(samples: list[Sample]) -> list[Verdict]:
    """One for each figure."""
    steady = samples[int(len(samples) * WARM_UP) :]
    runs = [float(sample.runs) for sample in steady]
    found: list[Verdict] = []
    for field in fields(Sample):
        if field.name not in NOT_JUDGED:
            values = [float(getattr(sample, field.name)) for sample in steady]
            slope = statistics.linear_regression(runs, values).slope
            growth = slope * (runs[-1] - runs[0]) / statistics.mean(values)
            found.append(Verdict(name=field.name, begin=values[0], end=values[-1], growth=growth))
    return found


class Soak:
    """Drives one server."""

    def __init__(self, server: Server, http: httpx.AsyncClient) -> None:
        self._server = server
        self._http = http
        self._calls = Calls(http)
        self._threads: dict[int, tuple[str, int]] = {}

    async def run(self, client: int, number: int) -> None:
        """One run of one kind."""
        kind = number % 10
        if kind < 4:
            await self._calls.wait(await self._thread_of(client), G1.graph, G1.input)
        elif kind < 6:
            await self._calls.wait(await self._calls.create_thread(), G1.graph, G1.input)
        elif kind < 7:
            async for _ in self._calls.stream(await self._calls.create_thread(), G4.graph, G4.input, "messages"):
                pass
        elif kind < 8:
            await self._calls.wait(await self._calls.create_thread(), G3.graph, {"steps": 5})
        else:
            thread_id = await self._calls.create_thread()
            await self._calls.join(thread_id, await self._calls.create_run(thread_id, G1.graph, G1.input))

    async def _thread_of(self, client: int) -> str:
        thread_id, used = self._threads.get(client, ("", RUNS_OF_A_THREAD))
        if used == RUNS_OF_A_THREAD:
            thread_id, used = await self._calls.create_thread(), 0
        self._threads[client] = thread_id, used + 1
        return thread_id

    async def sample(self, runs: int) -> Sample:
        """Measure the server while nothing happens."""
        await asyncio.sleep(PAUSE_SECONDS)
        memory: dict[str, int] = {}
        async with Inspector(self._http, self._server.inspector_port) as inspector:
            for _ in range(COLLECTIONS):
                await inspector.collect_garbage()
                memory = await self._calls.wait(await self._calls.create_thread(), "probe", {})
            js_heap_bytes = await inspector.js_heap_bytes()
        process = Path(f"/proc/{self._server.workerd_pid()}")
        resident_pages = int((process / "statm").read_text().split()[1])
        return Sample(
            runs=runs,
            wasm_heap_mib=memory["wasm_heap_bytes"] / 2**20,
            wasm_used_mib=memory["wasm_used_bytes"] / 2**20,
            js_heap_mib=js_heap_bytes / 2**20,
            js_references=memory["js_references"],
            python_objects=memory["python_objects"],
            open_files=len(list((process / "fd").iterdir())),
            workerd_mib=resident_pages * os.sysconf("SC_PAGE_SIZE") / 2**20,
        )


async def soak(
    server: Server, runs: int, parts: int, advance: Callable[[], None], tell: Callable[[Sample], None]
) -> list[Sample]:
    """One sample after each part of the runs, told as it comes."""
    samples: list[Sample] = []
    async with httpx.AsyncClient(base_url=server.url, timeout=300) as http:
        soaking = Soak(server, http)
        for part in range(parts):
            numbers = iter(range(part * runs // parts, (part + 1) * runs // parts))

            async def drive(client: int, numbers: Iterator[int] = numbers) -> None:
                for number in numbers:
                    await soaking.run(client, number)
                    advance()

            await asyncio.gather(*(drive(client) for client in range(CLIENTS)))
            samples.append(await soaking.sample((part + 1) * runs // parts))
            tell(samples[-1])
    return samples


def tables(samples: list[Sample], found: list[Verdict]) -> list[Table]:
    """What was measured, and what it means."""
    measured = Table(title="After so many runs")
    for field in fields(Sample):
        measured.add_column(field.name.replace("_", " "), justify="right")
    for sample in samples:
        measured.add_row(*map(_number, asdict(sample).values()))
    judged = Table(title=f"From {WARM_UP:.0%} of the runs to the end")
    for column in ("", "begin", "end", "growth", "flat"):
        judged.add_column(column, justify="right" if column else "left")
    for one in found:
        flat = "yes" if one.is_flat else "NO"
        judged.add_row(one.name.replace("_", " "), _number(one.begin), _number(one.end), f"{one.growth:+.1%}", flat)
    return [measured, judged]


def conclusion(samples: list[Sample], found: list[Verdict]) -> str:
    """The result, in one line each for growth and size."""
    growing = [one.name.replace("_", " ") for one in found if not one.is_flat]
    largest = max(sample.isolate_mib for sample in samples)
    return (
        f"{'GROWS: ' + ', '.join(growing) if growing else 'Flat'}\n"
        f"The isolate holds {largest:.1f} MiB of {LIMIT_MIB:.1f}: {LIMIT_MIB - largest:.1f} are left"
    )


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:,.1f}"


def main() -> int:
    """Soak and print; 1 when something grows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--samples", type=int, default=8)
    options = parser.parse_args()
    console = Console(width=None if Console().is_terminal else 120)
    columns = (TextColumn("runs"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with (
        local_server.serve(
            config=worker_copy.with_project("bench", PROJECT), inspector_port=local_server.free_port()
        ) as server,
        Progress(*columns, console=console) as progress,
    ):
        task = progress.add_task("", total=options.runs)
        began = time.monotonic()
        advance = partial(progress.advance, task)
        samples = asyncio.run(soak(server, options.runs, options.samples, advance, progress.console.print))
        seconds = time.monotonic() - began
    found = verdicts(samples)
    for table in tables(samples, found):
        console.print(table)
    console.print(f"{options.runs:,} runs in {seconds:,.0f} s")
    console.print(conclusion(samples, found))
    return 0 if all(one.is_flat for one in found) else 1


if __name__ == "__main__":
    sys.exit(main())
