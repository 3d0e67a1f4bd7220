"""Loading a bundled project, and reporting what is wrong with it."""

import json
import os
import sys
from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.pregel import Pregel
from langgraph.store.memory import InMemoryStore

from d1_checkpointer import D1Saver
from errors import GraphLoadError, NotFound
from graphs.factories import Purpose
from graphs.registry import Registry
from tests.support.sqlite_database import SqliteDatabase

GRAPH = """
from typing import TypedDict
from langgraph.graph import StateGraph, START

class State(TypedDict):
    x: int

builder = StateGraph(State)
builder.add_node("node", lambda state: {"x": 1})
builder.add_edge(START, "node")
graph = builder.compile()
number = 7

def made(config):
    assert config["configurable"]["tenant"] == "t"
    return builder

async def made_async():
    return graph

def made_with_runtime(runtime: "ServerRuntime"):
    assert runtime.access_context == "threads.create_run"
    return graph

def made_wrong():
    return "no graph"
"""

FUNCTIONAL = """
from langgraph.func import entrypoint

@entrypoint()
def double(x: int) -> int:
    return 2 * x
"""

_unique = count()


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    """A project folder whose package name no other test uses, for modules stay loaded."""
    package = f"project_under_test_{next(_unique)}"
    (tmp_path / package).mkdir()
    yield tmp_path / package
    sys.path[:] = [entry for entry in sys.path if entry != str(tmp_path)]


def purpose(config: RunnableConfig | None = None) -> Purpose:
    return Purpose(access="threads.create_run", config=config or {}, store=InMemoryStore())


def load(
    project: Path, files: Mapping[str, str], graphs: Mapping[str, str], env: Mapping[str, str] | None = None
) -> Registry:
    for name, text in files.items():
        (project / name).write_text(text)
    entries: dict[str, Any] = {}
    for graph_id, source in graphs.items():
        module, _, attribute = source.partition(":")
        entries[graph_id] = {"module_path": f"{project.name}/{module}", "attribute": attribute, "description": graph_id}
    (project.parent / "manifest.json").write_text(json.dumps({"graphs": entries, "env": dict(env or {})}))
    return Registry.load(project.parent)


@pytest.mark.parametrize("attribute", ["graph", "builder", "made", "made_async", "made_with_runtime"])
async def test_graphs_builders_and_factories_become_graphs(project: Path, attribute: str) -> None:
    registry = load(project, {"graph.py": GRAPH}, {"one": f"graph.py:{attribute}"})
    async with registry.open("one", purpose({"configurable": {"tenant": "t"}})) as graph:
        assert isinstance(graph, Pregel)
        assert await graph.ainvoke({"x": 0}) == {"x": 1}
    assert (registry.graph_ids(), registry.description("one")) == (("one",), "one")


async def test_the_functional_api_is_a_graph(project: Path) -> None:
    registry = load(project, {"flow.py": FUNCTIONAL}, {"double": "flow.py:double"})
    async with registry.open("double", purpose()) as graph:
        assert await graph.ainvoke(21) == 42


async def test_modules_may_import_each_other_and_have_any_file_name(project: Path) -> None:
    files = {"__init__.py": "", "graph.py": GRAPH, "my-graph.py": f"from {project.name}.graph import graph"}
    registry = load(project, files, {"one": "my-graph.py:graph"})
    async with registry.open("one", purpose()) as graph:
        assert isinstance(graph, Pregel)


def test_everything_wrong_is_reported_at_once_with_name_file_and_reason(project: Path) -> None:
    files = {
        "graph.py": GRAPH,
        "broken.py": "import nothing_of_this_name",
        "raising.py": "def f():\n    raise RuntimeError('no key')\nf()",
        "leaving.py": "import sys\nsys.exit('set OPENAI_API_KEY')",
        "syntax.py": "def (",
    }
    graphs = {
        "fine": "graph.py:graph",
        "missing file": "nowhere.py:graph",
        "missing name": "graph.py:grap",
        "number": "graph.py:number",
        "class": "graph.py:State",
        "import": "broken.py:graph",
        "raises": "raising.py:graph",
        "leaves": "leaving.py:graph",
        "syntax": "syntax.py:graph",
    }
    with pytest.raises(GraphLoadError) as caught:
        load(project, files, graphs)
    lines = str(caught.value).splitlines()[1:]
    assert [line.partition("'")[2].partition("'")[0] for line in lines] == [name for name in graphs if name != "fine"]
    reasons = {
        "missing file": f"there is no file {project.name}/nowhere.py",
        "missing name": f"{project.name}/graph.py defines no 'grap'",
        "number": "'number' is a int (7), neither a graph nor a function that makes one",
        "class": "'State' is a class",
        "import": "ModuleNotFoundError: No module named 'nothing_of_this_name'",
        "raises": "RuntimeError: no key",
        "leaves": "SystemExit: set OPENAI_API_KEY",
        "syntax": "SyntaxError",
    }
    for line, reason in zip(lines, reasons.values(), strict=True):
        assert reason in line
    assert "line 2: raise RuntimeError('no key')" in str(caught.value)


async def test_a_factory_that_makes_no_graph_is_named(project: Path) -> None:
    registry = load(project, {"graph.py": GRAPH}, {"wrong": "graph.py:made_wrong"})
    with pytest.raises(GraphLoadError, match=r"'wrong' .*made_wrong.* made a str \('no graph'\)"):
        await registry.open("wrong", purpose()).__aenter__()


STORED = """
from dataclasses import dataclass
from typing import Any, TypedDict
from langgraph.graph import StateGraph, START

@dataclass
class Note:
    text: str

class State(TypedDict):
    note: Any

builder = StateGraph(State)
builder.add_node("write", lambda state: {"note": Note("n")})
builder.add_edge(START, "write")
"""


@pytest.mark.parametrize("is_listed", [True, False])
async def test_a_checkpoint_holds_the_classes_that_langgraph_json_lists(project: Path, is_listed: bool) -> None:
    load(project, {"stored.py": STORED}, {"notes": "stored.py:builder"})
    manifest = json.loads((project.parent / "manifest.json").read_text())
    serde = {"allowed_msgpack_modules": [[f"{project.name}.stored", "Note"]]} if is_listed else {}
    text = json.dumps({**manifest, "config": {"checkpointer": {"serde": serde}}})
    (project.parent / "manifest.json").write_text(text)
    registry = Registry.load(project.parent)
    config: Any = {"configurable": {"thread_id": "t"}}
    async with registry.open("notes", purpose()) as opened:
        graph = opened.copy({"checkpointer": D1Saver(SqliteDatabase())})
        await graph.ainvoke({}, config)
        note = (await graph.aget_state(config)).values["note"]
    assert type(note).__name__ == ("Note" if is_listed else "dict")


async def test_an_unknown_graph_is_not_found(project: Path) -> None:
    registry = load(project, {"graph.py": GRAPH}, {"one": "graph.py:graph"})
    with pytest.raises(NotFound, match="one"):
        await registry.open("two", purpose()).__aenter__()


def test_the_projects_environment_is_there_when_its_modules_load(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AGENCY_MODE", raising=False)
    files = {"graph.py": GRAPH + "\nimport os\nassert os.environ['AGENCY_MODE'] == 'test'\n"}
    load(project, files, {"one": "graph.py:graph"}, {"AGENCY_MODE": "test"})
    assert os.environ["AGENCY_MODE"] == "test"


def test_no_manifest_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(GraphLoadError, match=r"manifest\.json does not exist"):
        Registry.load(tmp_path)
