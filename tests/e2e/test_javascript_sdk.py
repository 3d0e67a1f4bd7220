"""The official JavaScript client under Node, through every door."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
NODE = ROOT / "node_modules" / ".bin" / "node"
SCRIPT = Path(__file__).parent / "javascript" / "every_door.mjs"
ARTICLE = ["planner:J", "researcher:J", "writer:J", "editor:J"]


@pytest.fixture(scope="module")
def seen(server_url: str) -> dict[str, Any]:
    """What the script got from each call."""
    finished = subprocess.run(
        [NODE, SCRIPT, server_url], cwd=ROOT, text=True, capture_output=True, timeout=120, check=False
    )
    assert finished.returncode == 0, finished.stderr
    return json.loads(finished.stdout)


def test_create_returns_the_run(seen: dict[str, Any]) -> None:
    assert seen["run"]["status"] == "pending"
    assert seen["found"] | {"run_id": seen["run"]["run_id"], "status": "success"} == seen["found"]


def test_join_and_wait_return_the_values(seen: dict[str, Any]) -> None:
    assert seen["joined"]["messages"] == ARTICLE
    assert seen["waited"]["messages"] == ARTICLE * 2
    assert seen["stateless"] == {"topic": "J", "messages": ARTICLE}


def test_a_stream_announces_its_run_and_resumes(seen: dict[str, Any]) -> None:
    streamed = seen["streamed"]
    assert [part["event"] for part in streamed] == ["metadata", "values"] + ["updates", "values"] * 4
    assert seen["announced"]["run_id"] == streamed[0]["data"]["run_id"]
    assert seen["resumed"] == streamed[4:]


def test_an_interrupt_is_asked_and_answered(seen: dict[str, Any]) -> None:
    assert seen["asked"]["__interrupt__"][0]["value"]["question"] == "approve?"
    assert seen["answered"]["decision"] == "yes"


def test_subgraphs_are_streamed_by_namespace(seen: dict[str, Any]) -> None:
    events = [part["event"].partition(":")[0] for part in seen["subgraphs"]]
    assert events == ["metadata", "updates", "updates|child", "updates|child", "updates", "updates"]


def test_runs_state_history_and_assistants_are_read(seen: dict[str, Any]) -> None:
    assert next(run["run_id"] for run in seen["listed"]) == seen["announced"]["run_id"]
    assert seen["state"]["values"]["messages"] == ARTICLE * 3
    assert seen["history"][0] == seen["state"]
    assert len(seen["history"]) == 3
    assert "sequence" in {found["graph_id"] for found in seen["assistants"]}


def test_failures_are_raised_with_their_status(seen: dict[str, Any]) -> None:
    assert "boom" in seen["failed"]["message"]
    assert seen["missing"]["status"] == 404
    assert seen["unknown"]["status"] == 422
