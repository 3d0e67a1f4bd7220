"""The project's graphs by name, loaded once when the Worker starts.

`tools/bundle_project.py` copies the project beside this code and writes `manifest.json`. Loading imports every graph's
module, so that graphs are compiled into the memory snapshot. All errors are reported together, before the first
request.
"""

import hashlib
import importlib
import importlib.util
import json
import os
import sys
import traceback
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Final, cast

from langgraph.graph import StateGraph
from langgraph.pregel import Pregel
from langgraph_sdk import Auth

from errors import GraphLoadError, NotFound
from graphs.factories import Factory, Purpose, made
from langgraph_terms import Graph
from project_config.reading import read_sections
from project_config.sections import AuthConfig, ProjectConfig

MANIFEST: Final = "manifest.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """One entry of `graphs` in langgraph.json, loaded."""

    #: Such as `agent/graph.py:graph`, for messages.
    source: str
    description: str | None
    graph: Graph | Factory


class Registry:
    """The graphs of langgraph.json; immutable once loaded."""

    def __init__(self, entries: Mapping[str, _Entry], stored_classes: Iterable[tuple[str, ...]] = ()) -> None:
        self._entries = entries
        self._stored_classes = frozenset(stored_classes)

    @classmethod
    def load(cls, project: Path) -> "Registry":
        """Load the bundled project; raises one `GraphLoadError` naming each graph it cannot serve and why."""
        manifest = _read_manifest(project)
        export_environment(manifest.get("env", {}))
        if str(project) not in sys.path:
            sys.path.append(str(project))
        entries: dict[str, _Entry] = {}
        problems: list[str] = []
        for graph_id, entry in manifest["graphs"].items():
            source = f"{entry['module_path']}:{entry['attribute']}"
            try:
                graph = _load(project, entry["module_path"], entry["attribute"])
                entries[graph_id] = _Entry(source=source, description=entry.get("description"), graph=graph)
            except GraphLoadError as error:
                problems.append(f"graph {graph_id!r} ({source}): {error}")
        if problems:
            raise GraphLoadError("cannot serve the project:\n" + "\n".join(f"- {problem}" for problem in problems))
        serde = read_sections(manifest.get("config", {})).checkpointer.serde
        return cls(entries, serde.allowed_msgpack_modules or ())

    def graph_ids(self) -> tuple[str, ...]:
        """The names of all graphs, in the order of langgraph.json."""
        return tuple(self._entries)

    def description(self, graph_id: str) -> str | None:
        """The description of a graph in langgraph.json. Raises `NotFound`."""
        return self._entry(graph_id).description

    @asynccontextmanager
    async def open(self, graph_id: str, purpose: Purpose) -> AsyncGenerator[Graph]:
        """Open a graph, without a checkpointer. A factory makes it anew, and it is closed at the end of the block.

        Raises `NotFound` for an unknown name, `GraphLoadError` if a factory makes no graph, and any exception of a
        factory.
        """
        entry = self._entry(graph_id)
        if graph := _compiled(entry.graph):
            yield self._allowed(graph)
            return
        async with made(cast(Factory, entry.graph), purpose) as found:
            graph = _compiled(found)
            if graph is None:
                raise GraphLoadError(f"graph {graph_id!r} ({entry.source}): the factory made {_described(found)}")
            yield self._allowed(graph)

    def _allowed(self, graph: Graph) -> Graph:
        """The graph, whose checkpoints may also contain the classes that the project lists besides its schemas."""
        if self._stored_classes:
            known: set[tuple[str, ...]] | None = graph._serde_allowlist  # pyright: ignore[reportPrivateUsage]
            graph._serde_allowlist = {*(known or ()), *self._stored_classes}  # pyright: ignore[reportPrivateUsage]
        return graph

    def _entry(self, graph_id: str) -> _Entry:
        if graph_id not in self._entries:
            raise NotFound(f"graph {graph_id!r} is not one of: {', '.join(self._entries)}")
        return self._entries[graph_id]


def read_config(project: Path) -> ProjectConfig:
    """The sections of langgraph.json other than `graphs`, as the bundle step has stored them."""
    return read_sections(_read_manifest(project).get("config", {}))


def load_auth(project: Path, config: AuthConfig) -> Auth | None:
    """The project's own authentication, if it has one; raises `GraphLoadError`."""
    if config.path is None:
        return None
    found = load_object(project, config.path)
    if not isinstance(found, Auth):
        raise GraphLoadError(f"auth.path ({config.path}) is {_described(found)}, no langgraph_sdk.Auth")
    return found


def load_object(project: Path, source: str) -> Any:
    """The object that a section of langgraph.json names as `file.py:variable`. Raises `GraphLoadError`."""
    module_path, _, attribute = source.rpartition(":")
    found = getattr(_import(project, module_path), attribute, None)
    if found is None:
        raise GraphLoadError(f"{module_path} defines no {attribute!r}")
    return found


def digest(project: Path) -> str:
    """A digest of the project's files."""
    hashed = hashlib.sha256()
    for path in sorted(path for path in project.rglob("*") if path.is_file() and path.suffix != ".pyc"):
        hashed.update(path.relative_to(project).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return hashed.hexdigest()[:16]


def export_environment(variables: Mapping[str, object]) -> None:
    """Put text variables into `os.environ`, where libraries look for their keys and which is empty in a Worker."""
    os.environ.update({name: value for name, value in variables.items() if isinstance(value, str)})


def _read_manifest(project: Path) -> dict[str, Any]:
    path = project / MANIFEST
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        raise GraphLoadError(f"{path} does not exist: run the bundle step (`make dev` and wrangler do)") from None


def _load(project: Path, module_path: str, attribute: str) -> Graph | Factory:
    found = load_object(project, f"{module_path}:{attribute}")
    if graph := _compiled(found):
        return graph
    if callable(found) and not isinstance(found, type):
        return cast(Factory, found)
    raise GraphLoadError(f"{attribute!r} is {_described(found)}, neither a graph nor a function that makes one")


def _import(project: Path, module_path: str) -> ModuleType:
    path = project / module_path
    if not path.is_file():
        raise GraphLoadError(f"there is no file {module_path}")
    name = module_path.removesuffix(".py").replace("/", ".")
    try:
        if all(part.isidentifier() for part in name.split(".")):
            return importlib.import_module(name)
        return _import_file(name, path)
    except (Exception, SystemExit) as error:
        # User code: any exception of its import is the reason, even `sys.exit("no key")`.
        raise GraphLoadError(f"importing {module_path} failed: {_reason(error, project)}") from error


def _import_file(name: str, path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None, "a .py file always has a loader"
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _reason(error: BaseException, project: Path) -> str:
    """The error and the last line of the project that led to it."""
    message = f"{type(error).__name__}: {error}"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith(str(project))]
    if isinstance(error, SyntaxError) or not frames:
        return message
    file = Path(frames[-1].filename).relative_to(project)
    return f"{message} ({file}, line {frames[-1].lineno}: {frames[-1].line})"


def _compiled(found: object) -> Graph | None:
    if isinstance(found, Pregel):
        return cast(Graph, found)
    if isinstance(found, StateGraph):
        return cast(Any, found).compile()
    return None


def _described(found: object) -> str:
    kind = "a class" if isinstance(found, type) else f"a {type(found).__name__}"
    return f"{kind} ({found!r:.80})"
