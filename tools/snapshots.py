"""Memory snapshots of the started Worker, so that a local server and its restarts take a second instead of eight.

On Cloudflare a Worker starts from a snapshot of its memory, made at upload after its top-level code has run. Local
workerd can do the same. A snapshot contains the code from which it was made, so it is stored under a fingerprint of
everything that went into it, variables included (top-level code may read them). Servers that reload on changes must not
use one.
"""

import contextlib
import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tools import paths, worker_packages

FOLDER: Final = paths.BUILD / "snapshots"
FILE_NAME: Final = "snapshot.bin"

#: Each is as large as the Worker's heap.
KEPT: Final = 8


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The snapshot of one Worker with one set of variables; it may not exist yet."""

    config: Path
    variables: Mapping[str, str]
    fingerprint: str

    @classmethod
    def of(cls, config: Path, variables: Mapping[str, str]) -> "Snapshot":
        """The one that fits the Worker's files as they are now."""
        return cls(config, variables, fingerprint(config, variables))

    def environment(self) -> dict[str, str]:
        """The environment in which the workerd wrapper loads the snapshot, or saves it for `keep`."""
        return {"SUPERSTEP_SNAPSHOT": str(self._folder), "SUPERSTEP_NEW_SNAPSHOT": str(self._new_folder)}

    def keep(self) -> None:
        """Move what workerd saved to where the next start finds it, unless the files have changed since."""
        if (self._new_folder / FILE_NAME).exists() and fingerprint(self.config, self.variables) == self.fingerprint:
            with contextlib.suppress(OSError):  # another server was faster
                self._new_folder.rename(self._folder)
            for old in sorted(FOLDER.glob("*/" + FILE_NAME), key=lambda file: file.stat().st_mtime)[:-KEPT]:
                shutil.rmtree(old.parent, ignore_errors=True)
        shutil.rmtree(self._new_folder, ignore_errors=True)

    @property
    def file(self) -> Path:
        """The path of the snapshot, once it exists."""
        return self._folder / FILE_NAME

    @property
    def _folder(self) -> Path:
        return FOLDER / self.fingerprint

    @property
    def _new_folder(self) -> Path:
        return FOLDER / f"{self.fingerprint}.{os.getpid()}"


def fingerprint(config: Path, variables: Mapping[str, str]) -> str:
    """A digest of the Worker that a configuration describes: its sources, packages, settings and variables.

    The Worker's folder does not count: the Worker does not see it, and two copies of one Worker share a snapshot.
    """
    digest = hashlib.sha256(repr(sorted(variables.items())).encode())
    for file in _inputs(config.parent):
        name = file.relative_to(config.parent) if file.is_relative_to(config.parent) else file.name
        digest.update(f"\0{name}\0".encode() + file.read_bytes())
    digest.update(config.read_bytes())
    return digest.hexdigest()[:32]


def _inputs(folder: Path) -> Iterator[Path]:
    yield from sorted(file for file in (folder / "src").rglob("*") if file.is_file() and file.suffix != ".pyc")
    yield from sorted(file for file in folder.glob(".dev.vars*") if file.is_file())
    # The stamp stands for 20 MB of packages, the wrapper for the versions of workerd and Pyodide.
    yield from (
        file for file in (folder / "python_modules" / worker_packages.STAMP, paths.WORKERD_WRAPPER) if file.exists()
    )
