"""Fills `os.environ`, which is empty in a Worker; imported before anything that imports LangGraph or a graph project.

LangGraph reads its switches, and many model libraries their keys, when they are imported.
"""

import os
from typing import Any

from js import Object
from workers import env as global_env

#: Checkpoints are read with an allowlist of classes: whoever can write a row must not get code executed.
os.environ["LANGGRAPH_STRICT_MSGPACK"] = "true"


def export(env: Any) -> dict[str, str]:
    """Copy an `env`'s variables and secrets to `os.environ`, and return them."""
    variables = {name: value for name, value in Object.entries(getattr(env, "_env", env)) if isinstance(value, str)}
    os.environ.update(variables)
    return variables


export(global_env)
