"""The official JavaScript client under Node: through every entry point, with every operation it has a method for."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tools import operations

ROOT = Path(__file__).resolve().parents[2]
NODE = ROOT / "node_modules" / ".bin" / "node"
SCRIPTS = Path(__file__).parent / "javascript"
ARTICLE = ["planner:J", "researcher:J", "writer:J", "editor:J"]


@pytest.fixture(scope="module")
def seen(server_url: str) -> dict[str, Any]:
    """What the script got from each call."""
    finished = subprocess.run(
        [NODE, SCRIPTS / "every_door.mjs", server_url],
        cwd=ROOT,
        text=True,
        capture_output=True,
        timeout=120,
        check=False,
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


@pytest.fixture(scope="module")
def visits(server_url: str, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What the client asked for, and by which of its methods, in the tests of `tour.test.mjs`, which must pass."""
    noted = tmp_path_factory.mktemp("tour") / "visits"
    run_tests("tour.test.mjs", SUPERSTEP_URL=server_url, TOUR_VISITS=str(noted))
    return [json.loads(line) for line in noted.read_text().splitlines()]


def run_tests(script: str, **variables: str) -> None:
    """Run the tests of a script under Node; all must pass."""
    finished = subprocess.run(
        [NODE, "--test", SCRIPTS / script],
        cwd=ROOT,
        env={**os.environ, **variables},
        text=True,
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout


RESOURCES = dict.fromkeys(operation.resource for operation in operations.read() if operation.javascript)

#: Asked for in other ways than with `fetch`, or refused as by any server.
NOT_FETCHED = ("WS /threads/{thread_id}/stream/events",)
REFUSED = ("PATCH /threads/{thread_id}/state",)


@pytest.mark.parametrize("resource", RESOURCES)
def test_the_javascript_client_is_served_every_operation_of(resource: str, visits: list[dict[str, Any]]) -> None:
    statuses = {
        (visit["method"], operations.asked_for(visit["asked"], visit["path"])): visit["status"]
        for visit in visits
        if visit["resource"] == resource
    }
    for operation in operations.read():
        if operation.resource == resource and operation.javascript and operation.name not in NOT_FETCHED:
            status = statuses.get((operation.javascript, operation.name))
            assert status is not None, f"{operation.javascript} never asked for {operation.name}"
            assert status < 300 or operation.name in REFUSED


def test_the_hook_use_stream_works(server_url: str) -> None:
    run_tests("use_stream.test.mjs", SUPERSTEP_URL=server_url)


def test_threads_and_their_state_are_changed(server_url: str) -> None:
    run_tests("threads.test.mjs", SUPERSTEP_URL=server_url)
