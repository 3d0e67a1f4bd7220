"""Makes schemathesis use threads and graphs that exist, to get past 404; loaded by schemathesis, not by tests."""

import os
from typing import Any

import schemathesis

THREAD_ID = os.environ["SUPERSTEP_THREAD_ID"]
ASSISTANT_ID = os.environ["SUPERSTEP_ASSISTANT_ID"]
GRAPH_ID = "sequence"


@schemathesis.hook
def map_path_parameters(context: schemathesis.HookContext, path_parameters: dict[str, Any] | None) -> Any:
    """Put the known thread and assistant into half of all paths with well-formed ids."""
    thread_id = str((path_parameters or {}).get("thread_id", ""))
    if path_parameters and thread_id[-1:] in tuple("01234567"):
        path_parameters["thread_id"] = THREAD_ID
    assistant_id = str((path_parameters or {}).get("assistant_id", ""))
    if path_parameters and assistant_id[-1:] in tuple("01234567"):
        path_parameters["assistant_id"] = ASSISTANT_ID
    return path_parameters


@schemathesis.hook
def map_body(context: schemathesis.HookContext, body: Any) -> Any:
    """Let most runs name a graph that is served, and none wait for a time that the test does not have."""
    if isinstance(body, dict):
        if isinstance(body.get("assistant_id"), str) and len(body["assistant_id"]) > 1:
            body["assistant_id"] = GRAPH_ID
        if isinstance(body.get("graph_id"), str) and len(body["graph_id"]) > 1:
            body["graph_id"] = GRAPH_ID
        if isinstance(body.get("after_seconds"), int | float) and body["after_seconds"] > 1:
            body["after_seconds"] = 0
    return body
