"""Lays out copies of the Worker below `.superstep/`, each with its own graph project or its own main module.

A copy is what tests serve: other graphs than those of the root `langgraph.json`, or `tests/workerd/worker.py` as main,
whose test bodies run inside workerd. Each has the production bindings and today's sources, copied, so that nothing
reloads while the checkout is being edited.
"""

import os
import shutil
from pathlib import Path
from typing import Any, Final

from tools import bundle_project, local_config, paths, worker_packages
from tools.errors import SetupError

FOLDER: Final = paths.BUILD / "copies"

#: The module of `tests/workerd/` that is the main of the test Worker. It exports `Default`, which answers `/ok`, and
#: the classes `ThreadObject` and `RunWorkflow` (stubs will do).
TEST_MAIN: Final = "worker.py"


def with_project(name: str, langgraph_json: Path) -> Path:
    """Superstep serving the graphs of another langgraph.json; the configuration to serve.

    Only the packages of `requirements-worker.lock` are there, whatever the project asks for.
    """
    worker_packages.ensure_worker_packages()
    folder = _copy_sources(name)
    try:
        bundle_project.write_project(bundle_project.read_project(langgraph_json), folder / "src" / "project")
    except bundle_project.ProjectError as error:
        raise SetupError(str(error)) from error
    _link(folder / "python_modules", paths.PYTHON_MODULES)
    return local_config.write_config(
        folder / "wrangler.json", copy_config(local_config.production_config(), "entry.py")
    )


def with_workerd_tests(name: str = "workerd-tests") -> Path:
    """The test Worker: `src/` and `tests/workerd/` side by side, with the packages for tests; its configuration."""
    worker_packages.ensure_worker_packages()
    folder = _copy_sources(name)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(paths.WORKERD_TESTS, folder / "src", ignore=ignored, dirs_exist_ok=True)
    _copy_packages(folder)
    return local_config.write_config(folder / "wrangler.json", copy_config(local_config.production_config(), TEST_MAIN))


def copy_config(production: dict[str, Any], main: str) -> dict[str, Any]:
    """The production configuration for a copy: local, without the build step, with `main` out of its `src/`."""
    config = local_config.localised(production)
    config.pop("build", None)
    return {**config, "main": f"src/{main}"}


def _copy_sources(name: str) -> Path:
    folder = FOLDER / name
    shutil.rmtree(folder / "src", ignore_errors=True)
    shutil.copytree(paths.SOURCE, folder / "src", ignore=shutil.ignore_patterns("__pycache__", paths.PROJECT.name))
    _link(folder / "migrations", paths.MIGRATIONS)
    return folder


def _link(link: Path, target: Path) -> None:
    if not link.is_symlink():
        link.symlink_to(target)


def _copy_packages(folder: Path) -> None:
    """A hard-linked copy of `python_modules/` with those for tests: wrangler follows no symbolic links inside."""
    target, stamp = folder / "python_modules", folder / "python_modules.stamp"
    wanted = worker_packages.STAMP.read_text() + paths.TEST_LOCK.read_text()
    if target.is_dir() and stamp.exists() and stamp.read_text() == wanted:
        return
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(paths.PYTHON_MODULES, target, copy_function=os.link)
    extra = folder / "extra"
    requirements = ["--require-hashes", f"--requirement={paths.TEST_LOCK}"]
    worker_packages.install(extra, requirements, worker_packages.WORKER_PLATFORM)
    shutil.copytree(extra, target, dirs_exist_ok=True)
    shutil.rmtree(extra)
    stamp.write_text(wanted)
