"""How an operator sees runs: as log lines, and as traces at an OTLP collector and at LangSmith."""

import asyncio
import json
import os
import re
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio
from langgraph_sdk import get_client
from langgraph_sdk.client import LangGraphClient

from tests.support.otlp import Collector, ReceivedSpan
from tests.support.project_server import serving
from tests.support.step_server import StepServer
from tests.support.waiting import until
from tools.local_server import Server

pytestmark = pytest.mark.skipif("SUPERSTEP_URL" in os.environ, reason="needs a server with variables of its own")

SECRET = "lsv2_pt_a_secret"
CALLER = "00f067aa0ba902b7"


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with Collector().serving() as collector:
        yield collector


@pytest.fixture(scope="module")
def server(collector: Collector) -> Iterator[Server]:
    """A server that sends traces; each span leaves when it ends, so that a crash loses none that has ended."""
    variables = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "OTEL_EXPORTER_OTLP_HEADERS": "x-tenant=mine",
        "OTEL_BSP_SCHEDULE_DELAY": "0",
        "LANGSMITH_TRACING": "true",
        "LANGSMITH_ENDPOINT": collector.url,
        "LANGSMITH_API_KEY": SECRET,
        "LANGSMITH_PROJECT": "tests",
    }
    with serving(**variables) as server:
        yield server


@pytest_asyncio.fixture
async def client(server: Server) -> AsyncIterator[LangGraphClient]:
    async with get_client(url=server.url) as client:
        yield client


@pytest.fixture
def trace_id() -> str:
    return os.urandom(16).hex()


def headers(trace_id: str) -> dict[str, str]:
    return {"traceparent": f"00-{trace_id}-{CALLER}-01"}


async def received(collector: Collector, trace_id: str, name: str, path: str = "/v1/traces") -> list[ReceivedSpan]:
    """The spans of a trace, once one of this name is there."""
    return await asyncio.to_thread(collector.wait_for, trace_id, name, path=path)


def lines(server: Server, run_id: str) -> list[dict[str, Any]]:
    """What the log says about a run."""
    found = re.findall(r'\{"level": .*\}', server.log())
    return [line for text in found if (line := json.loads(text)).get("run_id") == run_id]


async def test_a_streamed_run_is_one_trace_from_its_caller_to_its_super_steps(
    server: Server, client: LangGraphClient, collector: Collector, trace_id: str
) -> None:
    stream = client.runs.stream(None, "sequence", input={"topic": "t"}, headers=headers(trace_id))
    begun, *_ = [part async for part in stream]
    run_id = begun.data["run_id"]
    spans = await received(collector, trace_id, "invoke_agent sequence")
    root = next(span for span in spans if span.name == "invoke_agent sequence")
    assert (root.parent_id, root.attributes["superstep.run.id"]) == (CALLER, run_id)
    nodes = {span.name for span in spans if span.parent_id == root.span_id}
    assert nodes == {"planner", "researcher", "writer", "editor"}
    assert collector.headers["/v1/traces"]["x-tenant"] == "mine"
    told = await received(collector, trace_id, "invoke_agent sequence", "/otel/v1/traces")
    assert {span.attributes["langsmith.span.kind"] for span in told} == {"chain"}
    assert {span.parent_id for span in told} == {"", root.span_id}
    asked = collector.headers["/otel/v1/traces"]
    assert (asked["x-api-key"], asked["langsmith-project"]) == (SECRET, "tests")
    about = lines(server, run_id)
    assert [line["event"] for line in about] == ["run_accepted", "run_started", "run_ended"]
    assert {line["trace_id"] for line in about} == {trace_id}
    assert all(line["thread_id"] and line["version"] and line["request_id"] for line in about)
    assert [line.get("attempt") for line in about] == [None, 1, 1]
    assert "LangChainTracer" not in server.log()
    assert SECRET not in re.sub(r"env\..*", "", server.log())  # wrangler lists the variables it is given


async def test_a_run_that_a_graph_starts_is_below_the_run_of_that_graph(
    client: LangGraphClient, collector: Collector, trace_id: str
) -> None:
    await client.runs.wait(None, "delegating", input={"topic": "t"}, headers=headers(trace_id))
    for path in ("/v1/traces", "/otel/v1/traces"):
        await received(collector, trace_id, "invoke_agent sequence", path)
        spans = {span.name: span for span in await received(collector, trace_id, "invoke_agent delegating", path)}
        assert spans["invoke_agent sequence"].parent_id == spans["invoke_agent delegating"].span_id


async def test_both_attempts_of_a_killed_run_are_in_one_trace(
    server: Server, client: LangGraphClient, collector: Collector, trace_id: str
) -> None:
    with StepServer().serving() as steps:
        steps.hold("r", 1)
        thread_id = (await client.threads.create())["thread_id"]
        graph_input = {"url": steps.url, "run": "r", "steps": 2, "log": []}
        run = await client.runs.create(thread_id, "gated", input=graph_input, headers=headers(trace_id))
        await asyncio.to_thread(steps.wait_for_arrival, "r", 1)
        await received(collector, trace_id, "step")
        killed = server.kill_workerd()
        await asyncio.to_thread(server.wait_until_restarted, killed)
        steps.release("r", 1)
        spans = await received(collector, trace_id, "invoke_agent gated")
    root = spans[-1]
    attempts = [span.attributes["superstep.attempt"] for span in spans if span.name == "step"]
    assert (attempts[0], attempts[-1]) == (1, 2)
    assert {span.parent_id for span in spans if span.name == "step"} == {root.span_id}
    assert root.attributes["superstep.run.attempts"] == 2
    assert {span.resource["service.name"] for span in spans} == {"superstep"}
    about = lines(server, run["run_id"])
    assert [line["event"] for line in about] == ["run_accepted", "run_started", "run_resumed", "run_ended"]
    assert [line.get("attempt") for line in about] == [None, 1, 2, 2]
    assert {line["trace_id"] for line in about} == {trace_id}


async def test_a_collector_that_is_down_or_slow_harms_no_run(
    server: Server, client: LangGraphClient, collector: Collector, trace_id: str
) -> None:
    thread_id = (await client.threads.create())["thread_id"]
    collector.status = 503
    try:
        values = await client.runs.wait(thread_id, "sequence", input={"topic": "t"}, headers=headers(trace_id))
        assert values["topic"] == "t"

        async def complained() -> bool:
            return "the receiver answered 503" in server.log()

        await until("a line about lost spans", complained)
    finally:
        collector.status = 200
    collector.delay_seconds = 15
    began = time.monotonic()
    try:
        for _ in range(3):  # each needs the one before to be over
            await client.runs.wait(thread_id, "sequence", input={"topic": "t"}, headers=headers(trace_id))
    finally:
        collector.delay_seconds = 0
    assert time.monotonic() - began < 15
