"""The Worker that runs test bodies inside workerd: GET /bodies/<module>/<function> runs one and answers its outcome.

Every `*_body.py` beside this file holds bodies: `async def test_…(database)` with plain asserts.
"""

import os

os.environ["LANGGRAPH_STRICT_MSGPACK"] = "true"

import importlib
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
        _, _, module, function = path.split("/")
        body = getattr(importlib.import_module(module), function)
        try:
            outcome = {"failure": None, "result": await body(D1Database(self.env.DB))}
        except Exception:  # noqa: BLE001 - the host raises it
            outcome = {"failure": traceback.format_exc(), "result": None}
        return Response(json.dumps(outcome))


class ThreadObject(DurableObject):
    """The production bindings name it."""


class RunWorkflow(WorkflowEntrypoint):
    """The production bindings name it."""
