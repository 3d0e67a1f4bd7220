"""The projects that both servers serve: the graphs of the end-to-end tests, open or guarded by handlers."""

import contextlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tools import local_server, paths, progress, worker_copy
from tools.differential import reference_server

FOLDER: Final = paths.BUILD / "differential"

#: Where everybody may do everything, and where rows belong to whoever made them.
OPEN: Final = "open"
GUARDED: Final = "guarded"

_GRAPHS: Final = paths.ROOT / "tests" / "e2e" / "graphs"
_HANDLERS: Final = paths.ROOT / "tests" / "e2e" / "auth_project" / "security.py"


@dataclass(frozen=True, slots=True)
class Servers:
    """The addresses of two servers of one project."""

    reference: str
    superstep: str


def start(stack: contextlib.ExitStack, name: str, port: int) -> Servers:
    """Serve a project, the reference server at `port` and Superstep at the next, until the stack is closed."""
    folder = _copied(name)
    reference_server.ensure_installed()
    with progress.step(f"Starting langgraph dev ({name})"):
        log_path = FOLDER / f"reference-{name}.log"
        reference = stack.enter_context(reference_server.serve(folder, port=port, log_path=log_path))
    config = worker_copy.with_project(f"differential-{name}", folder / "langgraph.json")
    with progress.step(f"Starting Superstep ({name})"):
        log_path = FOLDER / f"superstep-{name}.log"
        superstep = stack.enter_context(local_server.serve(config=config, port=port + 1, log_path=log_path)).url
    return Servers(reference, superstep)


def _copied(name: str) -> Path:
    """The project in a folder that servers may write to."""
    folder = FOLDER / name
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(_GRAPHS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    if name == GUARDED:
        shutil.copy(_HANDLERS, folder)
        configuration: dict[str, Any] = json.loads((folder / "langgraph.json").read_text())
        configuration["auth"] = {"path": f"./{_HANDLERS.name}:auth"}
        (folder / "langgraph.json").write_text(json.dumps(configuration))
    return folder
