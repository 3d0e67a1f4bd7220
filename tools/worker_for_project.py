"""Lays out the Worker with another graph project than the checkout's, in a folder of its own.

Tests and benchmarks serve their graphs this way, so that a developer's `make dev` keeps its own. Sources are copied, not
watched: whoever serves the folder serves what was there when it was laid out.
"""

import os
import shutil
from pathlib import Path
from typing import Any, Final

from tools import bundle_project, local_config, paths, worker_packages

STAMP: Final = "python_modules.stamp"


def prepare(langgraph_json: Path, folder: Path) -> Path:
    """Lay out `folder` anew from today's sources and the project of `langgraph_json`; the configuration to serve."""
    worker_packages.ensure_worker_packages()
    source = folder / "src"
    shutil.rmtree(source, ignore_errors=True)
    shutil.copytree(paths.SOURCE, source, ignore=shutil.ignore_patterns("__pycache__", paths.PROJECT.name))
    project = bundle_project.read_project(langgraph_json.resolve())
    bundle_project.check_names(project.files, bundle_project.taken_names())
    bundle_project.write_project(project, source / paths.PROJECT.name)
    _link_packages(folder)
    migrations = folder / paths.MIGRATIONS.name
    if not migrations.is_symlink():
        migrations.symlink_to(paths.MIGRATIONS)
    return local_config.write_config(folder / "wrangler.json", _config(local_config.production_config(), folder.name))


def _config(production: dict[str, Any], name: str) -> dict[str, Any]:
    """The production configuration under another name, and without the build step: the project is in place."""
    config = local_config.localised(production)
    config.pop("build", None)
    return {**config, "name": name}


def _link_packages(folder: Path) -> None:
    """A hard-linked copy of `python_modules/`; wrangler does not follow a symbolic link to it."""
    target, stamp = folder / paths.PYTHON_MODULES.name, folder / STAMP
    wanted = worker_packages.STAMP.read_text()
    if target.is_dir() and stamp.exists() and stamp.read_text() == wanted:
        return
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(paths.PYTHON_MODULES, target, copy_function=os.link)
    stamp.write_text(wanted)
