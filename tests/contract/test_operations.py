"""Every operation of the LangGraph Server API has a route."""

from api.routes import ROUTES
from tools import operations

#: Listed there and no route of ours: preflights are answered for any path, a WebSocket begins as a GET, and the server
#: that the list was taken from answers 405 to this PATCH, as we do.
ELSEWHERE = {"OPTIONS /{any}", "WS /threads/{thread_id}/stream/events", "PATCH /threads/{thread_id}/state"}
#: Our spelling of those, and what Superstep alone has.
OURS = {
    "GET /threads/{thread_id}/stream/events",
    "GET /runs/crons/{cron_id}/fires",
    "GET /runs/dead-letters",
    "POST /runs/dead-letters/redrive",
    "GET /runs/webhooks",
    "POST /runs/webhooks/redeliver",
    "GET /threads/{thread_id}/runs/{run_id}/timeline",
}


def test_every_operation_has_a_route_and_no_route_is_made_up() -> None:
    listed = {operation.name for operation in operations.read()}
    assert {f"{route.method} {route.path}" for route in ROUTES} == (listed - ELSEWHERE) | OURS
