"""Fills `os.environ`, which is empty in a Worker; imported before anything that imports LangGraph or a graph project.

LangGraph reads its switches, and many model libraries their keys, when they are imported.
"""

import os
from functools import lru_cache
from typing import Any

from js import Object
from workers import env as global_env

from settings import Settings

#: Checkpoints are read with an allowlist of classes: whoever can write a row must not get code executed.
os.environ["LANGGRAPH_STRICT_MSGPACK"] = "true"


def _export(env: Any) -> dict[str, str]:
    variables = {name: value for name, value in Object.entries(getattr(env, "_env", env)) if isinstance(value, str)}
    os.environ.update(variables)
    return variables


@lru_cache(maxsize=1)
def read_settings() -> Settings:
    """The settings, and the variables and secrets once more in `os.environ`.

    Read at an isolate's first request, not at import: a deployed Worker imports once, when it is uploaded.
    """
    return Settings.from_env(_export(global_env))


_export(global_env)
