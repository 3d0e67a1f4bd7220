"""The same graphs run in this process, without server, queue and API: the baseline of every figure."""

import importlib.util
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, TypeAlias
from uuid import uuid4

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.pregel import Pregel

from bench.workloads import PROJECT, Workload

Graph: TypeAlias = Pregel[Any, Any, Any, Any]
Mode: TypeAlias = Literal["values", "messages"]


class Bare:
    """Runs workloads with a checkpointer, or with none."""

    def __init__(self, checkpointer: BaseCheckpointSaver[Any] | None) -> None:
        self._checkpointer = checkpointer
        self._graphs: dict[str, Graph] = {}

    def graph(self, name: str) -> Graph:
        """A graph of the benchmark project with this checkpointer."""
        if name not in self._graphs:
            self._graphs[name] = load(name).copy(update={"checkpointer": self._checkpointer})
        return self._graphs[name]

    async def run(self, workload: Workload, thread_id: str | None = None, graph_input: Any = None) -> None:
        """Run to the end on a fresh thread, or on the given one; `graph_input` replaces the workload's own."""
        await self.graph(workload.graph).ainvoke(graph_input or workload.input, config(thread_id))

    async def stream(self, workload: Workload, mode: Mode) -> tuple[float, float]:
        """Milliseconds to the first chunk and to the end of a streamed run."""
        started = time.perf_counter()
        first = None
        async for _ in self.graph(workload.graph).astream(workload.input, config(), stream_mode=mode):
            first = first or time.perf_counter()
        ended = time.perf_counter()
        return ((first or ended) - started) * 1000, (ended - started) * 1000


@asynccontextmanager
async def with_sqlite() -> AsyncIterator[Bare]:
    """Bare runs whose checkpoints go to a SQLite file."""
    with TemporaryDirectory() as folder:
        async with AsyncSqliteSaver.from_conn_string(str(Path(folder) / "checkpoints.sqlite")) as saver:
            yield Bare(saver)


def load(name: str) -> Graph:
    """The graph that the benchmark project's langgraph.json calls `name`."""
    entry: str = json.loads(PROJECT.read_text())["graphs"][name]
    file, _, variable = entry.partition(":")
    path = PROJECT.parent / file
    spec = importlib.util.spec_from_file_location(f"bench_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"cannot import {path}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, variable)


def config(thread_id: str | None = None) -> RunnableConfig:
    """The configuration of a run on a thread, a fresh one unless given."""
    return {"configurable": {"thread_id": thread_id or str(uuid4())}, "recursion_limit": 10_000}
