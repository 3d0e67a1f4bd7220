"""Runs every `test_…` function of the `*_body.py` files beside it inside workerd; lists them from their source."""

import ast
import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.conformance import TESTS
from tools import local_server, worker_copy

BODY_TIMEOUT_SECONDS = 120


def bodies() -> list[str]:
    found: list[str] = []
    for path in sorted(Path(__file__).parent.glob("*_body.py")):
        functions = [node for node in ast.parse(path.read_text()).body if isinstance(node, ast.AsyncFunctionDef)]
        found += [f"{path.stem}/{function.name}" for function in functions if function.name.startswith("test_")]
    return found


@pytest.fixture(scope="module")
def server() -> Iterator[local_server.Server]:
    with local_server.serve(config=worker_copy.with_workerd_tests()) as started:
        yield started


def run(server: local_server.Server, body: str) -> Any:
    with urllib.request.urlopen(f"{server.url}/bodies/{body}", timeout=BODY_TIMEOUT_SECONDS) as answer:
        outcome = json.load(answer)
    assert outcome["failure"] is None, outcome["failure"]
    return outcome["result"]


@pytest.mark.parametrize("body", bodies())
def test_body(server: local_server.Server, body: str) -> None:
    result = run(server, body)
    if body == "checkpointer_body/test_every_capability_conforms":
        assert result == TESTS
