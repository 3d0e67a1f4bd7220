"""Generative UI: langgraph.json's `ui`, built by LangGraph.js's bundler and loaded as the React SDK loads it."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from langgraph_sdk import get_sync_client

from tools import local_server, node_runtime, paths, worker_copy
from tools.local_server import Server

PROJECT = Path(__file__).parent / "ui_project"
SCRIPT = Path(__file__).parent / "javascript" / "external_component.mjs"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server of the project with its components, whose bundler npm installs beside it."""
    folder = paths.BUILD / "ui-project"
    shutil.copytree(PROJECT, folder, dirs_exist_ok=True)
    subprocess.run(["npm", "install", "--no-progress", "--loglevel=error"], cwd=folder, check=True)
    with local_server.serve(config=worker_copy.with_project("ui", folder / "langgraph.json")) as server:
        yield server


def test_a_page_loads_the_component_that_a_graph_pushed(server: Server) -> None:
    state = get_sync_client(url=server.url).runs.wait(None, "weather", input={"city": "Oslo"})
    assert isinstance(state, dict)
    [message] = state["ui"]
    assert (message["name"], message["props"]) == ("weather", {"city": "Oslo"})

    command = [node_runtime.node(), SCRIPT, server.url]
    loaded = json.loads(subprocess.run(command, cwd=paths.ROOT, check=True, capture_output=True, text=True).stdout)
    assert loaded["element"] == {"className": "weather", "children": "Oslo"}
    assert "steelblue" in loaded["style"]
    assert loaded["types"] == ["text/css; charset=utf-8", "text/javascript; charset=utf-8"]
    assert "404" in loaded["missing"]
    assert "UI not found for graph 'nobody'" in loaded["missing"]
