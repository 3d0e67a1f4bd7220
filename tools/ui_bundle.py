"""Builds the UI components that langgraph.json names under `ui`, with the bundler of LangGraph.js.

That bundler is the npm package `@langchain/langgraph-ui`, which belongs to the project: next to its `package.json`.
"""

import json
import os
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from project_config.sections import UI_BUNDLES, UI_SUFFIX

PACKAGE: Final = "@langchain/langgraph-ui"


class UiBundleError(Exception):
    """The components cannot be built; the message says what to do."""


def build(components: Mapping[str, str], shared: tuple[str, ...], folder: Path) -> dict[str, bytes]:
    """The scripts and styles of each entry of `ui`, by their path in the Worker; `folder` holds langgraph.json."""
    if not components:
        return {}
    for name, source in components.items():
        if not (folder / source).is_file():
            raise UiBundleError(f"langgraph.json: ui {name!r}: there is no file {source}")
    with tempfile.TemporaryDirectory(prefix="superstep-ui-") as output:
        _run(_bundler(folder), output, components, shared, folder)
        public = Path(output) / "public"
        return {
            f"{UI_BUNDLES}/{file.relative_to(public).as_posix()}{UI_SUFFIX}": file.read_bytes()
            for file in sorted(public.rglob("*"))
            if file.is_file()
        }


def _bundler(folder: Path) -> Path:
    """The package's command, installed where Node would look for it."""
    for place in (folder, *folder.parents):
        command = place / "node_modules" / PACKAGE / "dist" / "cli.mjs"
        if command.is_file():
            return command
    raise UiBundleError(
        f"langgraph.json: 'ui' needs the npm package {PACKAGE}: run `npm install --save-dev {PACKAGE}` in {folder}"
    )


def _run(command: Path, output: str, components: Mapping[str, str], shared: tuple[str, ...], folder: Path) -> None:
    variables = {"LANGGRAPH_UI": json.dumps(dict(components)), "LANGGRAPH_UI_CONFIG": json.dumps({"shared": shared})}
    try:
        subprocess.run(
            ["node", str(command), "build", "--output", output],
            cwd=folder,
            env={**os.environ, **variables},
            check=True,
            capture_output=True,
            text=True,
        )
    except FileNotFoundError:
        raise UiBundleError("langgraph.json: 'ui' needs Node to build its components: there is no `node`") from None
    except subprocess.CalledProcessError as error:
        raise UiBundleError(f"langgraph.json: 'ui' could not be built\n{error.stderr.strip()}") from None
