"""Superstep serving the graphs of `tests/e2e/graphs`, on a free port with a state directory of its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tools import local_server, worker_copy
from tools.local_server import Server

LANGGRAPH_JSON = Path(__file__).parents[1] / "e2e" / "graphs" / "langgraph.json"

#: Servers of this process, so that a failure can show what they said.
_serving: list[Server] = []


@contextmanager
def serving(**variables: str) -> Iterator[Server]:
    """A server with fresh state and the given variables, until the end of the block."""
    with local_server.serve(config=worker_copy.with_project("e2e", LANGGRAPH_JSON), vars=variables) as server:
        _serving.append(server)
        try:
            yield server
        finally:
            _serving.remove(server)


def show_logs(report: pytest.TestReport) -> None:
    """Add the end of every running server's log to the report of a failed test."""
    if report.failed:
        report.sections += [(f"log of {server.url}", server.log_tail()) for server in _serving]
