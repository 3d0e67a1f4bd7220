"""Copies the graph project that `langgraph.json` names to `src/project/`, where wrangler finds it.

This is the build step of every `wrangler dev` and `deploy`, so it needs only Python 3.11. It writes only changed files
(wrangler watches the target) and refuses what cannot be served, naming the entry and the reason. The Worker checks at
its start what can be known only by importing the graphs.
"""

import argparse
import json
import symtable
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

sys.path.append(str(Path(__file__).resolve().parent.parent))
sys.path.append(str(Path(__file__).resolve().parent.parent / "src"))

from project_config.reading import IMAGE_KEYS, ProjectConfigError, check_variables, known_sections, read_sections
from project_config.sections import ProjectConfig
from tools import ui_bundle

ROOT: Final = Path(__file__).resolve().parent.parent
DEFAULT_CONFIG: Final = ROOT / "langgraph.json"
SOURCE: Final = ROOT / "src"
TARGET: Final = SOURCE / "project"
PYTHON_MODULES: Final = ROOT / "python_modules"
REQUIREMENTS: Final = ROOT / ".superstep" / "project-requirements.txt"

MANIFEST: Final = "manifest.json"

#: Suffixes of data files that wrangler.toml's rule for `project/` ships in addition to Python files.
DATA_SUFFIXES: Final = frozenset({
    ".csv", ".html", ".j2", ".jinja", ".jinja2", ".json", ".jsonl",
    ".md", ".sql", ".toml", ".txt", ".xml", ".yaml", ".yml",
})  # fmt: skip

#: Suffixes of the sources of UI components.
UI_SOURCES: Final = frozenset({".tsx", ".ts", ".jsx", ".js", ".css"})

#: Folders that contain no part of a graph, like hidden folders and virtual environments.
SKIPPED_FOLDERS: Final = frozenset({"__pycache__", "node_modules", "python_modules", "build", "dist"})

#: Files that are read here and that the Worker does not need.
SKIPPED_FILES: Final = frozenset({"langgraph.json", "requirements.txt", "pyproject.toml"})


class ProjectError(Exception):
    """langgraph.json or what it names cannot be served."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A graph project as it will be served."""

    graphs: Mapping[str, Mapping[str, str | None]]
    env: Mapping[str, str]
    #: The sections that `ProjectConfig` reads.
    sections: Mapping[str, Any]
    #: File to copy by its path below the target.
    files: Mapping[str, Path]
    #: Generated content: the UI components.
    built: Mapping[str, bytes]
    requirements: tuple[str, ...]
    #: The paths that a server has to watch.
    inputs: tuple[Path, ...]
    warnings: tuple[str, ...]


def read_project(config_path: Path) -> Project:
    """The project that a langgraph.json describes; raises `ProjectError` for what cannot be served."""
    config = _read_config(config_path)
    folder = config_path.parent
    local, specs = _split_dependencies(config.get("dependencies", ["."]), folder)
    roots = [_import_root(path) for path in local]
    files = _files_to_copy(roots)
    shipped = {name: path for name, path in files.items() if path.suffix == ".py" or path.suffix in DATA_SUFFIXES}
    sections = _sections(config, folder, roots)
    warnings = [
        f"langgraph.json: {key!r} is about building a container image and means nothing here"
        for key in IMAGE_KEYS
        if config.get(key)
    ]
    warnings += [
        f"{files[name]} is not shipped: wrangler.toml has no rule for {files[name].suffix} files"
        for name in sorted(files.keys() - shipped.keys())
        if not (sections.get("ui") and files[name].suffix in UI_SOURCES)
    ]
    return Project(
        graphs={name: _graph(name, entry, folder, roots) for name, entry in _graph_entries(config).items()},
        env=_checked_environment(config.get("env", {}), folder),
        sections=sections,
        files=shipped,
        built=_ui(read_sections(sections), folder),
        requirements=tuple(dict.fromkeys([*specs, *(spec for path in local for spec in _declared_requirements(path))])),
        inputs=(config_path, *local),
        warnings=tuple(warnings),
    )


def check_names(files: Iterable[str], taken: Mapping[str, str]) -> None:
    """Refuse a project whose modules could not be imported; `taken` maps names in use to their owners."""
    for name in sorted({file.partition("/")[0].removesuffix(".py") for file in files if file.endswith(".py")}):
        if name in taken:
            raise ProjectError(
                f"the project's top-level module {name!r} has the name of {taken[name]}: "
                "rename it, or move it into a package"
            )


def taken_names() -> dict[str, str]:
    """Top-level module names that a project cannot use, with their owners."""
    standard = dict.fromkeys(sys.stdlib_module_names, "a module of Python's standard library")
    vendored = {_module_name(path): "an installed package" for path in _entries(PYTHON_MODULES)}
    ours = {_module_name(path): "a module of Superstep" for path in _entries(SOURCE) if path != TARGET}
    return {**standard, **vendored, **ours, TARGET.name: "the folder of the project itself"}


def bundled_files(project: Project) -> dict[str, bytes]:
    """The project and its manifest as they will be served: content by path."""
    manifest = {"graphs": dict(project.graphs), "env": dict(project.env), "config": dict(project.sections)}
    return {
        **{name: path.read_bytes() for name, path in project.files.items()},
        **project.built,
        MANIFEST: (json.dumps(manifest, indent=2) + "\n").encode(),
    }


def write_folder(files: Mapping[str, bytes], target: Path) -> None:
    """Make `target` hold exactly these files; what has not changed stays untouched."""
    wanted = {target / name: content for name, content in files.items()}
    for path in sorted(target.rglob("*"), reverse=True):
        if path.is_file() and path not in wanted:
            path.unlink()
        elif path.is_dir() and not any(path.iterdir()):
            path.rmdir()
    for path, content in wanted.items():
        if not path.is_file() or path.read_bytes() != content:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


def write_requirements(requirements: tuple[str, ...], path: Path) -> None:
    """Write the project's own requirements for `worker_packages`; no file if there are none."""
    text = "".join(f"{spec}\n" for spec in requirements)
    if not text:
        path.unlink(missing_ok=True)
    elif not path.exists() or path.read_text() != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def bundle(config_path: Path = DEFAULT_CONFIG) -> Project:
    """Read, check and copy the project; the one that is served from now on."""
    project = read_project(config_path.resolve())
    check_names(project.files, taken_names())
    write_requirements(project.requirements, REQUIREMENTS)
    write_folder(bundled_files(project), TARGET)
    return project


def _read_config(path: Path) -> dict[str, Any]:
    try:
        config = json.loads(path.read_text())
    except FileNotFoundError:
        raise ProjectError(f"{path} does not exist: it names the graphs to serve") from None
    except json.JSONDecodeError as error:
        raise ProjectError(f"{path.name} is not JSON: {error}") from None
    if not isinstance(config, dict):
        raise ProjectError(f"{path.name} must be a JSON object")
    return config


def _split_dependencies(entries: Any, folder: Path) -> tuple[list[Path], list[str]]:
    """Local folders and pip requirements; as in LangGraph, a local one begins with a dot."""
    if not isinstance(entries, list) or not all(isinstance(entry, str) for entry in entries):
        raise ProjectError("langgraph.json: 'dependencies' must be a list of strings")
    local: list[Path] = []
    for entry in entries:
        if entry.startswith("."):
            path = (folder / entry).resolve()
            if not path.is_dir():
                raise ProjectError(f"langgraph.json: dependency {entry!r}: there is no folder {path}")
            if ROOT.is_relative_to(path):
                raise ProjectError(
                    f"langgraph.json: dependency {entry!r} contains Superstep itself: "
                    "give the project a folder of its own"
                )
            local.append(path)
    return local, [entry for entry in entries if not entry.startswith(".")]


def _import_root(folder: Path) -> Path:
    """The folder from which a dependency's modules are imported: `src` where a packaged project has one."""
    packaged = (folder / "pyproject.toml").exists() or (folder / "setup.py").exists()
    source = folder / "src"
    return source if packaged and source.is_dir() and not (source / "__init__.py").exists() else folder


def _declared_requirements(folder: Path) -> Iterator[str]:
    """The requirements in a local dependency's own packaging files."""
    requirements = folder / "requirements.txt"
    if requirements.exists():
        lines = (line.partition(" #")[0].strip() for line in requirements.read_text().splitlines())
        yield from (line for line in lines if line and not line.startswith(("#", "-")))
    pyproject = folder / "pyproject.toml"
    if pyproject.exists():
        yield from tomllib.loads(pyproject.read_text()).get("project", {}).get("dependencies", [])


def _files_to_copy(roots: Iterable[Path]) -> dict[str, Path]:
    files: dict[str, Path] = {}
    for root in roots:
        for path in _walk(root):
            name = path.relative_to(root).as_posix()
            if name in files and files[name] != path:
                raise ProjectError(f"langgraph.json: both {files[name]} and {path} would be {name!r}")
            files[name] = path
    if MANIFEST in files:
        raise ProjectError(f"{files[MANIFEST]}: the name {MANIFEST} is taken at the top of a project: rename the file")
    return files


def _walk(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.name in SKIPPED_FOLDERS:
            continue
        if path.is_dir():
            if not (path / "pyvenv.cfg").exists():
                yield from _walk(path)
        elif path.suffix not in {"", ".pyc"} and path.name not in SKIPPED_FILES:
            yield path


def _graph_entries(config: Mapping[str, Any]) -> dict[str, Any]:
    graphs = config.get("graphs")
    if not isinstance(graphs, dict) or not graphs:
        raise ProjectError(
            'langgraph.json: \'graphs\' must name at least one graph, as in "agent": "./agent/graph.py:graph"'
        )
    return graphs


def _graph(name: str, entry: Any, folder: Path, roots: Iterable[Path]) -> dict[str, str | None]:
    """The manifest's line for one entry of `graphs`: a string, or an object with `path` and `description`."""
    path_text, description = (entry.get("path"), entry.get("description")) if isinstance(entry, dict) else (entry, None)
    if not isinstance(path_text, str):
        raise ProjectError(f"graph {name!r}: expected \"file.py:variable\" or an object with 'path', got {entry!r}")
    module_path, attribute = _located(f"graph {name!r}", path_text, folder, roots)
    return {"module_path": module_path, "attribute": attribute, "description": description}


def _sections(config: Mapping[str, Any], folder: Path, roots: Iterable[Path]) -> dict[str, Any]:
    """What `ProjectConfig` reads in the Worker, with the files it names as they are called there."""
    try:
        sections = known_sections(config)
        read = read_sections(sections)
    except ProjectConfigError as error:
        raise ProjectError(str(error)) from None
    if read.auth.path:
        located = _located("auth.path", read.auth.path, folder, roots)
        sections["auth"] = {**sections["auth"], "path": ":".join(located)}
    if read.store.index and _names_a_file(read.store.index.embed):
        located = _located("store.index.embed", read.store.index.embed, folder, roots)
        index = {**sections["store"]["index"], "embed": ":".join(located)}
        sections["store"] = {**sections["store"], "index": index}
    return sections


def _ui(config: ProjectConfig, folder: Path) -> dict[str, bytes]:
    try:
        return ui_bundle.build(config.ui, config.ui_config.shared, folder)
    except ui_bundle.UiBundleError as error:
        raise ProjectError(str(error)) from None


def _names_a_file(embed: str) -> bool:
    """Whether an embedding is a function of the project, not a provider's model such as `openai:…`."""
    file = embed.rpartition(":")[0]
    return file.endswith(".py") or "/" in file


def _located(label: str, text: str, folder: Path, roots: Iterable[Path]) -> tuple[str, str]:
    """`file.py:variable` as the Worker finds it: the file below the project's folder, and the variable."""
    file_text, colon, attribute = text.rpartition(":")
    if not colon or not file_text or not attribute.isidentifier():
        raise ProjectError(f"{label}: {text!r} is not of the form file.py:variable")
    path = _source_file(label, file_text, folder, roots)
    root = next((root for root in roots if path.is_relative_to(root)), None)
    if root is None:
        raise ProjectError(f"{label}: {path} is in none of the folders of 'dependencies'")
    if not _may_define(path, attribute):
        raise ProjectError(f"{label}: {file_text} defines no {attribute!r}")
    return path.relative_to(root).as_posix(), attribute


def _source_file(label: str, text: str, folder: Path, roots: Iterable[Path]) -> Path:
    """The source file of an entry, which may also be named as a module: `agent.graph`."""
    if text.endswith((".js", ".mjs", ".cjs", ".ts", ".mts", ".tsx")):
        raise ProjectError(f"{label}: {text} is not Python; only Python can be served")
    if text.endswith(".py") or "/" in text:
        candidates = [folder / text]
    else:
        module = text.replace(".", "/")
        candidates = [root / candidate for root in roots for candidate in (f"{module}.py", f"{module}/__init__.py")]
    found = next((path.resolve() for path in candidates if path.is_file()), None)
    if found is None:
        raise ProjectError(f"{label}: there is no file {text}")
    return found


def _may_define(path: Path, name: str) -> bool:
    """False only when the module certainly has no such global. Syntax newer than this Python is left to the Worker."""
    try:
        table = symtable.symtable(path.read_text(), str(path), "exec")
    except (SyntaxError, UnicodeDecodeError):
        return True
    bound = {symbol.get_name() for symbol in table.get_symbols() if symbol.is_assigned() or symbol.is_imported()}
    return name in bound or "__getattr__" in bound or "import *" in path.read_text()


def _checked_environment(env: Any, folder: Path) -> dict[str, str]:
    variables = _environment(env, folder)
    try:
        check_variables(variables)
    except ProjectConfigError as error:
        raise ProjectError(f"langgraph.json: 'env': {error}") from None
    return variables


def _environment(env: Any, folder: Path) -> dict[str, str]:
    if isinstance(env, dict):
        return {name: _text(name, value) for name, value in env.items()}
    if not isinstance(env, str):
        raise ProjectError("langgraph.json: 'env' must be an object or the path of a file")
    path = folder / env
    if not path.is_file():
        raise ProjectError(f"langgraph.json: 'env' names {env!r}, and there is no such file")
    return parse_env_file(path.read_text())


def _text(name: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    raise ProjectError(f"langgraph.json: env {name!r} must be a string")


def parse_env_file(text: str) -> dict[str, str]:
    """The variables of a `.env` file: `NAME=value`, with quotes, comments and `export` as usual; no interpolation."""
    variables: dict[str, str] = {}
    for line in text.splitlines():
        name, equals, value = line.strip().removeprefix("export ").partition("=")
        if not equals or name.startswith("#"):
            continue
        value = value.strip()
        if value[:1] in {"'", '"'} and (end := value.find(value[0], 1)) > 0:
            value = value[1:end].replace("\\n", "\n") if value[0] == '"' else value[1:end]
        else:
            value = value.partition(" #")[0].rstrip()
        variables[name.strip()] = value
    return variables


def _entries(folder: Path) -> Iterator[Path]:
    if folder.is_dir():
        yield from (
            path for path in folder.iterdir() if path.suffix == ".py" or (path.is_dir() and path.name.isidentifier())
        )


def _module_name(path: Path) -> str:
    return path.stem if path.suffix == ".py" else path.name


def main() -> int:
    """Bundle from the command line; what is wrong goes to standard error."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", nargs="?", type=Path, default=DEFAULT_CONFIG, help="a langgraph.json")
    try:
        project = bundle(parser.parse_args().config)
    except ProjectError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    for warning in project.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
