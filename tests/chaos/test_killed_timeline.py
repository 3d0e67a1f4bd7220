"""SIGKILL during a run: afterwards, its timeline and the metrics show what happened."""

import asyncio
from collections import Counter

import httpx
from langgraph_sdk.client import LangGraphClient
from prometheus_client import parser

from tests.chaos.crashes import gated, kill_workerd, reached, wait_for_commit, wait_for_end
from tests.support.step_server import StepServer
from tools.local_server import Server

STEPS = 4


async def test_a_run_that_was_killed_tells_of_both_attempts(
    server: Server, client: LangGraphClient, thread_id: str, steps: StepServer
) -> None:
    before = await metrics(server)
    steps.hold("told", 2)
    run = await client.runs.create(thread_id, **gated(steps, "told", STEPS))
    await reached(steps, "told", 2)
    await wait_for_commit(client, thread_id, [0, 1])
    await asyncio.to_thread(kill_workerd, server)
    steps.release("told", 2)
    assert await wait_for_end(client, thread_id, run["run_id"]) == "success"
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as http:
        told = (await http.get(f"/threads/{thread_id}/runs/{run['run_id']}/timeline")).json()
        picture = await http.get(f"/threads/{thread_id}/runs/{run['run_id']}/timeline?format=html")
    events = told["events"]
    committed = [event for event in events if event["event"] in ("input", "superstep")]
    assert [event["step"] for event in committed] == list(range(-1, STEPS + 1))
    assert [event["attempt"] for event in committed] == [1, 1, 1, 1, 2, 2]
    others = [event for event in events if event not in committed]
    assert [event["event"] for event in others] == ["accepted", "started", "resumed", "ended"]
    _, started, resumed, ended = others
    assert (started["attempt"], resumed["attempt"], ended["attempt"]) == (1, 2, 2)
    assert resumed["cause"] == "cut_off"
    assert resumed["checkpoint_id"] == committed[3]["checkpoint_id"]
    # Each start of a local server is a version of its own.
    assert started["version"] != resumed["version"] == ended["version"]
    assert events.index(resumed) == events.index(committed[3]) + 1
    assert resumed["seconds"] > 0
    assert picture.text.count("<tr") == len(events)
    grown = {name: value - before[name] for name, value in (await metrics(server)).items()}
    assert grown["superstep_runs_total"] == 1
    assert grown["superstep_run_retries_total"] == 1
    assert abs(grown["superstep_run_recovery_seconds_total"] - resumed["seconds"]) < 0.1
    assert grown["superstep_run_supersteps_total"] == STEPS + 1
    assert grown["superstep_run_d1_rows_written_total"] > 0


async def metrics(server: Server) -> Counter[str]:
    """The counters of the graph's runs that ended well, whichever version ended them."""
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as http:
        families = parser.text_string_to_metric_families((await http.get("/metrics")).text)
    found: Counter[str] = Counter()
    for family in families:
        for sample in family.samples:
            if (sample.labels.get("graph"), sample.labels.get("status")) == ("gated", "success"):
                found[sample.name] += sample.value  # type: ignore[assignment]
    return found
