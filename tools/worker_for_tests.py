"""Lays out a second Worker whose main is `tests/workerd/worker.py`: test bodies that run inside workerd.

It has the production bindings, packages and source, plus the test packages of `requirements-worker-tests.lock`. Its main
module exports `Default`, which answers `/ok`, and the classes `ThreadObject` and `RunWorkflow` (stubs will do).
"""

import os
import shutil
from pathlib import Path
from typing import Any, Final

from tools import local_config, paths, worker_packages

FOLDER: Final = paths.BUILD / "test-worker"
MAIN: Final = "worker.py"


def prepare() -> Path:
    """Lay it out anew from today's sources; the configuration to serve."""
    worker_packages.ensure_worker_packages()
    source = FOLDER / "src"
    shutil.rmtree(source, ignore_errors=True)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(paths.SOURCE, source, ignore=ignored)
    shutil.copytree(paths.WORKERD_TESTS, source, ignore=ignored, dirs_exist_ok=True)
    _link_packages()
    migrations = FOLDER / "migrations"
    if not migrations.is_symlink():
        migrations.symlink_to(paths.MIGRATIONS)
    return local_config.write_config(FOLDER / "wrangler.json", test_config(local_config.production_config()))


def test_config(production: dict[str, Any]) -> dict[str, Any]:
    """The production configuration with the test main, and without the build step: the sources are copied."""
    config = local_config.localised(production)
    config.pop("build", None)
    return {**config, "name": f"{production['name']}-tests", "main": f"src/{MAIN}"}


def _link_packages() -> None:
    """A hard-linked copy of `python_modules/` with the test packages added; wrangler follows no symbolic links inside."""
    target, stamp = FOLDER / "python_modules", FOLDER / "python_modules.stamp"
    wanted = worker_packages.STAMP.read_text() + paths.TEST_LOCK.read_text()
    if target.is_dir() and stamp.exists() and stamp.read_text() == wanted:
        return
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(paths.PYTHON_MODULES, target, copy_function=os.link)
    extra = FOLDER / "extra"
    requirements = ["--require-hashes", f"--requirement={paths.TEST_LOCK}"]
    worker_packages.install(extra, requirements, worker_packages.WORKER_PLATFORM)
    shutil.copytree(extra, target, dirs_exist_ok=True)
    shutil.rmtree(extra)
    stamp.write_text(wanted)
