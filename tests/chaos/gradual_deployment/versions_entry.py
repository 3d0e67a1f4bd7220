"""The Worker's entry in the middle of a gradual deployment: each thread's object runs one of two Worker versions.

A local server has no gradual deployments, and gets another version id after each restart.
"""

from typing import Any

import entry
from bindings import process_environment
from entry import Default, RunWorkflow

__all__ = ["Default", "RunWorkflow", "ThreadObject"]

#: How the ids of threads begin that the new version executes.
NEW = "0000"


class ThreadObject(entry.ThreadObject):
    """A thread's object that has its version from its name."""

    def __init__(self, ctx: Any, env: Any) -> None:
        version = "new" if ctx.id.name.startswith(NEW) else "old"
        process_environment.worker_version = lambda: version  # type: ignore[assignment]
        super().__init__(ctx, env)
