"""Superstep serving the graphs of `tests/e2e/graphs` or another project, on a free port, with state of its own."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from tools import local_server, worker_copy
from tools.local_server import Server

LANGGRAPH_JSON = Path(__file__).parents[1] / "e2e" / "graphs" / "langgraph.json"

#: Servers of this process, so that a failure can show what they said.
_serving: list[Server] = []


@contextmanager
def serving(project: Path = LANGGRAPH_JSON, /, *, main: Path | None = None, **variables: str) -> Iterator[Server]:
    """A server of a langgraph.json with fresh state and the given variables, until the end of the block.

    `main` is the Worker's main module, unless it is `entry.py`. The server has a copy of the Worker to itself: another
    server's copy must not change, as that would restart it.
    """
    name = f"e2e-{uuid4()}"
    try:
        with local_server.serve(config=worker_copy.with_project(name, project, main=main), vars=variables) as server:
            _serving.append(server)
            try:
                yield server
            finally:
                _serving.remove(server)
    finally:
        shutil.rmtree(worker_copy.FOLDER / name, ignore_errors=True)


def show_logs(report: pytest.TestReport) -> None:
    """Add the end of every running server's log to the report of a failed test."""
    if report.failed:
        report.sections += [(f"log of {server.url}", server.log_tail()) for server in _serving]
