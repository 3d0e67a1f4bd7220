"""What a langgraph.json may contain, and how a wrong one is refused."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tools import bundle_project
from tools.bundle_project import ProjectError

GRAPHS = {"agent": "./agent/graph.py:graph"}


def write(folder: Path, config: Any, files: dict[str, str] | None = None) -> Path:
    """A project with one graph, or with the given files; its langgraph.json."""
    for name, text in (files or {"agent/graph.py": "graph = object()\n"}).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    path = folder / "langgraph.json"
    path.write_text(config if isinstance(config, str) else json.dumps(config))
    return path


def test_a_project_is_its_files_below_the_dependency_and_its_graphs(tmp_path: Path) -> None:
    files = {
        "app/agent/graph.py": "from x import graph\n",
        "app/prompts/plan.md": "Plan.",
        "app/.env": "KEY=1",
        "other.py": "",
    }
    config = {
        "dependencies": ["./app"],
        "graphs": {"agent": {"path": "./app/agent/graph.py:graph", "description": "Plans"}},
    }
    project = bundle_project.read_project(write(tmp_path, config, files))
    assert dict(project.graphs) == {
        "agent": {"module_path": "agent/graph.py", "attribute": "graph", "description": "Plans"}
    }
    assert set(project.files) == {"agent/graph.py", "prompts/plan.md"}


def test_a_packaged_project_with_a_src_folder_is_imported_from_there(tmp_path: Path) -> None:
    files = {
        "pyproject.toml": "[project]\nname='x'\ndependencies=['humanize>=4']\n",
        "src/agent/graph.py": "def graph(): ...",
    }
    config = {"dependencies": [".", "emoji"], "graphs": {"agent": "./src/agent/graph.py:graph"}}
    project = bundle_project.read_project(write(tmp_path, config, files))
    assert project.graphs["agent"]["module_path"] == "agent/graph.py"
    assert project.requirements == ("emoji", "humanize>=4")


def test_a_graph_may_be_named_as_a_module(tmp_path: Path) -> None:
    project = bundle_project.read_project(
        write(tmp_path, {"dependencies": ["."], "graphs": {"a": "agent.graph:graph"}})
    )
    assert project.graphs["a"]["module_path"] == "agent/graph.py"


@pytest.mark.parametrize(
    ("config", "complaint"),
    [
        ("{", "langgraph.json is not JSON"),
        ([], "must be a JSON object"),
        ({"dependencies": ["."]}, "'graphs' must name at least one graph"),
        ({"graphs": {"agent": "./agent/graph.py"}}, "'./agent/graph.py' is not of the form file.py:variable"),
        ({"graphs": {"agent": 7}}, "graph 'agent': expected"),
        ({"graphs": {"agent": "./agent/graph.py:"}}, "not of the form"),
        ({"graphs": {"agent": "./agent/other.py:graph"}}, "graph 'agent': there is no file ./agent/other.py"),
        ({"graphs": {"agent": "./agent/graph.py:other"}}, "graph 'agent': ./agent/graph.py defines no 'other'"),
        ({"graphs": {"agent": "./agent/graph.ts:graph"}}, "is not Python"),
        ({"graphs": GRAPHS, "dependencies": ["./missing"]}, "dependency './missing': there is no folder"),
        ({"graphs": GRAPHS, "dependencies": "."}, "'dependencies' must be a list of strings"),
        ({"graphs": GRAPHS, "dependencies": []}, "is in none of the folders of 'dependencies'"),
        ({"graphs": GRAPHS, "env": "missing.env"}, "'env' names 'missing.env', and there is no such file"),
        ({"graphs": GRAPHS, "env": {"KEY": None}}, "env 'KEY' must be a string"),
        ({"graphs": GRAPHS, "env": {"LANGGRAPH_AES_KEY": "k"}}, "the variable LANGGRAPH_AES_KEY configures other"),
        ({"graphs": GRAPHS, "env": 5}, "'env' must be an object or the path of a file"),
    ],
)
def test_a_wrong_langgraph_json_is_refused_with_the_name_and_the_reason(
    tmp_path: Path, config: Any, complaint: str
) -> None:
    with pytest.raises(ProjectError, match=complaint.replace("[", r"\[")):
        bundle_project.read_project(write(tmp_path, config))


def test_a_missing_langgraph_json_is_named(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match=r"langgraph.json does not exist"):
        bundle_project.read_project(tmp_path / "langgraph.json")


def test_superstep_itself_is_no_dependency(tmp_path: Path) -> None:
    config = bundle_project.ROOT / "nowhere" / "langgraph.json"
    with pytest.raises(ProjectError, match="contains Superstep itself"):
        bundle_project._split_dependencies([".."], config.parent)


@pytest.mark.parametrize(
    ("file", "owner"),
    [
        ("runs.py", "a module of Superstep"),
        ("wire/__init__.py", "a module of Superstep"),
        ("json.py", "a module of Python's standard library"),
        ("project/graph.py", "the folder of the project itself"),
    ],
)
def test_a_module_that_could_not_be_imported_is_refused(file: str, owner: str) -> None:
    with pytest.raises(ProjectError, match=owner):
        bundle_project.check_names([file], bundle_project.taken_names())


def test_folders_without_python_collide_with_nothing() -> None:
    bundle_project.check_names(["runs/plan.md", "agent/graph.py"], bundle_project.taken_names())


def test_keys_of_image_building_and_unshipped_files_are_mentioned(tmp_path: Path) -> None:
    files = {"agent/graph.py": "graph = 1", "agent/logo.png": ""}
    project = bundle_project.read_project(write(tmp_path, {"graphs": GRAPHS, "python_version": "3.12"}, files))
    assert project.warnings == (
        "langgraph.json: 'python_version' is about building a container image and means nothing here",
        f"{tmp_path / 'agent/logo.png'} is not shipped: wrangler.toml has no rule for .png files",
    )


def test_an_env_file_is_read_as_usual() -> None:
    text = "# comment\nexport A=1\nB = 'two words' # why\nC=\"line\\nbreak\"\nD=x # y\nE=\nnonsense\n"
    assert bundle_project.parse_env_file(text) == {"A": "1", "B": "two words", "C": "line\nbreak", "D": "x", "E": ""}


def test_writing_touches_only_what_changed_and_removes_what_is_gone(tmp_path: Path) -> None:
    bundle_project.write_folder({"a.py": b"1", "old/b.py": b"2"}, tmp_path)
    before = (tmp_path / "a.py").stat().st_mtime_ns
    bundle_project.write_folder({"a.py": b"1", "new/c.py": b"3"}, tmp_path)
    assert (tmp_path / "a.py").stat().st_mtime_ns == before
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")) == ["a.py", "new", "new/c.py"]


def test_the_manifest_is_what_the_registry_reads(tmp_path: Path) -> None:
    project = bundle_project.read_project(write(tmp_path, {"graphs": GRAPHS, "env": {"N": 1, "ON": True, "S": "x"}}))
    assert json.loads(bundle_project.bundled_files(project)["manifest.json"]) == {
        "graphs": {"agent": {"module_path": "agent/graph.py", "attribute": "graph", "description": None}},
        "env": {"N": "1", "ON": "true", "S": "x"},
        "config": {},
    }


def test_sections_name_their_files_as_the_worker_finds_them(tmp_path: Path) -> None:
    files = {"app/agent/graph.py": "graph = 1", "app/security/auth.py": "auth = 1", "app/embed.py": "def embed(): ..."}
    project = bundle_project.read_project(
        write(
            tmp_path,
            {
                "dependencies": ["./app"],
                "graphs": {"agent": "./app/agent/graph.py:graph"},
                "auth": {"path": "./app/security/auth.py:auth", "disable_studio_auth": True},
                "store": {"index": {"dims": 3, "embed": "./app/embed.py:embed"}},
                "http": {"mount_prefix": "/api"},
            },
            files,
        )
    )
    assert project.sections == {
        "auth": {"path": "security/auth.py:auth", "disable_studio_auth": True},
        "store": {"index": {"dims": 3, "embed": "embed.py:embed"}},
        "http": {"mount_prefix": "/api"},
    }


@pytest.mark.parametrize(
    ("sections", "complaint"),
    [
        ({"auth": {"path": "./missing.py:auth"}}, "auth.path: there is no file ./missing.py"),
        ({"auth": {"pth": "./agent/graph.py:graph"}}, "there is no key 'auth.pth'; did you mean 'auth.path'?"),
        ({"grahps": {}}, "there is no key 'grahps'; did you mean 'graphs'?"),
    ],
)
def test_a_wrong_section_is_refused_at_start(tmp_path: Path, sections: Any, complaint: str) -> None:
    with pytest.raises(ProjectError, match=re.escape(complaint)):
        bundle_project.read_project(write(tmp_path, {"graphs": GRAPHS, **sections}))
