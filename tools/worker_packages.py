"""Vendors the Worker's Python packages into `python_modules/`, only from PyPI and by hash.

PyPI has wheels for CPython on WebAssembly, and pip installs them from any machine. A package without such a wheel is
replaced by a shim from `vendor/` or, for PyYAML, by the pure-Python part of a native wheel. Files that a Worker never
reads are dropped, because every cold start pays for the size of the upload and the number of modules.
"""

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from tools import paths, progress, slimming
from tools.errors import SetupError

#: How pip names CPython 3.14 on the Worker's WebAssembly platform.
WORKER_PLATFORM: Final = (
    "--platform=pyemscripten_2026_0_wasm32",
    "--python-version=3.14",
    "--implementation=cp",
    "--abi=cp314",
    "--abi=abi3",
    "--abi=none",
)

#: How uv names the platform with the Worker's environment markers.
RESOLUTION: Final = ("--python-version=3.14", "--python-platform=wasm32-pyodide2024")

#: Any native platform will do: only the pure-Python files are kept.
NATIVE_PLATFORM: Final = ("--platform=manylinux2014_x86_64", "--python-version=3.14", "--implementation=cp")

#: Glob patterns of files that no Worker reads.
DROPPED: Final = (
    "bin",
    "**/__pycache__",
    "**/tests",
    "**/*.pyi",
    "**/py.typed",
    "*-stubs",
    "*.dist-info/[!M]*",
    "**/*.c",
    "**/*.pyx",
    "**/*.pxd",
    # Its Python sources do the same without a table of 2.7 MiB on the wasm heap.
    "charset_normalizer/*.so",
)

#: Raise it when the treatment of packages below changes.
TREATMENT: Final = 1

#: The file in a folder of packages that identifies its content; wrangler.toml excludes it from the upload.
STAMP: Final = ".stamp"


def are_installed() -> bool:
    """Whether `python_modules/` matches the locks, the shims and the project's requirements."""
    return read_stamp(paths.PYTHON_MODULES) == _fingerprint()


def ensure_worker_packages() -> None:
    """Make `python_modules/` match the locks, the shims and the project's requirements; instant when it does."""
    wanted = _fingerprint()
    if read_stamp(paths.PYTHON_MODULES) == wanted:
        return
    with progress.step("Installing the Worker's packages into python_modules"):
        partial = paths.BUILD / "python_modules.partial"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        install(partial, ["--require-hashes", f"--requirement={paths.WORKER_LOCK}"], WORKER_PLATFORM)
        add_pure_packages(partial)
        add_project_packages(partial)
        add_shims(partial)
        shrink(partial)
        slimming.slim(partial)
        (partial / STAMP).write_text(wanted)
        shutil.rmtree(paths.PYTHON_MODULES, ignore_errors=True)
        partial.rename(paths.PYTHON_MODULES)


def install(target: Path, arguments: Sequence[str], platform: Sequence[str]) -> None:
    """pip-install exactly what is named, without its dependencies, for another platform."""
    command = [sys.executable, "-m", "pip", "install", "-qq", "--no-compile", "--no-deps", "--only-binary=:all:"]
    command += [
        "--ignore-requires-python",
        "--disable-pip-version-check",
        "--root-user-action=ignore",
        f"--target={target}",
    ]
    finished = subprocess.run([*command, *platform, *arguments], text=True, capture_output=True, check=False)
    if finished.returncode:
        raise SetupError(
            f"pip could not install packages for the Worker:\n{finished.stderr.strip()}\n"
            "A Worker can only use packages with a pure-Python wheel or one for WebAssembly."
        )


def add_pure_packages(target: Path) -> None:
    """Install native wheels and drop their compiled parts, for packages that do without them."""
    pure = target / ".pure"
    install(pure, ["--require-hashes", f"--requirement={paths.PURE_LOCK}"], NATIVE_PLATFORM)
    for package in pure.iterdir():
        if package.name != "_yaml":
            package.rename(target / package.name)
    for compiled in (target / "yaml").glob("_yaml.*.so"):
        compiled.unlink()
    shutil.rmtree(pure)


def add_project_packages(target: Path) -> None:
    """Install the packages that the graph project needs beyond the Worker's own, in compatible versions."""
    if not paths.PROJECT_REQUIREMENTS.exists():
        return
    locked = dict(locked_versions(paths.WORKER_LOCK.read_text()))
    constraints = paths.BUILD / "worker-constraints.txt"
    constraints.write_text("".join(f"{name}=={version}\n" for name, version in locked.items()))
    command = [sys.executable, "-m", "uv", "pip", "compile", str(paths.PROJECT_REQUIREMENTS), "--quiet", "--no-header"]
    command += [f"--excludes={paths.WORKER_EXCLUDES}", f"--constraints={constraints}", *RESOLUTION]
    finished = subprocess.run(command, text=True, capture_output=True, check=False)
    if finished.returncode:
        raise SetupError(f"the graph project's requirements cannot be met:\n{finished.stderr.strip()}")
    missing = [f"{name}=={version}" for name, version in locked_versions(finished.stdout) if name not in locked]
    if missing:
        install(target, missing, WORKER_PLATFORM)


def locked_versions(lock: str) -> Iterator[tuple[str, str]]:
    """(name, version) of every package in the text of a lock file."""
    for line in lock.splitlines():
        if line and not line.startswith((" ", "#")):
            name, _, rest = line.partition("==")
            yield name, rest.split()[0]


def add_shims(target: Path) -> None:
    """Copy the stand-ins for packages without any WebAssembly wheel."""
    for shim in shim_packages():
        shutil.copytree(shim, target / shim.name, ignore=shutil.ignore_patterns("__pycache__"))


def shim_packages() -> list[Path]:
    """The packages in the projects of `vendor/`."""
    return sorted(init.parent for init in paths.SHIMS.glob("*/*/__init__.py"))


def shrink(target: Path) -> None:
    """Delete what a Worker never reads, and the descriptions from the packages' metadata."""
    for pattern in DROPPED:
        for path in list(target.glob(pattern)):
            if path.is_dir():
                shutil.rmtree(path)
            elif path.exists():
                path.unlink()
    for metadata in target.glob("*.dist-info/METADATA"):
        metadata.write_text(metadata.read_text().partition("\n\n")[0] + "\n")


def read_stamp(folder: Path) -> str:
    """What identifies the packages in a folder; empty when it is incomplete."""
    stamp = folder / STAMP
    return stamp.read_text() if stamp.exists() else ""


def total_bytes(target: Path) -> int:
    """The size of everything in a folder."""
    return sum(path.stat().st_size for path in target.rglob("*") if path.is_file())


def _fingerprint() -> str:
    digest = hashlib.sha256(f"{TREATMENT} {DROPPED}".encode() + Path(slimming.__file__).read_bytes())
    for path in _inputs():
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def _inputs() -> Iterable[Path]:
    yield from (paths.WORKER_LOCK, paths.PURE_LOCK)
    if paths.PROJECT_REQUIREMENTS.exists():
        yield paths.PROJECT_REQUIREMENTS
    for shim in shim_packages():
        yield from sorted(shim.rglob("*.py"))
