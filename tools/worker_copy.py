"""Lays out copies of the Worker below `.superstep/`, each with its own graph project or its own main module.

A copy is what tests serve: other graphs than those of the root `langgraph.json`, or `tests/workerd/worker.py` as main,
whose test bodies run inside workerd. Each has the production bindings and today's sources, copied, so that nothing
reloads while the checkout is being edited.
"""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tools import bundle_project, local_config, paths, worker_packages
from tools.errors import SetupError

FOLDER: Final = paths.BUILD / "copies"
CONFIG: Final = "wrangler.json"

#: The module of `tests/workerd/` that is the main of the test Worker. It exports `Default`, which answers `/ok`, and
#: the classes `ThreadObject` and `RunWorkflow` (stubs will do).
TEST_MAIN: Final = "worker.py"


def with_project(name: str, langgraph_json: Path, *, main: Path | None = None) -> Path:
    """Superstep serving the graphs of a langgraph.json; the configuration to serve.

    `main` takes the place of `entry.py`, which it may import: both lie in one folder.

    The packages are those of `python_modules/`, whatever that project asks for. Servers of one copy must agree on its
    project: another one replaces the files.
    """
    worker_packages.ensure_worker_packages()
    try:
        project = bundle_project.bundled_files(bundle_project.read_project(langgraph_json.resolve()))
    except bundle_project.ProjectError as error:
        raise SetupError(str(error)) from error
    sources = _files(paths.SOURCE) | {f"{paths.PROJECT.name}/{file}": content for file, content in project.items()}
    if main is not None:
        sources[main.name] = main.read_bytes()
    folder = _lay_out(name, sources, main=main.name if main else "entry.py")
    _link(folder / paths.PYTHON_MODULES.name, paths.PYTHON_MODULES)
    return folder / CONFIG


def with_workerd_tests(name: str = "workerd-tests") -> Path:
    """The test Worker: `src/` and `tests/workerd/` side by side, with the packages for tests; its configuration."""
    worker_packages.ensure_worker_packages()
    folder = _lay_out(name, _files(paths.SOURCE) | _files(paths.WORKERD_TESTS), main=TEST_MAIN)
    _copy_packages(folder / paths.PYTHON_MODULES.name)
    return folder / CONFIG


def copy_config(production: dict[str, Any], main: str) -> dict[str, Any]:
    """The production configuration for a copy: local, without the build step, with `main` out of its `src/`."""
    config = local_config.localised(production)
    config.pop("build", None)
    return {**config, "main": f"src/{main}"}


def _files(folder: Path) -> dict[str, bytes]:
    """Content by path of everything but the graph project and what Python leaves behind."""
    return {
        file.relative_to(folder).as_posix(): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file() and file.suffix != ".pyc" and not file.is_relative_to(paths.PROJECT)
    }


def _lay_out(name: str, sources: Mapping[str, bytes], *, main: str) -> Path:
    """A folder with sources, migrations and configuration; laying out the same again touches nothing."""
    folder = FOLDER / name
    (folder / "src").mkdir(parents=True, exist_ok=True)
    bundle_project.write_folder(sources, folder / "src")
    _link(folder / paths.MIGRATIONS.name, paths.MIGRATIONS)
    _link(folder / paths.LOCAL_SECRETS.name, paths.LOCAL_SECRETS)
    local_config.write_config(folder / CONFIG, copy_config(local_config.production_config(), main))
    return folder


def _link(link: Path, target: Path) -> None:
    if target.exists() and not link.is_symlink():
        link.symlink_to(target)


def _copy_packages(target: Path) -> None:
    """A hard-linked copy of `python_modules/` with those for tests: wrangler follows no symbolic links inside."""
    wanted = worker_packages.read_stamp(paths.PYTHON_MODULES) + paths.TEST_LOCK.read_text()
    if worker_packages.read_stamp(target) == wanted:
        return
    shutil.rmtree(target, ignore_errors=True)
    not_the_stamp = shutil.ignore_patterns(worker_packages.STAMP)
    shutil.copytree(paths.PYTHON_MODULES, target, copy_function=os.link, ignore=not_the_stamp)
    extra = target.with_name("extra")
    requirements = ["--require-hashes", f"--requirement={paths.TEST_LOCK}"]
    worker_packages.install(extra, requirements, worker_packages.WORKER_PLATFORM)
    shutil.copytree(extra, target, dirs_exist_ok=True)
    shutil.rmtree(extra)
    (target / worker_packages.STAMP).write_text(wanted)
