"""What a run costs in D1, as Cloudflare bills it: counted on real workerd, in the same way as `make bench`."""

import json
from collections.abc import Iterator

import httpx
import pytest
from prometheus_client import parser

from bench import bill
from bench.calls import Calls
from bench.workloads import G1
from tests.support.waiting import until
from tests.support.webhook_receiver import WebhookReceiver
from tools.local_server import Server

#: Six checkpoints of three rows, one of them without a task's writes, and the rest: thread, run and metrics.
MOST_ROWS_WRITTEN = 17 + 13
MOST_ROUND_TRIPS = 12

#: Round trips before a run executes: its thread, what it refers to, its row, its claim.
BEFORE = 4
ROWS_WRITTEN_BY_ITS_END = 4

#: The webhook and its entry in the index of what is not delivered, the attempt, and what came of it.
ROWS_WRITTEN_FOR_A_WEBHOOK = 4


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with bill.counting_server() as server:
        yield server


async def test_a_run_of_four_super_steps_writes_no_more_rows_than_promised(server: Server) -> None:
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as http:
        figures = {figure.name: figure.value for figure in await bill.billing(server, Calls(http), runs=1)}
    assert 0 < figures["D1 rows written, G1"] <= MOST_ROWS_WRITTEN
    assert 0 < figures["D1 round trips, G1"] <= MOST_ROUND_TRIPS


async def test_the_metrics_say_what_executing_a_run_is_billed(server: Server) -> None:
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as http:
        calls = Calls(http)
        await calls.wait(await calls.create_thread(), G1.graph, G1.input)
        metrics, before = await _metrics(http), len(_batches(server))
        await calls.wait(await calls.create_thread(), G1.graph, G1.input)
        billed = _batches(server)[before + BEFORE :]
        counted = {name: value - metrics[name] for name, value in (await _metrics(http)).items()}
    execution, [end, *looks] = billed[: int(counted["batches"])], billed[int(counted["batches"]) :]
    assert counted["rows_written"] == sum(batch["rows_written"] for batch in execution)
    assert counted["rows_read"] == sum(batch["rows_read"] for batch in execution)
    assert counted["seconds"] > 0
    assert end["rows_written"] == ROWS_WRITTEN_BY_ITS_END
    assert end["rows_read"] < 50
    assert not any(batch["rows_written"] for batch in looks)


async def test_a_webhook_that_is_taken_at_once_writes_few_rows(server: Server) -> None:
    written: list[int] = []
    with WebhookReceiver().serving() as receiver:
        async with httpx.AsyncClient(base_url=server.url, timeout=60) as http:
            calls = Calls(http)
            for more in ({}, {}, {"webhook": receiver.url}):
                before = len(_batches(server))
                await calls.wait(await calls.create_thread(), G1.graph, G1.input, **more)
                if more:
                    await until("the webhook is delivered", lambda: calls.get("/runs/webhooks?status=delivered"))
                written.append(sum(batch["rows_written"] for batch in _batches(server)[before:]))
    _with_the_assistant, without, with_webhook = written
    assert with_webhook - without == ROWS_WRITTEN_FOR_A_WEBHOOK


async def _metrics(http: httpx.AsyncClient) -> dict[str, float]:
    """What all runs of the graph asked of D1."""
    families = parser.text_string_to_metric_families((await http.get("/metrics")).text)
    return {
        family.name.removeprefix("superstep_run_d1_"): sum(
            sample.value for sample in family.samples if sample.labels["graph"] == G1.graph
        )
        for family in families
        if family.name.startswith("superstep_run_d1_")
    }


def _batches(server: Server) -> list[dict[str, int]]:
    bill.counts(server)
    lines = server.log().splitlines()
    return [json.loads(line.removeprefix(bill.MARK)) for line in lines if line.startswith(bill.MARK)]
