"""Derives the configuration of the local server from `wrangler.toml`.

Only local workerd gets the development flags: they select the locally assembled Pyodide bundle.
"""

import json
import os
import shlex
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from tools import paths

DEVELOPMENT_FLAGS: Final = ("python_workers_development", "experimental")


def localised(production: dict[str, Any]) -> dict[str, Any]:
    """A production configuration with the flags that only local workerd accepts, and without authentication."""
    flags = [*production.get("compatibility_flags", []), *DEVELOPMENT_FLAGS]
    variables = {**production.get("vars", {}), "AUTH": "none"}
    return {**production, "compatibility_flags": flags, "dev": {"ip": "127.0.0.1"}, "vars": variables}


def production_config() -> dict[str, Any]:
    """The content of `wrangler.toml`."""
    return tomllib.loads(paths.PRODUCTION_CONFIG.read_text())


def write_config(path: Path, config: dict[str, Any]) -> Path:
    """Write a configuration; an unchanged file is left alone, because running servers watch it."""
    text = json.dumps(config, indent=2) + "\n"
    if not path.exists() or path.read_text() != text:
        partial = path.with_name(f"{path.name}.{os.getpid()}")
        partial.write_text(text)
        partial.rename(path)
    return path


def ensure_local_config(project_inputs: Iterable[Path]) -> Path:
    """`wrangler.local.json`, up to date with `wrangler.toml`; changes in the project or in `src/` reload the Worker."""
    config = localised(production_config())
    config["build"] = {
        "command": shlex.join([sys.executable, str(paths.ROOT / "tools" / "bundle_project.py")]),
        "watch_dir": [os.path.relpath(path, paths.LOCAL_CONFIG.parent) for path in (*project_inputs, *_own_sources())],
    }
    return write_config(paths.LOCAL_CONFIG, config)


def _own_sources() -> list[Path]:
    """What wrangler watches by itself only without a build step; not what that step writes."""
    return sorted(path for path in paths.SOURCE.iterdir() if path not in {paths.PROJECT, paths.SOURCE / "__pycache__"})
