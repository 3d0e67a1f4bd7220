"""The Worker that runs test bodies inside workerd: GET /bodies/<module>/<function> runs one and returns its outcome.

Every `*_body.py` beside this file contains bodies: `async def test_…(database)` with plain asserts, or `test_…(ctx)`
for those that run in a Durable Object.
"""

import os

os.environ["LANGGRAPH_STRICT_MSGPACK"] = "true"

import importlib
import inspect
import json
import traceback
from urllib.parse import urlsplit

from workers import DurableObject, Response, WorkerEntrypoint, WorkflowEntrypoint

from bindings.d1 import D1Database


class Default(WorkerEntrypoint):
    """Answers 200 with the JSON {"failure": null or a traceback, "result": what the body returned}."""

    async def fetch(self, request):
        path = urlsplit(request.url).path
        if path == "/ok":
            return Response("ok")
        body = _body(path)
        if "ctx" in inspect.signature(body).parameters:
            return await self.env.THREADS.getByName(path).fetch(request.url)
        return await _outcome(body, D1Database(self.env.DB))


class ThreadObject(DurableObject):
    """Runs the bodies that take its `ctx`; the production bindings name it."""

    async def fetch(self, request):
        return await _outcome(_body(urlsplit(request.url).path), self.ctx)


def _body(path):
    _, _, module, function = path.split("/")
    return getattr(importlib.import_module(module), function)


async def _outcome(body, argument):
    try:
        outcome = {"failure": None, "result": await body(argument)}
    except Exception:  # noqa: BLE001 - the host raises it
        outcome = {"failure": traceback.format_exc(), "result": None}
    return Response(json.dumps(outcome))


class RunWorkflow(WorkflowEntrypoint):
    """The production bindings name it."""
