"""Resolves the dependencies of `pyproject.toml` anew and writes the lock files, with a hash for every file.

Locks keep the versions they have unless `--upgrade` is given. They name no index, so that any mirror serves them.
"""

import subprocess
import sys
from pathlib import Path
from typing import Final

from tools import paths, progress, worker_packages

WITHOUT_DEPENDENCIES: Final = {
    paths.PURE_LOCK: "pyyaml==6.0.3",
    paths.TEST_LOCK: "langgraph-checkpoint-conformance==0.0.2",
}

#: What `make differential` compares with.
LANGGRAPH_DEV: Final = "langgraph-cli[inmem]\nlanggraph-api==0.16.7"


def compile_lock(output: Path, source: str, *options: str, requirement: str | None = None) -> None:
    """Let uv resolve `source` (a file, or `-` for the one `requirement`) into a lock file."""
    command = [sys.executable, "-m", "uv", "pip", "compile", source, "--quiet", "--no-header", "--generate-hashes"]
    command += ["--no-sources", f"--output-file={output}", *options]
    with progress.step(f"Locking {output.name}"):
        subprocess.run(command, cwd=paths.ROOT, check=True, text=True, input=requirement)


def main(options: list[str]) -> None:
    """Write every lock file; `--upgrade` takes the newest versions."""
    excludes = [f"--excludes={file}" for file in (paths.WORKER_EXCLUDES, paths.WORKER_OPTIONAL)]
    compile_lock(paths.WORKER_LOCK, "pyproject.toml", *excludes, *worker_packages.RESOLUTION, *options)
    compile_lock(paths.DEV_LOCK, "pyproject.toml", "--group=dev", "--universal", "--python-version=3.11", *options)
    same_versions = f"--constraint={paths.WORKER_LOCK}"
    for_development = ["--universal", "--python-version=3.11", same_versions, *options]
    compile_lock(paths.DIFFERENTIAL_LOCK, "-", *for_development, requirement=LANGGRAPH_DEV)
    for output, requirement in WITHOUT_DEPENDENCIES.items():
        compile_lock(output, "-", "--no-deps", *options, requirement=requirement)


if __name__ == "__main__":
    main(sys.argv[1:])
