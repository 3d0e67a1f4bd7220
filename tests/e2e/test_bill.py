"""What a run costs in D1, as Cloudflare bills it: counted on real workerd, the way `make bench` counts."""

import httpx

from bench import bill
from bench.calls import Calls

#: Six checkpoints of three rows, one of them without a task's writes, and what the thread and the run themselves need.
MOST_ROWS_WRITTEN = 17 + 13
MOST_ROUND_TRIPS = 12


async def test_a_run_of_four_super_steps_writes_no_more_rows_than_promised() -> None:
    with bill.counting_server() as server:
        async with httpx.AsyncClient(base_url=server.url, timeout=60) as http:
            figures = {figure.name: figure.value for figure in await bill.billing(server, Calls(http), runs=1)}
    assert 0 < figures["D1 rows written, G1"] <= MOST_ROWS_WRITTEN
    assert 0 < figures["D1 round trips, G1"] <= MOST_ROUND_TRIPS
