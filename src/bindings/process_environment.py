"""Makes a Worker look like the process that libraries expect; imported before LangGraph and the graph project.

`os.environ` is empty in a Worker, but LangGraph reads its switches, and many model libraries their keys, when they are
imported. And `sys.exit()` in a node must end a run, not the Worker: Pyodide's loop passes `SystemExit` on to its host,
which aborts.
"""

import asyncio
import logging
import os
from functools import lru_cache
from typing import Any, Final, cast

from js import Object
from workers import env as global_env

from settings import Settings

#: Checkpoints are read with an allowlist of classes, so that a caller who can write a row cannot execute code.
os.environ["LANGGRAPH_STRICT_MSGPACK"] = "true"

#: Secrets that graphs do not see.
_OUR_SECRETS: Final = frozenset({"API_KEYS", "WEBHOOK_SECRETS"})


def _export(env: Any) -> dict[str, str]:
    variables = {name: value for name, value in Object.entries(getattr(env, "_env", env)) if isinstance(value, str)}
    os.environ.update({name: value for name, value in variables.items() if name not in _OUR_SECRETS})
    return variables


def _stay(_exit_code: int) -> None:
    """The effect of a `SystemExit` on the Worker: none."""


@lru_cache(maxsize=1)
def read_settings() -> Settings:
    """Read the settings, apply their log level, and export variables and secrets to `os.environ` again.

    Called at an isolate's first request, not at import, because a deployed Worker is imported only once, when it is
    uploaded.
    """
    settings = Settings.from_env(_export(global_env))
    logging.getLogger().setLevel(settings.log_level)
    return settings


@lru_cache(maxsize=1)
def worker_version() -> str:
    """The id of the Worker version that runs here.

    Not read at import either, because no version exists during the upload.
    """
    return str(getattr(global_env, "_env", global_env).VERSION.id)


_export(global_env)

# Not public, but the loop offers no other way. The task that raised `SystemExit` still ends with it.
cast(Any, asyncio.get_event_loop())._system_exit_handler = _stay
