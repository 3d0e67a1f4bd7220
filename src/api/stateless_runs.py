"""Runs without a thread: each gets a temporary one, which is visible while the run lasts and then deleted."""

from dataclasses import replace

from api import authorization
from api.context import Call
from api.thread_runs import accepted, announce, open_created
from http_messages import Reply, json_response
from runs import creation
from runs.run_object import run_text
from tables.runs import Run
from wire.json_objects import join_array
from wire.runs import RunBatch, RunCreate


async def create(call: Call[RunCreate, None]) -> Reply:
    """Create a background run."""
    run = await _create(call)
    return await accepted(call, run, content_location=f"/runs/{run.run_id}")


async def create_batch(call: Call[RunBatch, None]) -> Reply:
    """Create several background runs: all, or on an error none."""
    services = call.services
    calls = [await authorization.authorized("threads.create_run", replace(call, body=body)) for body in call.body.root]
    created = await creation.create_stateless_runs(
        services.db,
        services.graphs(),
        [(each.body, await each.creator()) for each in calls],
        webhook_urls=services.config.webhooks.url,
    )
    await announce(services, created)
    return json_response(join_array(run_text(run) for run in created))


async def create_and_stream(call: Call[RunCreate, None]) -> Reply:
    """Create a run and stream its events."""
    run = await _create(call)
    path = f"/runs/{run.run_id}"
    return await open_created(call, run, "stream", location=f"{path}/stream", content_location=path)


async def create_and_wait(call: Call[RunCreate, None]) -> Reply:
    """Create a run and wait for its final values."""
    run = await _create(call)
    path = f"/threads/{run.thread_id}/runs/{run.run_id}"
    return await open_created(call, run, "wait", location=f"{path}/join", content_location=path)


async def _create(call: Call[RunCreate, None]) -> Run:
    services = call.services
    return await creation.create_run(
        services.db,
        services.graphs(),
        call.body,
        thread_id=None,
        by=await call.creator(),
        webhook_urls=services.config.webhooks.url,
    )
