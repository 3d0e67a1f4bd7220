"""What is measured: each scenario drives the server, then does the same work bare, and returns its figures."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Final, TypeAlias

from langgraph.types import Command

from bench.bare import Bare, Graph, Mode, config
from bench.calls import Calls
from bench.figures import Figure, Samples, growth, latency
from bench.workloads import G1, G2, G3, G4, G5, HELLO, Workload, loop_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How often and how much."""

    repeats: int
    clients: tuple[int, ...]
    runs_per_throughput: int
    checkpoints: tuple[int, ...]
    runs_on_one_thread: int
    #: How many threads are searched.
    threads: int


FULL: Final = Effort(
    repeats=60,
    clients=(8, 32, 128),
    runs_per_throughput=200,
    checkpoints=(10, 200, 1000),
    runs_on_one_thread=200,
    threads=100_000,
)
QUICK: Final = Effort(
    repeats=10, clients=(8,), runs_per_throughput=40, checkpoints=(10,), runs_on_one_thread=20, threads=10_000
)


@dataclass(frozen=True, slots=True)
class Bench:
    """The two sides of every comparison."""

    calls: Calls
    bare: Bare
    without_checkpointer: Bare
    effort: Effort


Scenario: TypeAlias = Callable[[Bench], Awaitable[list[Figure]]]


async def repeat(times: int, action: Callable[[], Awaitable[object]], *, warm_up: int = 3) -> Samples:
    """Do it one after the other; the first few times do not count."""
    samples = Samples()
    for _ in range(warm_up):
        await action()
    for _ in range(times):
        with samples.timed():
            await action()
    return samples


async def creating(bench: Bench) -> list[Figure]:
    """A thread, and a background run that is only accepted."""
    threads = await repeat(bench.effort.repeats, bench.calls.create_thread)
    accepted = Samples()
    for _ in range(bench.effort.repeats):
        thread_id = await bench.calls.create_thread()
        with accepted.timed():
            run_id = await bench.calls.create_run(thread_id, G1.graph, G1.input)
        await bench.calls.join(thread_id, run_id)
    return [latency("POST /threads", threads), latency("background create, time to answer", accepted)]


async def background(bench: Bench) -> list[Figure]:
    """From the request that creates a run to its values."""

    async def through_the_queue() -> None:
        thread_id = await bench.calls.create_thread()
        run_id = await bench.calls.create_run(thread_id, G1.graph, G1.input)
        await bench.calls.join(thread_id, run_id)

    served = await repeat(bench.effort.repeats, through_the_queue)
    bare = await repeat(bench.effort.repeats, lambda: bench.bare.run(G1))
    return [latency("thread + create → success, G1", served, bare)]


async def waiting(bench: Bench) -> list[Figure]:
    """/runs/wait on a fresh thread: short, and with many super-steps."""
    figures: list[Figure] = []
    for workload, repeats in ((G1, bench.effort.repeats), (G3, max(5, bench.effort.repeats // 3))):

        async def served(workload: Workload = workload) -> None:
            await bench.calls.wait(await bench.calls.create_thread(), workload.graph, workload.input)

        async def bare(workload: Workload = workload) -> None:
            await bench.bare.run(workload)

        figures.append(
            latency(f"thread + /runs/wait, {workload.name}", await repeat(repeats, served), await repeat(repeats, bare))
        )
        alone = await repeat(repeats, lambda workload=workload: bench.without_checkpointer.run(workload))
        figures.append(latency(f"bare ainvoke without a checkpointer, {workload.name}", alone))
    return figures


async def streaming(bench: Bench) -> list[Figure]:
    """First event after `metadata`, and the end, of a streamed run."""
    figures: list[Figure] = []
    modes: list[tuple[Workload, str, Mode]] = [(G1, "values", "values"), (G4, "messages-tuple", "messages")]
    for workload, mode, native in modes:
        first, end, bare_first, bare_end = Samples(), Samples(), Samples(), Samples()
        for _ in range(bench.effort.repeats):
            one, all_of_it = await stream_once(bench.calls, workload, mode)
            first.milliseconds.append(one)
            end.milliseconds.append(all_of_it)
            one, all_of_it = await bench.bare.stream(workload, native)
            bare_first.milliseconds.append(one)
            bare_end.milliseconds.append(all_of_it)
        figures.append(latency(f"/runs/stream {workload.name}: first event", first, bare_first))
        figures.append(latency(f"/runs/stream {workload.name}: end", end, bare_end))
    return figures


async def stream_once(calls: Calls, workload: Workload, mode: str) -> tuple[float, float]:
    """Milliseconds to the first event that the graph made, and to the end, on a fresh thread."""
    thread_id = await calls.create_thread()
    started = time.perf_counter()
    first = None
    async for event in calls.stream(thread_id, workload.graph, workload.input, mode):
        if event != "metadata":
            first = first or time.perf_counter()
    ended = time.perf_counter()
    return ((first or ended) - started) * 1000, (ended - started) * 1000


async def chats_at_once(bench: Bench) -> list[Figure]:
    """Eight people chat at the same time."""
    served, bare = Samples(), Samples()
    for _ in range(max(3, bench.effort.repeats // 10)):
        ends = await asyncio.gather(*(stream_once(bench.calls, G4, "messages-tuple") for _ in range(8)))
        served.milliseconds += [end for _, end in ends]
        ends = await asyncio.gather(*(bench.bare.stream(G4, "messages") for _ in range(8)))
        bare.milliseconds += [end for _, end in ends]
    return [latency("/runs/stream G4, 8 clients at once: end", served, bare)]


async def interrupting(bench: Bench) -> list[Figure]:
    """A question, then its answer."""
    ask, resume, bare_ask, bare_resume = Samples(), Samples(), Samples(), Samples()
    for number in range(bench.effort.repeats):
        thread_id = await bench.calls.create_thread()
        with ask.timed():
            await bench.calls.wait(thread_id, G5.graph, G5.input)
        with resume.timed():
            await bench.calls.wait(thread_id, G5.graph, None, command={"resume": "yes"})
        with bare_ask.timed():
            await bench.bare.run(G5, f"interrupting-{number}")
        with bare_resume.timed():
            await bench.bare.run(G5, f"interrupting-{number}", Command(resume="yes"))
    return [
        latency("/runs/wait G5: ask", ask, bare_ask),
        latency("/runs/wait G5: resume", resume, bare_resume),
    ]


async def throughput(bench: Bench) -> list[Figure]:
    """Runs completed per second with many clients, each on a fresh thread every time."""
    figures: list[Figure] = []
    for workload in (G1, G2):
        for clients in bench.effort.clients:

            async def served(workload: Workload = workload) -> None:
                await bench.calls.wait(await bench.calls.create_thread(), workload.graph, workload.input)

            async def bare(workload: Workload = workload) -> None:
                await bench.bare.run(workload)

            runs = max(clients * 2, bench.effort.runs_per_throughput)
            figures.append(
                Figure(
                    name=f"throughput {workload.name}, {clients} clients",
                    unit="runs/s",
                    value=await rate(runs, clients, served),
                    samples=runs,
                    bare=await rate(runs, clients, bare),
                )
            )
    return figures


async def rate(times: int, at_once: int, action: Callable[[], Awaitable[None]]) -> float:
    """How many per second when `at_once` workers share `times` actions."""
    left = iter(range(times))

    async def worker() -> None:
        for _ in left:
            await action()

    started = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(at_once):
            group.create_task(worker())
    return times / (time.perf_counter() - started)


async def reading(bench: Bench) -> list[Figure]:
    """State and history of threads with few and with many checkpoints."""
    figures: list[Figure] = []
    for checkpoints in bench.effort.checkpoints:
        workload = loop_of(checkpoints - 2)
        graph = bench.bare.graph(workload.graph)
        thread_id = await bench.calls.create_thread()
        await bench.calls.wait(thread_id, workload.graph, workload.input)
        await bench.bare.run(workload, thread_id)

        async def history(graph: Graph = graph, thread_id: str = thread_id) -> None:
            async for _ in graph.aget_state_history(config(thread_id), limit=10):
                pass

        state_path, history_path = f"/threads/{thread_id}/state", f"/threads/{thread_id}/history?limit=10"
        repeats = bench.effort.repeats
        served = await repeat(repeats, lambda path=state_path: bench.calls.get(path))
        bare = await repeat(repeats, lambda graph=graph, thread_id=thread_id: graph.aget_state(config(thread_id)))
        figures.append(latency(f"state of {checkpoints} checkpoints", served, bare))
        served = await repeat(repeats, lambda path=history_path: bench.calls.get(path))
        figures.append(latency(f"history, last 10 of {checkpoints}", served, await repeat(repeats, history)))
    return figures


async def one_long_thread(bench: Bench) -> list[Figure]:
    """Messages pile up on one thread: how much slower the last runs are than the first."""
    runs = bench.effort.runs_on_one_thread
    thread_id = await bench.calls.create_thread()
    served = await repeat(runs, lambda: bench.calls.wait(thread_id, G1.graph, HELLO), warm_up=0)
    bare = await repeat(runs, lambda: bench.bare.run(G1, thread_id), warm_up=0)
    few = max(3, runs // 20)
    ratios = [growth(samples.milliseconds[1 : few + 1], samples.milliseconds[-few:]) for samples in (served, bare)]
    return [Figure(name=f"the {runs}th run on a thread ÷ the first", unit="times", value=ratios[0], bare=ratios[1])]


ALL: Final[Iterable[Scenario]] = (
    creating,
    background,
    waiting,
    streaming,
    chats_at_once,
    interrupting,
    throughput,
    reading,
    one_long_thread,
)
