"""Imports point down, and JavaScript and SQL stay where they belong: the layout always matches the architecture."""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools import paths

#: From the top down; what stands in one line never imports each other.
LAYERS = (
    ("entry",),
    ("durable_thread", "workflow_steps", "each_minute", "in_process_client"),
    ("deployment",),
    ("api", "queue_consumer", "bindings"),
    ("runs",),
    ("tracing", "webhooks"),
    ("streaming", "graphs", "auth", "store", "d1_checkpointer", "d1_cache"),
    ("checkpoints",),
    ("tables", "wire"),
    (
        "ports",
        "errors",
        "garbage",
        "settings",
        "project_config",
        "http_messages",
        "cross_origin",
        "clock",
        "ids",
        "compact_json",
        "d1_usage",
        "log_lines",
        "trace_context",
        "trace_sampling",
        "langgraph_terms",
        "patient_database",
    ),
)
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}

SOURCES = sorted(path for path in paths.SOURCE.rglob("*.py") if paths.PROJECT not in path.parents)


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def name_of(path: Path) -> str:
    return path.relative_to(paths.SOURCE).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(paths.SOURCE)))
def test_imports_point_down(path: Path) -> None:
    own = name_of(path)
    for module in imported(path):
        name = module.partition(".")[0]
        if name in LEVEL and name != own:
            floor = LEVEL[own] == LEVEL[name] == len(LAYERS) - 1
            assert floor or LEVEL[own] < LEVEL[name], f"{own} must not import {module}"


#: The packages of `runs`, from the top down; its own modules lie below them all.
RUNS = ("thread_object", "execution", "threads", "crons")


@pytest.mark.parametrize("path", sorted((paths.SOURCE / "runs").rglob("*.py")), ids=lambda path: path.stem)
def test_imports_within_runs_point_down(path: Path) -> None:
    own = _rank(path.relative_to(paths.SOURCE / "runs").parts[0])
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (parts := (node.module or "").split("."))[0] == "runs":
            for name in parts[1:2] or [alias.name for alias in node.names]:
                assert own <= _rank(name), f"{path.relative_to(paths.SOURCE)} must not import runs.{name}"


def _rank(name: str) -> int:
    return RUNS.index(name) if name in RUNS else len(RUNS)


def test_every_module_has_a_layer() -> None:
    assert {name_of(path) for path in SOURCES} - set(LEVEL) == set()


def test_javascript_stays_at_the_edge() -> None:
    edge = {"bindings", "entry", "durable_thread", "workflow_steps"}
    strays = [path for path in SOURCES if {"js", "pyodide", "workers"} & {m.partition(".")[0] for m in imported(path)}]
    assert [path for path in strays if name_of(path) not in edge] == []


def test_sql_stays_with_the_tables() -> None:
    sql = re.compile(r"\b(SELECT .+\bFROM|INSERT (OR \w+ )?INTO|UPDATE \w+\s+SET|DELETE FROM)\b", re.DOTALL)
    allowed = {"tables", "d1_checkpointer", "checkpoints"}
    texts = {path: "\n".join(_long_strings(path)) for path in SOURCES if name_of(path) not in allowed}
    strays = {str(path.relative_to(paths.SOURCE)) for path, text in texts.items() if sql.search(text)}
    assert strays == {"streaming/event_log.py", "streaming/stream_notes.py"}


def _long_strings(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def test_no_top_level_module_hides_one_of_the_standard_library() -> None:
    assert {name_of(path) for path in SOURCES} & sys.stdlib_module_names == set()


def test_what_tests_share_stands_in_support() -> None:
    tests = [path for path in (paths.ROOT / "tests").rglob("*.py") if "node_modules" not in path.parts]
    assert {path.name: module for path in tests for module in imported(path) if ".test_" in module} == {}
