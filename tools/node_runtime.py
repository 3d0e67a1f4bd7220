"""The JavaScript side: Node, wrangler and workerd from `node_modules`, whatever Node the machine has.

wrangler needs a newer Node than many machines offer; the npm package `node` carries one.
"""

import json
import os
import shlex
from pathlib import Path

from tools import paths
from tools.errors import SetupError


def node() -> Path:
    """The Node binary of the npm package `node`."""
    return _installed("node/bin/node")


def wrangler() -> list[str]:
    """The start of a wrangler command line. Its `cli.js` directly: the `bin` script would be one process more."""
    return [
        str(node()),
        "--no-warnings",
        str(_installed("wrangler/bin/../wrangler-dist/cli.js")),
    ]


def workerd_version() -> str:
    """The version of the installed workerd."""
    return json.loads(_installed("workerd/package.json").read_text())["version"]


def workerd_wrapper(bundle_folder: Path) -> Path:
    """An executable that starts workerd with the locally assembled Pyodide bundle.

    miniflare runs whatever `MINIFLARE_WORKERD_PATH` names; the option has to follow the `serve` subcommand.
    """
    script = (
        "#!/bin/sh\n"
        'if [ "$1" = serve ]; then\n'
        "  shift\n"
        f'  set -- serve --pyodide-bundle-disk-cache-dir={shlex.quote(str(bundle_folder))} "$@"\n'
        "fi\n"
        f'exec {shlex.quote(str(_workerd_binary()))} "$@"\n'
    )
    wrapper = paths.BUILD / "workerd"
    if not wrapper.exists() or wrapper.read_text() != script:
        partial = wrapper.with_suffix(f".{os.getpid()}")
        partial.write_text(script)
        partial.chmod(0o755)
        partial.rename(wrapper)
    return wrapper


def _workerd_binary() -> Path:
    platforms = sorted((paths.NODE_MODULES / "@cloudflare").glob("workerd-*/bin/workerd"))
    return platforms[0] if platforms else _installed("workerd/bin/workerd")


def _installed(relative: str) -> Path:
    path = paths.NODE_MODULES / relative
    if not path.exists():
        raise SetupError(f"node_modules/{relative} is missing: run `make setup` (npm ci)")
    return path
