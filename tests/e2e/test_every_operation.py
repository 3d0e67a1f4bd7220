"""The official Python client calls every operation, resource by resource.

Each tour proves from its recorded requests that every operation of its resource succeeded, through the client's method
for it. Other tests, and `make differential`, look at the responses.
"""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import pytest

from tests.support.every_operation import REFUSED
from tests.support.tour import HTTP, Tour, Visit
from tools import operations

TOPIC = {"topic": "tour"}


async def tour_system(tour: Tour) -> None:
    for path in ("/ok", "/", "/info", "/docs", "/openapi.json"):
        await tour.ask("GET", path)
    await tour.ask("OPTIONS", "/threads", origin="https://a.example", **{"access-control-request-method": "POST"})
    await tour.ask("GET", "/metrics")


async def tour_assistants(tour: Tour) -> None:
    sdk = tour.assistants
    made = (await sdk.create("nested", name="Tour", metadata={"tour": 1}))["assistant_id"]
    assert (await sdk.update(made, description="changed"))["version"] == 2
    assert [found["assistant_id"] for found in await sdk.search(metadata={"tour": 1}, limit=1)] == [made]
    assert await sdk.count(metadata={"tour": 1}) >= 1
    assert (await sdk.get(made))["description"] == "changed"
    assert (await sdk.get_graph(made, xray=True))["nodes"]
    assert (await sdk.get_schemas(made))["graph_id"] == "nested"
    assert list(await sdk.get_subgraphs(made)) == ["child"]
    assert list(await sdk.get_subgraphs(made, namespace="child", recurse=True)) == ["child"]
    assert [version["version"] for version in await sdk.get_versions(made)] == [2, 1]
    assert (await sdk.set_latest(made, 1))["description"] is None
    await sdk.delete(made)


async def tour_threads(tour: Tour) -> None:
    sdk = tour.threads
    made = (await sdk.create(metadata={"tour": 2}))["thread_id"]
    assert (await sdk.get(made))["status"] == "idle"
    assert (await sdk.update(made, metadata={"more": 1}))["metadata"] == {"tour": 2, "more": 1}
    assert [found["thread_id"] for found in await sdk.search(ids=[made])] == [made]
    assert await sdk.count(metadata={"tour": 2, "more": 1}) >= 1
    copied = (await sdk.copy(made))["thread_id"]
    assert (await tour.ask("GET", f"/threads/{copied}/storage"))["thread_id"] == copied
    assert await sdk.prune([copied]) == {"pruned_count": 1}
    await sdk.delete(made)


async def tour_state(tour: Tour) -> None:
    sdk = tour.threads
    made = (await sdk.create(graph_id="sequence"))["thread_id"]
    await tour.runs.wait(made, "sequence", input=TOPIC)
    state = await sdk.get_state(made)
    assert (await sdk.get_state(made, checkpoint_id=state["checkpoint_id"]))["values"] == state["values"]
    assert (await sdk.get_state(made, checkpoint=state["checkpoint"]))["values"] == state["values"]
    assert len(await sdk.get_history(made, limit=3)) == 3
    assert len(await tour.ask("GET", f"/threads/{made}/history?limit=2")) == 2
    await tour.ask("PATCH", f"/threads/{made}/state", {})
    await sdk.update_state(made, {"topic": "changed"})
    assert (await sdk.get_state(made))["values"]["topic"] == "changed"


async def tour_streams(tour: Tour) -> None:
    made = (await tour.threads.create())["thread_id"]
    ran = [part.data async for part in tour.runs.stream(made, "sequence", input=TOPIC, stream_resumable=True)]
    replayed: list[Any] = []
    async for part in await tour.threads.join_stream(made, last_event_id="-"):
        if part.data.get("status") == "run_done":
            break
        replayed.append(part.data)
    assert replayed == ran


async def tour_runs(tour: Tour) -> None:
    sdk = tour.runs
    made = (await tour.threads.create())["thread_id"]
    run = (await sdk.create(made, "sequence", input=TOPIC))["run_id"]
    assert (await sdk.join(made, run))["messages"]
    assert (await sdk.get(made, run))["status"] == "success"
    assert (await sdk.wait(made, "sequence", input=TOPIC))["messages"]
    parts = [part async for part in sdk.stream(made, "sequence", input=TOPIC, stream_resumable=True)]
    resumed = [part async for part in sdk.join_stream(made, parts[0].data["run_id"], last_event_id=parts[0].id)]
    assert resumed == parts[1:]
    assert len(await sdk.list(made)) == 3
    pending = (await sdk.create(made, "sequence", input=TOPIC, after_seconds=600))["run_id"]
    await sdk.cancel(made, pending, wait=True)
    await sdk.delete(made, run)
    assert len(await sdk.list(made)) == 3


async def tour_stateless(tour: Tour) -> None:
    sdk = tour.runs
    assert (await sdk.wait(None, "sequence", input=TOPIC))["messages"]
    assert [part.event async for part in sdk.stream(None, "sequence", input=TOPIC)]
    kept = await sdk.create(None, "sequence", input=TOPIC, on_completion="keep", after_seconds=600)
    await sdk.cancel_many(thread_id=kept["thread_id"], run_ids=[kept["run_id"]])
    batch: Any = [{"assistant_id": "sequence", "input": TOPIC}] * 2
    assert len(await sdk.create_batch(batch)) == 2


async def tour_crons(tour: Tour) -> None:
    sdk = tour.crons
    thread_id = (await tour.threads.create())["thread_id"]
    yearly = {"schedule": "0 0 1 1 *", "input": TOPIC}
    made = (await sdk.create("sequence", **yearly, metadata={"tour": 3}))["cron_id"]
    await sdk.create_for_thread(thread_id, "sequence", **yearly)
    assert len(await sdk.search(thread_id=thread_id)) == 1
    assert await sdk.count(thread_id=thread_id) == 1
    assert (await sdk.update(made, enabled=False))["enabled"] is False
    assert (await tour.ask("GET", f"/runs/crons/{made}"))["metadata"] == {"tour": 3}
    await sdk.delete(made)
    await tour.threads.delete(thread_id)


async def tour_store(tour: Tour) -> None:
    sdk = tour.store
    namespace = ["tour", uuid4().hex]
    await sdk.put_item(namespace, "k", {"a": 1})
    assert (await sdk.get_item(namespace, "k"))["value"] == {"a": 1}
    assert [item["key"] for item in (await sdk.search_items(namespace))["items"]] == ["k"]
    assert (await sdk.list_namespaces(namespace))["namespaces"] == [namespace]
    await sdk.delete_item(namespace, "k")


async def tour_protocol(tour: Tour) -> None:
    for transport in ("sse", "websocket"):
        async with tour.threads.stream(str(uuid4()), assistant_id="sequence", transport=transport) as stream:
            await stream.run.start(input=TOPIC)
            assert (await stream.output)["messages"]
    tour.visited(Visit("threads.stream", "WS /threads/{thread_id}/stream/events", 101))


async def tour_mcp(tour: Tour) -> None:
    ping = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    assert (await tour.ask("POST", "/mcp", ping, accept="application/json"))["result"] == {}
    await tour.ask("GET", "/mcp")
    await tour.ask("DELETE", "/mcp")


async def tour_a2a(tour: Tour) -> None:
    [found] = await tour.assistants.search(graph_id="chat", metadata={"created_by": "system"})
    path = f"/a2a/{found['assistant_id']}"
    message = {"role": "user", "messageId": "1", "kind": "message", "parts": [{"kind": "text", "text": "hi"}]}
    call = {"jsonrpc": "2.0", "id": 1, "method": "message/send", "params": {"message": message}}
    assert (await tour.ask("POST", path, call))["result"]["status"]["state"] == "completed"
    for card in (f"{path}/.well-known/agent-card.json", path):
        assert (await tour.ask("GET", card))["name"]
    await tour.ask("GET", f"/.well-known/agent-card.json?assistant_id={found['assistant_id']}")


async def tour_ui(tour: Tour) -> None:
    await tour.ask("POST", "/ui/sequence", {"name": "sequence"})
    await tour.ask("GET", "/ui/sequence/entrypoint.js")


TOURS: dict[str, Callable[[Tour], Awaitable[None]]] = {
    "system": tour_system,
    "assistants": tour_assistants,
    "threads": tour_threads,
    "state": tour_state,
    "streams": tour_streams,
    "runs": tour_runs,
    "stateless": tour_stateless,
    "crons": tour_crons,
    "store": tour_store,
    "protocol": tour_protocol,
    "mcp": tour_mcp,
    "a2a": tour_a2a,
    "ui": tour_ui,
}


def test_there_is_a_tour_of_every_resource() -> None:
    assert set(TOURS) == {operation.resource for operation in operations.read()}


@pytest.mark.parametrize("resource", TOURS)
async def test_the_python_client_is_served_every_operation_of(resource: str, server_url: str) -> None:
    async with Tour(server_url) as tour:
        await TOURS[resource](tour)
        visits = {(visit.method, visit.operation): visit.status for visit in tour.visits()}
    for operation in operations.read():
        if operation.resource == resource:
            status = visits.get((operation.python or HTTP, operation.name))
            assert status is not None, f"{operation.python or 'plain HTTP'} never asked for {operation.name}"
            assert status == REFUSED.get(operation.name, status if status < 300 else None), operation.name
