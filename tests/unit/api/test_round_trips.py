"""The D1 round trips of each operation: one batch to read, and at most one to read and one to write."""

import pytest

from api.routing import Route
from http_messages import Passthrough
from tests.support import every_operation
from tests.support.every_operation import REFUSED, served

#: Operations that never write, though their method would allow it.
READING = ("/search", "/count", "/versions", "/history", "/state/checkpoint", "/namespaces")

#: What differs from that: no row is needed, or the write needs nothing read before it.
OTHERS = {
    "GET /": 0,
    "GET /ok": 0,
    "GET /info": 0,
    "GET /docs": 0,
    "GET /openapi.json": 0,
    "POST /assistants": 1,
    "DELETE /assistants/{assistant_id}": 1,
    "POST /threads": 1,
    # Deleting takes one, and one more to note that the object knows.
    "POST /threads/prune": 2,
    "DELETE /threads/{thread_id}": 3,
    "DELETE /threads/{thread_id}/runs/{run_id}": 1,
    "POST /threads/{thread_id}/runs/{run_id}/cancel": 1,
    "POST /runs/cancel": 1,
    "DELETE /runs/crons/{cron_id}": 1,
    "GET /threads/{thread_id}/stream": 0,
    "POST /threads/{thread_id}/stream/events": 0,
    "POST /runs/webhooks/redeliver": 1,
    "POST /runs/dead-letters/redrive": 1,
    "PUT /store/items": 1,
    "DELETE /store/items": 1,
    "POST /mcp": 0,
    "POST /a2a/{assistant_id}": 4,
}


def expected(route: Route) -> int:
    """The number of batches."""
    reads = route.method == "GET" or route.path.endswith(READING)
    name = every_operation.name(route)
    return 0 if name in REFUSED else OTHERS.get(name, 1 if reads else 2)


@pytest.mark.parametrize("route", served(), ids=every_operation.name)
async def test_an_operation_takes_as_many_batches_as_promised(route: Route) -> None:
    world = await every_operation.world()
    before = world.api.db.round_trips
    answer = await world.ask(route)
    assert isinstance(answer, Passthrough) or answer.status in (200, 202, 204, REFUSED.get(every_operation.name(route)))
    assert world.api.db.round_trips - before == expected(route)
