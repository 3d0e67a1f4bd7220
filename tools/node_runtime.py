"""The JavaScript side: Node, wrangler and workerd from `node_modules`, whatever Node the machine has.

wrangler needs a newer Node than many machines offer; the npm package `node` contains one.
"""

import json
import os
import shlex
from pathlib import Path
from typing import Final

from tools import paths
from tools.errors import SetupError

#: Only the workerd with a debug port runs Python; `tools/snapshots.py` sets the two variables. After a crash miniflare
#: asks for the same inspector port again, and workerd waits for it forever, without a word, when another program has
#: taken it meanwhile: so any port will do.
WRAPPER: Final = """\
#!/bin/sh
if [ "$1" = serve ]; then
  shift
  for argument; do
    shift
    case "$argument" in --inspector-addr=*) argument="${{argument%:*}}:0" ;; esac
    set -- "$@" "$argument"
  done
  case "$*" in *--debug-port=*)
    if [ -f "$SUPERSTEP_SNAPSHOT/snapshot.bin" ]; then
      set -- --python-load-snapshot=snapshot.bin --python-snapshot-dir="$SUPERSTEP_SNAPSHOT" "$@"
    elif [ -n "$SUPERSTEP_NEW_SNAPSHOT" ]; then
      mkdir -p "$SUPERSTEP_NEW_SNAPSHOT"
      set -- --python-save-snapshot --python-snapshot-dir="$SUPERSTEP_NEW_SNAPSHOT" "$@"
    fi
  esac
  set -- serve --pyodide-bundle-disk-cache-dir={bundle} "$@"
fi
exec {workerd} "$@"
"""


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

    miniflare runs whatever `MINIFLARE_WORKERD_PATH` names; the options have to follow the `serve` subcommand.
    """
    script = WRAPPER.format(bundle=shlex.quote(str(bundle_folder)), workerd=shlex.quote(str(_workerd_binary())))
    wrapper = paths.WORKERD_WRAPPER
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
